"""Read a multistatus as it arrives (RFC 4918 §13, RFC 6578 §3): a report may have 100,000 rows.

The parser trusts the server no more than the server trusts us: no entities, no DOCTYPE, nothing fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lxml import etree

from davstore.client.states import FLAG_OF, NO_STATES, SET, States
from davstore.client.titles import Title
from davstore.errors import Malformed
from davstore.model.threads import Participant, find_participants
from davstore.protocol.dav import names
from davstore.protocol.dav.xml import PARSER_OPTIONS

RESPONSE = "{DAV:}response"
MULTISTATUS = "{DAV:}multistatus"
_OF_STATES = frozenset({*FLAG_OF, names.KEYWORDS})
FAILED_DEPENDENCY = 424
"""Of properties that could have been changed, but for others (RFC 4918 §9.2.1)."""


class Counts(NamedTuple):
    """The facts of a thread: messages, unread ones, the newest date (RFC 3339) and an id of the conversation, or ''."""

    messages: int
    unread: int
    last: str
    conversation_id: str


class Row(NamedTuple):
    """One `D:response`. status is 0 where properties are given instead. conditions are the children of `D:error`.

    etag, length, resource_id and sync_token are '' or 0 where the server did not give them. refused is the status of
    properties that could not be changed (RFC 4918 §9.2.1), 0 when all could. title is None where none was
    asked for, or given.
    """

    href: str
    status: int
    conditions: frozenset[str]
    folder: bool
    etag: str
    length: int
    resource_id: str
    sync_token: str
    states: States
    refused: int
    is_thread: bool
    title: Title | None
    counts: Counts | None = None


class Report(NamedTuple):
    """A whole answer: its rows in order and the sync token, '' when there was none.

    narrowed: a policy or preferences left rows out. list_only: they ask for no bodies to be taken.
    """

    rows: list[Row]
    token: str
    narrowed: bool
    list_only: bool = False


def build_parser(tags: tuple[str, ...]) -> etree.XMLPullParser:
    """Return a parser that gives the ends of elements with these tags."""
    return etree.XMLPullParser(events=("end",), tag=tags, **PARSER_OPTIONS)


def read_report(chunks: Iterable[bytes]) -> Report:
    """Return the answer whose bytes arrive in chunks. Raises Malformed for anything but one whole multistatus."""
    rows: list[Row] = []
    token, narrowed, list_only, whole = "", False, False, False
    for element in _read_elements(chunks):
        if element.tag == RESPONSE:
            rows.append(_row(element))
            _release(element)
        elif element.tag == names.SYNC_TOKEN:
            above = element.getparent()
            if above is not None and above.tag == MULTISTATUS:
                token = (element.text or "").strip()
        elif element.tag == names.SYNC_POLICY_APPLIED:
            narrowed, list_only = True, element.find(names.LIST_ONLY) is not None
        else:
            whole = element.getparent() is None
    if not whole:
        raise Malformed("the answer is no multistatus")
    return Report(rows, token, narrowed, list_only)


def _read_elements(chunks: Iterable[bytes]) -> Iterator[etree._Element]:
    parser = build_parser((RESPONSE, names.SYNC_TOKEN, names.SYNC_POLICY_APPLIED, MULTISTATUS))
    try:
        for chunk in chunks:
            parser.feed(chunk)
            yield from _ended(parser)
        parser.close()
        yield from _ended(parser)
    except etree.XMLSyntaxError as cause:
        raise Malformed(f"the answer is not well-formed XML: {cause.msg}") from cause


def _ended(parser: etree.XMLPullParser) -> Iterator[etree._Element]:
    for _, element in parser.read_events():
        if not isinstance(element, etree._Element) or element.getroottree().docinfo.doctype:  # type: ignore[attr-defined]
            raise Malformed("the answer has a DOCTYPE")
        yield element


def _release(element: etree._Element) -> None:
    """Free the elements that were read: the tree must not grow with the response."""
    element.clear()
    above = element.getparent()
    while above is not None and element.getprevious() is not None:
        del above[0]


def _row(response: etree._Element) -> Row:
    error = response.find("{DAV:}error")
    found: dict[str, etree._Element] = {}
    refused = 0
    for propstat in response.iterfind("{DAV:}propstat"):
        prop, status = propstat.find(names.PROP), _status(propstat)
        if status not in (0, 200):
            refused = status if refused in (0, FAILED_DEPENDENCY) else refused
        elif prop is not None:
            found.update({str(child.tag): child for child in prop})
    kind, identity = found.get(names.RESOURCETYPE), found.get(names.RESOURCE_ID)
    length = _text(found.get(names.GETCONTENTLENGTH))
    return Row(
        href=_text(response.find("{DAV:}href")),
        status=_status(response),
        conditions=frozenset(str(child.tag) for child in error) if error is not None else frozenset(),
        folder=kind is not None and kind.find(names.COLLECTION) is not None,
        etag=_text(found.get(names.GETETAG)),
        length=int(length) if length.isascii() and length.isdigit() else 0,
        resource_id=_text(identity.find("{DAV:}href")) if identity is not None else "",
        sync_token=_text(found.get(names.SYNC_TOKEN)),
        states=_states(found),
        refused=refused,
        is_thread=_is_thread(kind, found.get(names.SUPPORTED_LIVE_PROPERTY_SET)),
        title=_title(found),
        counts=_counts(found),
    )


def _is_thread(kind: etree._Element | None, live: etree._Element | None) -> bool:
    return (kind is not None and kind.find(names.THREAD) is not None) or (
        live is not None and live.find(f".//{names.OF_THREADS[0]}") is not None
    )


def _counts(found: dict[str, etree._Element]) -> Counts | None:
    messages, unread, last, conversation_id = (_text(found.get(name)) for name in names.OF_THREADS)
    is_known = all(word.isascii() and word.isdigit() for word in (messages, unread))
    return Counts(int(messages), int(unread), last, conversation_id) if is_known else None


def _title(found: dict[str, etree._Element]) -> Title | None:
    """Return the facts for a name: a message has a date, and a thread participants."""
    people = found.get(names.PARTICIPANTS)
    if people is not None:
        named = tuple(Participant(one.get("comm-addr", ""), one.get("name", "")) for one in people)
        return Title("", named, "", is_sent=False)
    at, by, subject, way = (_text(found.get(name)) for name in names.OF_TITLES)
    return Title(at, tuple(find_participants([by])), subject, is_sent=way == "sent") if at else None


def _states(found: dict[str, etree._Element]) -> States:
    if _OF_STATES.isdisjoint(found):
        return NO_STATES
    flags = sum(flag for name, flag in FLAG_OF.items() if _text(found.get(name)) == SET)
    words = [names.split(str(child.tag)) for child in found.get(names.KEYWORDS, ())]
    keywords = frozenset(word for namespace, word in words if namespace == names.KEYWORD)
    return States(flags, keywords)


def _text(element: etree._Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _status(element: etree._Element) -> int:
    words = _text(element.find("{DAV:}status")).split()
    return int(words[1]) if len(words) > 1 and words[1].isascii() and words[1].isdigit() else 0
