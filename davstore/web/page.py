"""The page of a collection: from one store call's value to HTML."""

from __future__ import annotations

from typing import Final, NamedTuple

from davstore.model.messages import MessageSummary
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.pages import Sort
from davstore.model.paths import Area, Path
from davstore.policy.quota import charged_bytes
from davstore.protocol import urls
from davstore.protocol.dav.hrefs import encode_segment
from davstore.protocol.http.dates import render_iso_date
from davstore.store.browsing import Page
from davstore.web.letters import Letter, letter_of
from davstore.web.ordering import Ordering
from davstore.web.templates import STYLE, load_template
from davstore.web.words import ContentKind, arrange, kind_of, media_type, render_name, render_size

PREVIEWED_BYTES: Final = 2 << 20
"""Up to this size a page shows the picture itself: a browser loads those in sight, a dozen or two at once."""
PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"})
"""Raster images: they can hold no script, and every browser knows them."""
_COLUMNS: Final = ((Sort.NAME, "Name"), (None, "Kind"), (Sort.SIZE, "Size"), (Sort.TIME, "Changed (UTC)"))
_WITH_MESSAGES: Final = (*_COLUMNS[:-1], (Sort.TIME, "Date (UTC)"))

_TEMPLATE: Final = load_template("page.html")


class Column(NamedTuple):
    """The head of a column: where it leads, and the direction that the rows are sorted in by it."""

    title: str
    href: str | None
    direction: str | None


class Row(NamedTuple):
    """A member as it is shown; a message has the date it says, and where it is a letter is shown as one."""

    href: str
    name: str
    letter: Letter | None
    kind: ContentKind
    media_type: str
    has_preview: bool
    size: str
    length_bytes: int | None
    time: str


class Crumb(NamedTuple):
    """A collection on the way from the store's root to the page."""

    href: str
    name: str


def render_page(page: Page, ordering: Ordering, way: tuple[str, ...]) -> bytes:
    """Return the HTML of a page of a collection. All references in it are relative: it does not know its prefix.

    way holds the names of the collections on the way to it, and its own.

    Members that fit on one page are arranged for people; of several pages each goes on where the one before ended.
    """
    members = page.members
    if ordering.after is None and page.more is None:
        times = {node_id: message.date_us for node_id, message in page.messages.items()}
        members = arrange(members, ordering.sort, descending=ordering.descending, times=times)
    folders = sum(1 for member in members if member.is_collection)
    more = page.more and ordering._replace(after=page.more)
    html = _TEMPLATE.render(
        style=STYLE,
        crumbs=_crumbs(way),
        has_messages=bool(page.messages),
        columns=[_column(sort, title, ordering) for sort, title in (_WITH_MESSAGES if page.messages else _COLUMNS)],
        rows=[_row(member, page.messages.get(member.node_id)) for member in members],
        first=None if ordering.after is None else ordering._replace(after=None).query,
        more=more and more.query,
        summary=", ".join(_count(folders, "folder") + _count(len(members) - folders, "file")),
        facts=page.facts,
        conversations=_conversations(page.facts, page.top) if page.is_own else None,
        room=_room(page.facts) if page.is_own else None,
    )
    return html.encode()


def refer(start: Path, end: Path) -> str:
    """Return the reference from a collection to another one, both in stores, that holds behind any prefix."""
    up, down = urls.segments_of(start), urls.segments_of(end)
    return "../" * (len(up) - len(urls.HOME)) + "".join([f"{encode_segment(one)}/" for one in down[len(urls.HOME) :]])


def _crumbs(way: tuple[str, ...]) -> list[Crumb]:
    up = len(way) - 1
    return [Crumb("../" * (up - i) or "./", render_name(name)) for i, name in enumerate(way)]


def _conversations(facts: StoreFacts, top: Resource) -> str | None:
    return refer(facts.at(top.names), Path(facts.owner, (), Area.THREADS)) if facts.may_hold_threads else None


def _column(sort: Sort | None, title: str, ordering: Ordering) -> Column:
    if sort is None:
        return Column(title, None, None)
    direction = "descending" if ordering.descending else "ascending"
    return Column(title, ordering.sorted_by(sort).query, direction if sort is ordering.sort else None)


def _row(member: Resource, message: MessageSummary | None) -> Row:
    name = media_type(member)
    length = member.length or 0
    return Row(
        href=f"./{encode_segment(member.name)}{'/' if member.is_collection else ''}",
        name=render_name(member.name),
        letter=message and letter_of(member, message),
        kind=kind_of(member),
        media_type=name,
        has_preview=name in PICTURES and 0 < length <= PREVIEWED_BYTES,
        size="" if member.is_collection else render_size(length),
        length_bytes=None if member.is_collection else length,
        time=render_iso_date((message.date_us if message else member.modified_us) // 1_000_000),
    )


def _count(number: int, word: str) -> list[str]:
    return [f"{number:,} {word}{'' if number == 1 else 's'}"] if number else []


def _room(facts: StoreFacts) -> str:
    used = render_size(charged_bytes(facts.used_bytes, facts.entries))
    return f"{used} used" if facts.quota_bytes is None else f"{used} of {render_size(facts.quota_bytes)} used"
