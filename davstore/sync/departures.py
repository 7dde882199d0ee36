"""URLs that ceased to name something: each once, at the highest place where it did (RFC 6578 §3.5.2)."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from davstore.metadata import changes
from davstore.metadata.changes import Former
from davstore.metadata.listings import NO_LIMIT
from davstore.model.changes import Key, Level, Removed
from davstore.model.visibility import Hides
from davstore.sync.inquiry import Inquiry
from davstore.sync.runs import Departed, Due
from davstore.sync.scopes import Span
from davstore.sync.visibility import Part, Visibility

Names = tuple[str, ...]


@dataclass(slots=True)
class Url:
    """The past of a URL that was closed: its last death, and the collections that it named."""

    died: int = 0
    mapped: int = 0
    is_collection: int = 0
    is_known: bool = False  # a device may know that it named something
    live: int | None = None
    live_parent: int = 0  # the same, if its members are in sight
    former: list[Span] = field(default_factory=list)

    def add(self, row: Former, died: int, see: Visibility) -> None:
        """Add a time in which it named something."""
        self.died = max(self.died, died)
        if row.mapped >= self.mapped:
            self.mapped, self.is_collection = row.mapped, row.is_coll
        if row.live is not None and not see.hides(row.live):
            self.live = row.live
            self.live_parent = 0 if see.closes(row.live) else row.live


Urls = defaultdict[int, defaultdict[Names, Url]]
"""By the number of their names: what a URL adds lies one level below it, so a level is whole when it is judged."""


def removed(asked: Inquiry) -> Iterator[Due]:
    """Yield the URLs that are gone since the run began, in the order of keys, after the position."""
    start = asked.start
    if start.base < asked.facts.seq:
        rows = sorted((row for row in list_removed(asked) if row[0] > start.key), key=lambda row: row[0])
        for number, some in itertools.groupby(rows, key=lambda row: row[0][0]):
            yield Due(number, iter([Departed(list(some))]))


def list_removed(asked: Inquiry) -> list[tuple[Key, Removed]]:
    """Return every URL that is gone and has a parent that is there, with its key."""
    urls: Urls = defaultdict(lambda: defaultdict(Url))
    _seed(asked, urls)
    rows: list[tuple[Key, Removed]] = []
    top = len(asked.scope.names)
    depth = top + 1
    while depth <= max(urls, default=0):  # a level may be empty and the next not
        for names, url in urls[depth].items():
            if not url.is_known:
                continue
            if url.live is None:
                parent = names[top:-1]
                row = Removed(names[:-1], names[-1], url.is_collection)
                rows.append(((url.died, len(parent) << 56 | _hash(parent), url.mapped), row))
            elif asked.level is Level.INFINITE:
                expand(asked, urls, names, url.former, live=url.live_parent, died=url.died)
        depth += 1
    return rows


def _seed(asked: Inquiry, urls: Urls) -> None:
    """Begin with closed bindings in collections that are there, and with the former collections of the scope's URL."""
    scope = asked.scope
    one = scope.node_id if asked.level is Level.ONE else None
    rows = changes.list_gone(asked.unit, asked.facts, after=asked.start.base, parent_id=one)
    asked.ancestry.locate(row.parent_id for row in rows)
    for row in rows:
        parent = asked.ancestry.find(row.parent_id)
        if parent is not None and parent.fresh < row.unmapped:
            _add(
                asked,
                urls,
                (*parent.names, row.name),
                row,
                Part(parent.fresh, row.unmapped, row.unmapped),
                row.unmapped,
            )
    _seed_hidden(asked, urls)
    expand(asked, urls, scope.names, scope.former, live=scope.node_id, died=scope.died)


def expand(asked: Inquiry, urls: Urls, names: Names, former: list[Span], *, live: int, died: int) -> None:
    """Add the members of a URL's former collections: the URL lives again, so each is reported by itself."""
    for span in former:
        rows = changes.list_former_members(
            asked.unit,
            asked.facts.id,
            span.node_id,
            after=max(span.since, asked.start.base),
            before=span.until,
            live_parent=live,
            hidden=asked.see.hidden,
        )
        for row in rows:
            _add(asked, urls, (*names, row.name), row, Part(span.since, span.until, span.ended), died)


def _seed_hidden(asked: Inquiry, urls: Urls) -> None:
    """Add the URLs in collections that are there whose nodes went out of sight, wholly or beneath them."""
    hidden = asked.see.list_hidden(asked.start.base)
    if not hidden:
        return
    rows = changes.list_bound(asked.unit, asked.facts, hidden)
    asked.ancestry.locate(row.parent_id for row in rows)
    for row in rows:
        parent, ended = asked.ancestry.find(row.parent_id), hidden[row.node_id]
        if parent is None or ended < parent.fresh:
            continue
        if asked.level is Level.INFINITE or row.parent_id == asked.scope.node_id:
            former = Former(*row[:5], ended + 1, row.node_id)
            _add(asked, urls, (*parent.names, row.name), former, Part(parent.fresh, ended + 1, NO_LIMIT), ended)


def _add(asked: Inquiry, urls: Urls, names: Names, row: Former, time: Part, died: int) -> None:
    """Add a binding of the past to a URL, cut to the time of the collection above and to when the asker saw it.

    All count for the last death of the URL. A device knows of those that ended behind the base of the run.
    """
    since, until = max(row.mapped, time.since), min(row.unmapped, time.until)
    if since >= until:
        return
    url = urls[len(names)][names]
    url.add(row, died, asked.see)
    whole = Part(since, until, row.unmapped if row.unmapped < time.until else time.ended)
    inside = [Span(row.node_id, *part) for part in _known(asked, row, whole, Hides.MEMBERS)] if row.is_coll else []
    url.former += inside
    url.is_known = url.is_known or bool(inside) or bool(_known(asked, row, whole, Hides.RESOURCE))


def _known(asked: Inquiry, row: Former, whole: Part, hides: Hides) -> list[Part]:
    """Return the parts of a time of which a device may know, and does not know that they ended.

    It can know no name that came into sight behind all that it has: to one who does not see everything it is not told.
    """
    start, see = asked.start, asked.see
    last = NO_LIMIT if see.is_whole else max(start.number, start.base)
    parts = see.cut(row.node_id, whole, hides)
    return [part for part in parts if start.base < part.ended < NO_LIMIT and part.since <= last]


def _hash(names: Names) -> int:
    return int.from_bytes(hashlib.blake2b("/".join(names).encode(), digest_size=7).digest())
