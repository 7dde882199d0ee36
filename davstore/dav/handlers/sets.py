"""A set of members as one multipart POST (RFC 2046 §5.1): a part for each member, and a response for each part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from davstore.dav.handlers.put import read_headers
from davstore.dav.properties.sync import render_token
from davstore.dav.request import Request
from davstore.dav.responses import Response, multistatus
from davstore.engine.receiving import Incoming
from davstore.errors import DavstoreError, Malformed, NameNotAllowed, UnsupportedMediaType
from davstore.middleware.errors import find_condition, find_row
from davstore.model.conditions import NONE, Preconditions
from davstore.model.functions import Function
from davstore.model.paths import MAX_NAME_BYTES, AddPath, Path
from davstore.policy.preconditions import SECOND_US
from davstore.protocol import urls
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import text_element
from davstore.protocol.dav.hrefs import for_xml, parse_relative
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.http import put_headers
from davstore.protocol.http.headers import parse_etags
from davstore.protocol.http.multipart import Part, each_part
from davstore.protocol.http.prefer import Prefer
from davstore.protocol.http.queries import ADD_QUERY, PART
from davstore.protocol.http.slug import parse_slug
from davstore.protocol.message.transfer import decode_strictly
from davstore.store import adding_sets
from davstore.store.adding_sets import NewMember, Outcome

MOST_NAMES: Final = 32
"""Names from the collection down to a member: each may be a collection to make."""
_ENCODINGS: Final = frozenset({"7bit", "8bit", "base64", "binary", "quoted-printable"})


def handle_set(request: Request, place: AddPath) -> Response:
    """Make members of the parts of a body; each has a response, whatever became of it."""
    read_headers(request)
    prefer = Prefer(strict=request.prefer.strict)
    ids: list[str | None] = []

    def members() -> Iterator[NewMember]:
        for part in each_part(_Body(request), request.content_type or ""):
            ids.append(_id_of(part))
            yield _member_of(request, place.path, part)

    conditions = request.conditions
    added = adding_sets.add_set(request.context, place.path, members(), conditions, strict=prefer.strict)

    def write(answer: Multistatus) -> str | None:
        hrefs = _find_hrefs(request, place.path, list(zip(ids, added.outcomes, strict=True)))
        for href, part_id, outcome in zip(hrefs, ids, added.outcomes, strict=True):
            _write(request, answer, for_xml(href), part_id, outcome)
        if Function.SYNCHRONIZATION not in request.context.services.functions:
            return None
        return render_token(added.facts, place.path, request.shown(), now_us=request.context.now_us)

    return multistatus(write, prefer.applied())


class _Body:
    """The body of a request, to its end whether its length is known or not."""

    def __init__(self, request: Request) -> None:
        self._source = request.body
        self._left = request.content_length

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes. Raises Malformed: the body is shorter than its length."""
        wanted = size if self._left is None else min(size, self._left)
        piece = self._source.read(wanted) if wanted else b""
        if self._left is not None:
            if wanted and not piece:
                raise Malformed("the body is shorter than its Content-Length")
            self._left -= len(piece)
        return piece


class _Content:
    """The content of a part, without its transfer encoding, as the body of a member."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes, b'' at the end."""
        piece = self._rest or next(filter(None, self._pieces), b"")
        self._rest = piece[size:]
        return piece[:size]


def _member_of(request: Request, collection: Path, part: Part) -> NewMember:
    fields = part.fields
    path, error = None, None
    try:
        location = fields.get("content-location")
        path = None if location is None else "/".join(_names_of(request, collection, location))
        if fields.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType("a content coding")
        encoding = fields.get("content-transfer-encoding", "binary").lower()
        if encoding not in _ENCODINGS:
            raise UnsupportedMediaType("a transfer encoding")
        pieces = decode_strictly(part.content, encoding)
        sent = put_headers.parse(fields.get("content-type"), lambda name: fields.get(name.lower().replace("_", "-")))
    except DavstoreError as refusal:
        sent, pieces, error = put_headers.PutHeaders(), iter(()), refusal
    return NewMember(
        path,
        Incoming(_Content(pieces), None, sent.integrity, sent.content_type),
        parse_slug(fields.get("slug")),
        _conditions_of(part),
        None if sent.modified_seconds is None else sent.modified_seconds * SECOND_US,
        error,
    )


def _names_of(request: Request, collection: Path, location: str) -> tuple[str, ...]:
    """Return the names beneath a collection that a Content-Location leads down by. Raises NameNotAllowed."""
    if location.lstrip(" \t").startswith(("/", "http://", "https://")):
        place = request.find_place(location)
        if not isinstance(place, Path) or not collection.holds(place) or place == collection:
            raise NameNotAllowed("outside of the collection")
        found = place.names[len(collection.names) :]
    else:
        try:
            found = parse_relative(location)
        except Malformed as error:
            raise NameNotAllowed(str(error)) from error
    if len(found) > MOST_NAMES:
        raise NameNotAllowed(f"more than {MOST_NAMES} names")
    if any(len(name.encode()) > MAX_NAME_BYTES for name in found):
        raise NameNotAllowed("a name that is too long")
    return found


def _conditions_of(part: Part) -> Preconditions:
    fields = part.fields
    if fields.keys().isdisjoint(("if-match", "if-none-match")):
        return NONE
    return Preconditions(
        if_match=parse_etags(fields.get("if-match")), if_none_match=parse_etags(fields.get("if-none-match"))
    )


def _id_of(part: Part) -> str | None:
    """Return the Content-ID of a part without brackets (RFC 2392); None without one."""
    return part.fields.get("content-id", "").strip(" \t<>") or None


def _find_hrefs(request: Request, collection: Path, results: list[tuple[str | None, Outcome]]) -> list[str]:
    """Return the href of each response, each once (RFC 4918 §14.24).

    It is that of the member, or the one that it would have; where the server would have named it, and where another
    response has that, it is made of the id of the part, or of its number.
    """
    spelling = request.spelling
    segments = urls.segments_of(collection)
    add = spelling.href(segments, slash=True) + ADD_QUERY
    found: dict[str, int] = {}
    for at, (part_id, outcome) in sorted(enumerate(results), key=lambda one: one[1][1].etag is None):
        number, names = str(at + 1), () if outcome.path is None else outcome.path.split("/")
        wanted = [spelling.href((*segments, *names), slash=False)] if names else []
        wanted += [f"{add}&{PART}={quote(one, safe='@')}" for one in (part_id, number, f"{number}.") if one]
        found[next(one for one in wanted if one not in found)] = at
    return sorted(found, key=found.__getitem__)


def _write(request: Request, answer: Multistatus, href: bytes, part_id: str | None, outcome: Outcome) -> None:
    told = b"" if part_id is None else text_element(names.PART_ID, part_id)
    if outcome.etag is not None:
        answer.response(href, text_element(names.GETETAG, f'"{outcome.etag}"') + told)
    elif outcome.error is not None:
        spelling = request.spelling
        condition = find_condition(outcome.error, lambda segments, slash: spelling.href(segments, slash=slash))
        answer.refused(href, find_row(outcome.error).status, condition or b"", told)
