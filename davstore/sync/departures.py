"""URLs that ceased to name something: each once, at the highest place where it did (RFC 6578 §3.5.2)."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from davstore.metadata import changes
from davstore.metadata.changes import Former
from davstore.model.changes import Key, Level, Removed
from davstore.sync.inquiry import Inquiry
from davstore.sync.runs import Departed, Due
from davstore.sync.scopes import Span

Names = tuple[str, ...]


@dataclass(slots=True)
class Url:
    """The past of a URL that was closed: its last death, and the collections that it named."""

    died: int = 0
    mapped: int = 0
    is_collection: int = 0
    live: int | None = None
    former: list[Span] = field(default_factory=list)

    def add(self, row: Former, spans: list[Span], died: int) -> None:
        """Add a time in which it named something."""
        self.died = max(self.died, died)
        if row.mapped >= self.mapped:
            self.mapped, self.is_collection = row.mapped, row.is_coll
        self.live = row.live
        if row.is_coll:
            self.former += spans


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
            if url.live is None:
                parent = names[top:-1]
                row = Removed(names[:-1], names[-1], url.is_collection)
                rows.append(((url.died, len(parent) << 56 | _hash(parent), url.mapped), row))
            elif asked.level is Level.INFINITE:
                expand(asked, urls, names, url.former, live=url.live, died=url.died)
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
            spans = _seen(asked, row, parent.fresh, row.unmapped)
            if spans:
                urls[len(parent.names) + 1][(*parent.names, row.name)].add(row, spans, row.unmapped)
    expand(asked, urls, scope.names, scope.former, live=scope.node_id, died=scope.died)


def expand(asked: Inquiry, urls: Urls, names: Names, former: list[Span], *, live: int, died: int) -> None:
    """Add the members of a URL's former collections: the URL lives again, so each is reported by itself."""
    base = asked.start.base
    for span in former:
        rows = changes.list_former_members(
            asked.unit,
            asked.facts.id,
            span.node_id,
            after=max(span.since, base),
            before=span.until,
            live_parent=live,
        )
        for row in rows:
            spans = [part for part in _seen(asked, row, span.since, span.until) if part.until > base]
            if spans:
                urls[len(names) + 1][(*names, row.name)].add(row, spans, died)


def _seen(asked: Inquiry, row: Former, since: int, until: int) -> list[Span]:
    """Return when a name meant a node, cut to the time of the collection above and to when the asker saw it."""
    since, until = max(row.mapped, since), min(row.unmapped, until)
    if since >= until:
        return []
    return [Span(row.node_id, *part) for part in asked.see.spans(row.node_id, since, until)]


def _hash(names: Names) -> int:
    return int.from_bytes(hashlib.blake2b("/".join(names).encode(), digest_size=7).digest())
