"""The body of REPORT (RFC 3253 §3.6): of sync-collection (RFC 6578 §3.2, §6), expand-property (§3.8), and our own.

Those of the reports on principals are in `principal_reports`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from lxml import etree

from davstore.errors import Malformed, TooLarge, UnsupportedFilter, UnsupportedReport
from davstore.model.changes import Level
from davstore.model.histories import Before, ContentAsked
from davstore.model.views import EVERYTHING, View
from davstore.protocol.dav import access_report, names, operations, principal_reports, prop, where, xml
from davstore.protocol.dav.access_report import AccessQuery
from davstore.protocol.dav.durations import parse_duration
from davstore.protocol.dav.elements import ROOT_NAMESPACES, empty
from davstore.protocol.dav.principal_reports import MatchQuery, PrincipalsQuery, SearchableQuery, SearchQuery
from davstore.protocol.http import sync_context
from davstore.protocol.http.sync_context import SyncContext
from davstore.protocol.http.timestamps import parse_timestamp

_COUNT: Final = re.compile(r"0*([1-9][0-9]*)")
_ID: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
MAX_CONTENT_BYTES: Final = 1 << 20
"""The longest body that an answer holds beside properties: each can be fetched by itself."""
MAX_LEVELS: Final = 8
"""Levels of properties within properties that an expand-property report may ask for."""
MAX_DEVICES: Final = 100
"""Devices that an explain-sync report may name."""
MAX_IDS: Final = 1_000
"""Ids that a resolve report may name."""
_MAX_LIMIT: Final = 10**9
"""Larger limits count as this one: no page is as long."""


class SyncQuery(NamedTuple):
    """The query of a sync-collection report. `token` is text, '' for the first sync; `limit` None for no limit.

    `context` is the twin of the Sync-Context header and wins over it; None when the body has none. `view` is that
    of its filter.
    """

    token: str
    level: Level
    limit: int | None
    names: tuple[str, ...]
    context: SyncContext | None = None
    view: View = EVERYTHING


class Asked(NamedTuple):
    """A property that is asked for, and the properties of each resource that its value leads to."""

    name: str
    nested: tuple[Asked, ...] = ()


class ExpandQuery(NamedTuple):
    """The query of an expand-property report; is_deep: it is for the members too."""

    properties: tuple[Asked, ...]
    is_deep: bool = False
    context: SyncContext | None = None
    token: None = None


class ExplainQuery(NamedTuple):
    """The query of an explain-sync report: the hrefs of devices, none for all; at_us is a time, None for now."""

    devices: tuple[str, ...]
    context: SyncContext
    at_us: int | None = None
    token: None = None


class HistoryQuery(NamedTuple):
    """The query of a conversation-history report: a page of at most limit messages before a time, None for the newest.

    conversation_id is None where the body has none, content where the bytes of messages are not asked for. begun is the
    sync token that the first page gave, as text, '' on that: what came later is not on a page.
    """

    conversation_id: str | None
    begun: str
    before: Before | None
    limit: int | None
    names: tuple[str, ...]
    content: ContentAsked | None = None
    context: SyncContext | None = None
    token: None = None


class MultigetQuery(NamedTuple):
    """The query of a multiget report: texts of hrefs, and the properties and bytes of resources that are asked for."""

    hrefs: tuple[str, ...]
    names: tuple[str, ...]
    content: ContentAsked | None = None
    context: SyncContext | None = None
    token: None = None


class ResolveQuery(NamedTuple):
    """The query of a resolve report: ids of conversations, and of resources as UUIDs in lower case."""

    conversations: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...]
    context: SyncContext | None = None
    token: None = None


ReportQuery = (
    SyncQuery
    | ExpandQuery
    | ExplainQuery
    | HistoryQuery
    | MultigetQuery
    | ResolveQuery
    | PrincipalsQuery
    | MatchQuery
    | SearchQuery
    | SearchableQuery
    | AccessQuery
)
"""The query of any report. The gate reads `token` (None: counted as a listing) and `context` of each."""


def parse(
    body: bytes, depth: int | None, *, strict_depth: bool = False, without: frozenset[str] = frozenset()
) -> ReportQuery:
    """Return the query of a report. depth is the Depth header's, 0 if missing, None for infinity.

    RFC 6578 §3.2 asks for Depth 0. A well-known library sends 1, as drafts of the RFC did for the sync-level: that
    counts as 0 unless strict_depth. without names the reports of functions that are switched off.

    Raises:
        UnsupportedReport: a report that this server does not have.
        Malformed, ExternalEntities, TooLarge: see `xml.parse`; a depth that may not be; not exactly one sync-token,
            sync-level and prop; a level or limit that is none.
        UnsupportedFilter: its filter is none that this server knows; the whole would look like that part.
    """
    read = _usual if len(body) <= xml.USUAL_BYTES else _parse
    return read(body, depth, strict_depth, without)


def _parse(body: bytes, depth: int | None, strict_depth: bool, without: frozenset[str]) -> ReportQuery:
    root = xml.parse(body)
    if root is None:
        raise Malformed("a REPORT without a body")
    read = _REPORTS.get(str(root.tag))
    if read is None or root.tag in without:
        raise UnsupportedReport(f"report {root.tag}")
    return read(root, depth, strict_depth)


_usual = lru_cache(maxsize=256)(_parse)


def _sync_collection(root: etree._Element, depth: int | None, strict_depth: bool) -> SyncQuery:
    if depth != 0 and (strict_depth or depth != 1):
        raise Malformed("sync-collection with a Depth other than 0")
    return SyncQuery(
        token=_text(prop.only_child(root, names.SYNC_TOKEN)),
        level=_level(_text(prop.only_child(root, names.SYNC_LEVEL))),
        limit=_limit(root),
        names=prop.names(prop.only_child(root, names.PROP)),
        context=_context(root),
        view=_filter(root),
    )


def _filter(root: etree._Element) -> View:
    found = list(root.iterchildren(names.FILTER))
    if not found:
        return EVERYTHING
    tags = [str(child.tag) for child in found[0]]
    if len(found) > 1 or not tags or len({*tags}) < len(tags) or not {*tags} <= {names.WHERE, names.MAX_AGE}:
        raise UnsupportedFilter("a filter without a where or a max-age, each once")
    view = EVERYTHING
    for child in found[0]:
        view = view.narrowed(View(where.parse(child)) if child.tag == names.WHERE else View(None, _age(child)))
    return view


def _age(element: etree._Element) -> int:
    seconds = None if len(element) else parse_duration(element.text or "")
    if seconds is None:
        raise UnsupportedFilter("a max-age that is no duration like P30D")
    return seconds


def _expand_property(root: etree._Element, depth: int | None, _strict_depth: bool) -> ExpandQuery:
    found: list[str] = []
    properties = _asked([root], found, MAX_LEVELS)
    prop.require_few(found)
    _require_names(found)
    return ExpandQuery(properties, depth != 0, _context(root))


def _explain_sync(root: etree._Element, depth: int | None, _strict_depth: bool) -> ExplainQuery:
    if depth != 0:
        raise Malformed("explain-sync with a Depth other than 0")
    hrefs = [href for device in root.iterchildren(names.DEVICE) for href in device.iterchildren(names.HREF)]
    if len(hrefs) > MAX_DEVICES:
        raise TooLarge(f"more than {MAX_DEVICES} devices")
    at = prop.first_child(root, names.AT)
    at_us = None if at is None else parse_timestamp(_text(at))
    if at is not None and at_us is None:
        raise Malformed("a time of explain-sync is not as RFC 3339 has it")
    return ExplainQuery(tuple(map(_text, hrefs)), _context(root) or SyncContext(), at_us)


def _conversation_history(root: etree._Element, depth: int | None, _strict_depth: bool) -> HistoryQuery:
    if depth != 0:
        raise Malformed("conversation-history with a Depth other than 0")
    conversation, begun, before = (
        prop.first_child(root, name) for name in (names.CONVERSATION_ID, names.SYNC_TOKEN, names.BEFORE)
    )
    asked = prop.only_child(root, names.PROP)
    return HistoryQuery(
        conversation_id=None if conversation is None else _text(conversation),
        begun="" if begun is None else _text(begun),
        before=None if before is None else _before(before),
        limit=_limit(root),
        names=_names_of(asked),
        content=_content(prop.first_child(asked, names.CONTENT)),
        context=_context(root),
    )


def _multiget(root: etree._Element, _depth: int | None, _strict_depth: bool) -> MultigetQuery:
    asked, hrefs = prop.only_child(root, names.PROP), operations.hrefs_of(root)
    if not hrefs:
        raise Malformed("multiget without an href")
    return MultigetQuery(hrefs, _names_of(asked), _content(prop.first_child(asked, names.CONTENT)), _context(root))


def _names_of(asked: etree._Element) -> tuple[str, ...]:
    return tuple([name for name in prop.names(asked) if name != names.CONTENT])


def _before(element: etree._Element) -> Before:
    time_us, tie = parse_timestamp(_text(element)), element.get("tie")
    if time_us is None:
        raise Malformed("a before that is no time as RFC 3339 has it")
    if tie is not None and not _ID.fullmatch(tie):
        raise Malformed("a before with a tie that is none of an answer")
    return Before(time_us, None if tie is None else int(tie))


def _content(element: etree._Element | None) -> ContentAsked | None:
    if element is None:
        return None
    most, encoding = element.get("max-size", str(MAX_CONTENT_BYTES)), element.get("encoding", "auto")
    if not _ID.fullmatch(most) or encoding not in ("auto", "utf-8", "base64"):
        raise Malformed("a content with a size or an encoding that is none")
    return ContentAsked(min(int(most), MAX_CONTENT_BYTES), encoding)


def _resolve(root: etree._Element, _depth: int | None, _strict_depth: bool) -> ResolveQuery:
    conversations = [_text(one) for one in root.iterchildren(names.CONVERSATION_ID)]
    resources = [_text(href) for one in root.iterchildren(names.RESOURCE_ID) for href in one.iterchildren(names.HREF)]
    if not conversations and not resources:
        raise Malformed("resolve without a conversation-id or a resource-id")
    if len(conversations) + len(resources) > MAX_IDS:
        raise TooLarge(f"more than {MAX_IDS} ids")
    found = prop.first_child(root, names.PROP)
    uuids = [one.lower().removeprefix("urn:uuid:") for one in resources]
    asked_for = () if found is None else prop.names(found)
    return ResolveQuery(tuple(conversations), tuple(uuids), asked_for, _context(root))


def _asked(parents: Iterable[etree._Element], found: list[str], levels: int) -> tuple[Asked, ...]:
    """Return the properties of a level, each once with all that is nested in it, and add their names to found."""
    nested: dict[str, list[etree._Element]] = {}
    for one in (child for parent in parents for child in parent.iterchildren(names.PROPERTY)):
        name = names.clark(one.get("namespace", names.DAV), one.get("name", ""))
        if len(name.encode()) > names.MAX_PROPERTY_NAME_BYTES:
            raise Malformed("a property name is longer than 255 bytes")
        nested.setdefault(name, []).append(one)
    if nested and not levels:
        raise TooLarge("more levels of properties than may be expanded")
    found += nested
    return tuple([Asked(name, _asked(elements, found, levels - 1)) for name, elements in nested.items()])


def _require_names(found: list[str]) -> None:
    """Raise Malformed unless each name is that of an element: the answer holds it as one, and it came as text."""
    document = b"<D:prop%b>%b</D:prop>" % (ROOT_NAMESPACES, b"".join(map(empty, found)))
    root = xml.parse(document)
    if root is None or [child.tag for child in root] != found or any(len(child) for child in root):
        raise Malformed("a name that no property has")


_REPORTS: Final[dict[str, Callable[[etree._Element, int | None, bool], ReportQuery]]] = {
    names.SYNC_COLLECTION: _sync_collection,
    names.EXPAND_PROPERTY: _expand_property,
    names.EXPLAIN_SYNC: _explain_sync,
    names.CONVERSATION_HISTORY: _conversation_history,
    names.MULTIGET: _multiget,
    names.RESOLVE: _resolve,
    names.EXPLAIN_ACCESS: access_report.read,
    names.ACL_PRINCIPAL_PROP_SET: principal_reports.read_principals,
    names.PRINCIPAL_MATCH: principal_reports.read_match,
    names.PRINCIPAL_PROPERTY_SEARCH: principal_reports.read_search,
    names.PRINCIPAL_SEARCH_PROPERTY_SET: principal_reports.read_searchable,
}
"""What reads the body of each report, by its root element."""


def _text(element: etree._Element) -> str:
    if len(element):
        raise Malformed(f"{element.tag} holds text only")
    return (element.text or "").strip(" \t\r\n")


def _level(text: str) -> Level:
    try:
        return Level(text)
    except ValueError as cause:
        raise Malformed("a sync-level other than 1 and infinite") from cause


def _limit(root: etree._Element) -> int | None:
    if prop.first_child(root, names.LIMIT) is None:
        return None
    text = _text(prop.only_child(prop.only_child(root, names.LIMIT), names.NRESULTS))
    match = _COUNT.fullmatch(text)
    if match is None:
        raise Malformed("nresults is not a positive number")
    digits = match[1]
    return min(int(digits), _MAX_LIMIT) if len(digits) <= 10 else _MAX_LIMIT


def _context(root: etree._Element) -> SyncContext | None:
    context = prop.first_child(root, names.CONTEXT)
    if context is None:
        return None
    mode, bearer = (prop.first_child(context, name) for name in (names.MODE, names.BEARER))
    return sync_context.build(
        mode=None if mode is None else _text(mode),
        bearer=None if bearer is None else _text(bearer),
    )
