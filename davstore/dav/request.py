"""A request as the handlers see it: read from the WSGI environ here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from davstore.dav.kinds import Offer, offer_with
from davstore.dav.properties.live import PropertyContext
from davstore.dav.rendering import Hrefs
from davstore.engine.context import Services
from davstore.engine.receiving import Source
from davstore.engine.rights import is_owner, owns
from davstore.errors import ForeignDestination, Malformed, MethodNotAllowed, PartIsImmutable, UnsupportedMediaType
from davstore.errors.rights import ShareIsFixed
from davstore.metadata.principals import DeviceFacts
from davstore.middleware.auth import PRINCIPAL
from davstore.middleware.boundary import MOUNTS, TARGET
from davstore.middleware.forwarded import PREFIX
from davstore.middleware.places import find_place
from davstore.middleware.sync_gate import QUERY, check_transfer, explain, shown_to, view_of
from davstore.middleware.xml_body import content_length, read_xml
from davstore.model.acl import Rights
from davstore.model.conditions import NONE, IfList, Preconditions
from davstore.model.facets import NO_FACTS, Facts
from davstore.model.nodes import StoreFacts
from davstore.model.paths import AddPath, PartPath, Path
from davstore.model.principals import NamedPrincipal, Principal, PrincipalName
from davstore.model.views import View
from davstore.protocol import urls
from davstore.protocol.dav import if_header, reports
from davstore.protocol.dav.hrefs import ROOT, Mounts, Spelling, Target, enter, parse_destination
from davstore.protocol.dav.lockinfo import parse_lock_token
from davstore.protocol.dav.reports import ReportQuery
from davstore.protocol.http.dates import parse_http_date
from davstore.protocol.http.headers import parse_depth, parse_etags
from davstore.protocol.http.prefer import Prefer, parse_prefer
from davstore.protocol.http.queries import names_sub_resource, part_query
from davstore.protocol.urls import Place
from davstore.store import enrolling, grouping
from davstore.store.gating import Explanation
from davstore.store.grouping import Members
from davstore.store.preferring import Profiles

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_XML_TYPES: Final = ("application/xml", "text/xml")
_CONDITIONS: Final = (
    "HTTP_IF",
    "HTTP_IF_MATCH",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_LOCK_TOKEN",
)


class Request:
    """One request: its method and place, for whom and when; its headers and its body as they are asked for."""

    __slots__ = ("_environ", "_members", "context", "method", "place", "target")

    def __init__(self, environ: WSGIEnvironment, place: Place, services: Services) -> None:
        self._environ = environ
        self.place = place
        self.method: str = environ["REQUEST_METHOD"]
        self.target: Target = environ[TARGET]
        self.context = services.context(environ[PRINCIPAL])
        self._members: Members | None = None

    @property
    def principal(self) -> Principal:
        """The asker."""
        return self.context.principal

    @property
    def offer(self) -> Offer:
        """The methods and reports that the server offers."""
        return offer_with(self.context.services.functions)

    @property
    def path(self) -> Path:
        """The path of the place in a store. Raises MethodNotAllowed for a fixed collection, which no method changes."""
        if isinstance(self.place, Path):
            return self.place
        raise MethodNotAllowed

    @property
    def prefix(self) -> tuple[str, ...]:
        """The segments that the client's URLs have before ours, behind a proxy."""
        prefix: Target = self._environ.get(PREFIX, ROOT)
        return prefix.segments

    @property
    def spelling(self) -> Spelling:
        """The spelling of hrefs in the answer."""
        return Spelling(self.target, self._environ.get(PREFIX, ROOT), self.mounts)

    @property
    def mounts(self) -> Mounts:
        """The share that the request is beneath, or all of them where it is about the collection of these."""
        mounts: Mounts = self._environ.get(MOUNTS, ())
        return mounts

    def require_no_share(self, segments: tuple[str, ...]) -> None:
        """Raise ShareIsFixed where segments, with or without a mount, are those of the top of a share."""
        if any(segments in (one.outer, one.inner) for one in self.mounts):
            raise ShareIsFixed(segments[-1])

    def parse_href(self, href: str) -> Target:
        """Return the place that a URL in the request names. Raises as `parse_destination`."""
        target = parse_destination(href, host=self.header("HOST"), prefix=self.prefix)
        return target._replace(segments=enter(target.segments, self.mounts)) if self.mounts else target

    def hrefs(self, path: Path) -> Hrefs:
        """Return the maker of hrefs for resources of the store and area of a path."""
        return Hrefs(self.spelling, urls.segments_of(path.root))

    def hrefs_of_errors(self, segments: tuple[str, ...], slash: bool) -> str:
        """Return the absolute path of a place that an error carries, as `Hrefs` of the table of errors."""
        return self.spelling.href(segments, slash=slash)

    def property_context(
        self,
        store: StoreFacts | None = None,
        facets: Facts = NO_FACTS,
        spelling: Spelling | None = None,
        free_bytes: Callable[[], int] | None = None,
        rights: Mapping[int, Rights] | None = None,
    ) -> PropertyContext:
        """Return the context of the properties in the answer; store is None outside of all stores.

        rights are the asker's by node; of the store of another they are none unless they are given.
        """
        if rights is None and store is not None and not owns(self.context.asker, store.owner):
            rights = {}
        context = self.context
        services = context.services
        return PropertyContext(
            context.principal,
            store,
            facets,
            context.now_us,
            spelling or self.spelling,
            free_bytes or services.blobs.free_bytes,
            services.functions,
            self._list_devices,
            self._find_profiles,
            self.shown,
            self._list_members,
            rights,
        )

    def _list_devices(self) -> Sequence[DeviceFacts]:
        return enrolling.list_active(self.context.services.database, self.principal)

    def _list_members(self) -> Members:
        if self._members is None:
            self._members = grouping.list_members(self.context.services, self.principal)
        return self._members

    def _find_profiles(self) -> Profiles:
        return Profiles.of(self.context)

    def part_href(self, place: PartPath) -> str:
        """Return the absolute path and the query of a part of a message."""
        return self.spelling.href(urls.segments_of(place.path), slash=False) + part_query(place.number)

    @property
    def with_slash(self) -> str:
        """The URL that a collection has, whichever way it was asked for (RFC 4918 §5.2)."""
        return self.spelling.href(self.target.segments, slash=True)

    def located(self, *, is_collection: bool | int) -> list[tuple[str, str]]:
        """Return the headers that give the URL of a collection that was asked for without its slash (RFC 4918 §5.2)."""
        return [("Content-Location", self.with_slash)] if is_collection and not self.target.slash else []

    @property
    def destination(self) -> Path:
        """The destination of COPY and MOVE (RFC 4918 §10.3).

        Raises:
            Malformed: no Destination, one that cannot be read, or another sub-resource than a part.
            ForeignDestination: no place that the asker may know of, whether it is mapped or not.
            ShareIsFixed: the top of a share.
            PartIsImmutable: a part, whether it is there or not.
        """
        value = self.header("DESTINATION")
        if value is None:
            raise Malformed("no Destination")
        target = self.parse_href(value)
        self.require_no_share(target.segments)
        is_sub, part = names_sub_resource(target.query), urls.find_part(target)
        if is_sub and part is None:
            raise Malformed("a Destination that is a sub-resource")
        path = urls.find_path(target.segments)
        if path is None or (not is_owner(self.principal, path) if self.store is None else path.store != self.store):
            raise ForeignDestination("not in this store")
        if part is not None:
            raise PartIsImmutable("a Destination that is a part")
        return path

    @property
    def store(self) -> str | None:
        """The owner of the store that the request is about; None: it is about no store."""
        place = self.place.path if isinstance(self.place, AddPath | PartPath) else self.place
        return place.store if isinstance(place, Path) else None

    @property
    def destination_place(self) -> Place:
        """The destination of a MOVE outside of stores. Raises as `destination`, but for parts."""
        value = self.header("DESTINATION")
        if value is None:
            raise Malformed("no Destination")
        place = find_place(self.parse_href(value), self.principal)
        if place is None:
            raise ForeignDestination("nothing that the asker may know of")
        return place

    @property
    def view(self) -> View:
        """The view in which the asker lists. Raises SyncRefused, SyncDeferred: the gate does not let it."""
        return view_of(self._environ)

    def shown(self) -> View:
        """Return the view that the asker is shown, for a sync token. Raises Unavailable: there are no rules."""
        return shown_to(self._environ)

    def explain(self) -> list[Explanation]:
        """Return what the gate would decide about devices of the asker."""
        return explain(self._environ)

    def check_transfer(self, destination: Path, *, is_deep: bool) -> None:
        """Raise SyncRefused for a COPY or MOVE that brings a folder into the view of a device, see `sync_gate`."""
        check_transfer(self._environ, destination, is_deep=is_deep)

    def find_place(self, href: str) -> Place | None:
        """Return the place that an href names, if it is on this server and the asker may know of it."""
        target = self._find_target(href)
        return None if target is None else find_place(target, self.principal)

    def find_principal(self, href: str) -> NamedPrincipal | PrincipalName | None:
        """Return the principal that an href names, there or not; None: it is the URL of none on this server."""
        target = self._find_target(href)
        return None if target is None or target.query else urls.find_principal(target.segments)

    def _find_target(self, href: str) -> Target | None:
        try:
            return self.parse_href(href)
        except (ForeignDestination, Malformed):
            return None

    def header(self, name: str) -> str | None:
        """Return a header by its name in CGI's spelling, `IF_MATCH`; None when it was not sent."""
        value: str | None = self._environ.get(f"HTTP_{name}")
        return value

    def depth(self, *, default: int | None = None) -> int | None:
        """Return 0, 1, or None for infinity (RFC 4918 §10.2). Raises Malformed."""
        return parse_depth(self.header("DEPTH"), default=default)

    @property
    def prefer(self) -> Prefer:
        """The preferences of the client (RFC 7240, RFC 8144)."""
        return parse_prefer(self.header("PREFER"))

    @property
    def conditions(self) -> Preconditions:
        """All conditions (RFC 9110 §13, RFC 4918 §10.4). Raises Malformed: an `If` that cannot be read."""
        environ = self._environ
        if environ.keys().isdisjoint(_CONDITIONS):
            return NONE
        return Preconditions(
            if_match=parse_etags(self.header("IF_MATCH")),
            if_none_match=parse_etags(self.header("IF_NONE_MATCH")),
            if_modified_since=parse_http_date(self.header("IF_MODIFIED_SINCE")),
            if_unmodified_since=parse_http_date(self.header("IF_UNMODIFIED_SINCE")),
            if_lists=self._if_lists(),
        )

    @property
    def if_alone(self) -> Preconditions:
        """The `If` lists alone: methods that select no representation know no other conditions. Raises Malformed."""
        return NONE if self.header("IF") is None else Preconditions(if_lists=self._if_lists())

    def _if_lists(self) -> tuple[IfList, ...] | None:
        value = self.header("IF")
        if value is None and self.method == "PUT" and self.header("LOCK_TOKEN") is not None:
            # Word 2016 submits the token of its lock in Lock-Token; it is a token, no condition.
            value = f"(<{parse_lock_token(self.header('LOCK_TOKEN'))}>) (Not <DAV:no-lock>)"
        if value is None:
            return None
        place = self.place.path if isinstance(self.place, AddPath) else self.place
        here = place if isinstance(place, Path | PartPath) else None
        return tuple(
            IfList(here if tag is None else self._tagged(tag), conditions) for tag, conditions in if_header.parse(value)
        )

    def _tagged(self, tag: str) -> Path | PartPath | None:
        """Return the place in a store that a resource tag names; None when it is elsewhere or nowhere."""
        try:
            target = self.parse_href(tag)
        except (ForeignDestination, Malformed):
            return None
        found = urls.find_part(target) if names_sub_resource(target.query) else urls.find_path(target.segments)
        path = found.path if isinstance(found, PartPath) else found
        return found if path is not None else None

    @property
    def content_type(self) -> str | None:
        """The media type of the body as it was sent, None without one."""
        value: str | None = self._environ.get("CONTENT_TYPE")
        return value

    @property
    def content_length(self) -> int | None:
        """The length of the body, None when it is chunked. Raises Malformed, TooLarge."""
        return content_length(self._environ)

    @property
    def body(self) -> Source:
        """The body as a stream."""
        source: Source = self._environ["wsgi.input"]
        return source

    @property
    def has_xml(self) -> bool:
        """Whether the body says that it is XML."""
        return (self.content_type or "").partition(";")[0].strip().lower() in _XML_TYPES

    def read_xml(self) -> bytes:
        """Return the body, an XML document or nothing. Raises TooLarge, Malformed."""
        return read_xml(self._environ)

    def read_report(self) -> ReportQuery:
        """Return the query of a REPORT, whose body the gate has read, where there is one. Raises as `reports.parse`."""
        query: ReportQuery | None = self._environ.get(QUERY)
        if query is not None:
            return query
        return reports.parse(self.read_xml(), self.depth(default=0), without=self.offer.reports_without)

    def refuse_body(self) -> None:
        """Raise UnsupportedMediaType when there is a body, for which there is no definition (RFC 4918 §8.4)."""
        length = self.content_length
        if length or (length is None and self.body.read(1)):
            raise UnsupportedMediaType("a body that the method does not define")
