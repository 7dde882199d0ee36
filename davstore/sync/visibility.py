"""The visibility of nodes to the asker of a report, now and in the past; no stage of the report asks about rights.

That a node goes out of sight is like the end of its binding, and that it comes into sight again like a MOVE that maps
it: at a change number of its own, in one place however large the tree (docs/sync.md#rights).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from davstore.model.visibility import Hidden, Hides


class Part(NamedTuple):
    """A part of a time, [since, until), in which a node was in sight; ended is the change number that tells its end."""

    since: int
    until: int
    ended: int


class Visibility:
    """The nodes that one asker sees, in one snapshot; seen is the newest number up to which it was told of anything."""

    def __init__(self, rows: Sequence[Hidden] = (), *, seen: int = 0, is_whole: bool = False) -> None:
        self.rows = list(rows)
        self.seen = seen
        self.is_whole = is_whole
        """The asker owns the store: nothing is hidden, and nothing ever was."""
        self._times: dict[Hides, defaultdict[int, list[Hidden]]] = {part: defaultdict(list) for part in Hides}
        for row in sorted(rows, key=lambda row: row.since):
            for part in (Hides.RESOURCE, Hides.MEMBERS) if row.hides == Hides.RESOURCE else (Hides.MEMBERS,):
                self._times[part][row.node_id].append(row)
        self._now = {
            part: {node_id for node_id, own in times.items() if any(row.until is None for row in own)}
            for part, times in self._times.items()
        }
        self._again = {
            part: {node_id: max(row.until or 0 for row in own) for node_id, own in times.items()}
            for part, times in self._times.items()
        }

    @property
    def hidden(self) -> set[int]:
        """The nodes that are out of sight now."""
        return self._now[Hides.RESOURCE]

    def hides(self, node_id: int) -> bool:
        """Tell whether a node, and the tree beneath it, is out of sight now."""
        return node_id in self._now[Hides.RESOURCE]

    def closes(self, node_id: int) -> bool:
        """Tell whether what lies beneath a node is out of sight now."""
        return node_id in self._now[Hides.MEMBERS]

    def shown(self, node_id: int) -> int:
        """Return the change number at which a node came into sight again; 0: it always was in sight."""
        return self._again[Hides.RESOURCE].get(node_id, 0)

    def opened(self, node_id: int) -> int:
        """Return the change number at which what lies beneath a node came into sight again."""
        return self._again[Hides.MEMBERS].get(node_id, 0)

    def cut(self, node_id: int, time: Part, hides: Hides) -> list[Part]:
        """Return the parts of a time in which a node, or what lies beneath it, was in sight."""
        found = [time]
        for row in self._times[hides].get(node_id, ()):
            found = [rest for one in found for rest in _without(one, row)]
        return found

    def list_hidden(self, after: int) -> dict[int, int]:
        """Return the nodes that, wholly or beneath them, went out of sight after a number, and when they last did."""
        return {
            node_id: newest
            for node_id, own in self._times[Hides.MEMBERS].items()
            if (newest := max(row.since for row in own)) > after
        }

    def list_shown(self, after: int, hides: Hides) -> list[tuple[int, int]]:
        """Return the numbers behind one at which nodes, or what lies beneath them, came into sight again, and these."""
        again, now = self._again[hides], self._now[hides]
        return sorted((number, node_id) for node_id, number in again.items() if number > after and node_id not in now)


EVERYTHING: Final = Visibility(is_whole=True)
"""The visibility of an owner's own store."""


def _without(part: Part, row: Hidden) -> Iterator[Part]:
    """Yield what is left of a time in sight without one out of sight."""
    since, until = row.seen + 1, part.until if row.until is None else row.until
    if part.until <= since or until <= part.since:
        yield part
        return
    if part.since < since:
        yield Part(part.since, since, min(part.ended, row.since))
    if until < part.until:
        yield Part(max(part.since, until), part.until, part.ended)
