"""A device that keeps the threads of a store in step, and is compared with a fresh listing of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from davstore.errors import InvalidSyncToken
from davstore.model.changes import Changes, Level, Removed, SyncToken
from davstore.model.facets import PROPERTIES, THREAD, Facts
from davstore.model.nodes import Resource
from davstore.model.paths import Area, Path
from davstore.store import reading, syncing
from tests.contract.storage import Storage
from tests.contract.sync_model import Disagreement, Url

Shown = tuple[object, ...]
"""What a device knows of a URL: entity tag, flags and dead properties of a message, counts of a thread."""
FACETS = frozenset({PROPERTIES, THREAD})


@dataclass
class ThreadsMirror:
    """A client of sync-collection on the root of the threads; nothing of it knows how threads are made."""

    level: Level
    token: SyncToken | None = None
    mirror: dict[Url, Shown] = field(default_factory=dict)

    def page(self, storage: Storage, limit: int | None) -> bool:
        """Ask for one page; True when the device is complete, and then its mirror was that of a fresh listing."""
        root = Path(storage.owner, (), Area.THREADS)
        context = storage.context
        try:
            changes = syncing.changes_since(context, root, self.token, level=self.level, limit=limit, facets=FACETS)
        except InvalidSyncToken:
            self.token, self.mirror = None, {}
            return False
        self._take(changes)
        if changes.truncated:
            return False
        self._compare(storage, root)
        again = syncing.changes_since(storage.context, root, self.token, level=self.level, limit=1)
        if again.rows:
            raise Disagreement(f"threads: {again.rows} told again, and nothing changed")
        return True

    def _take(self, changes: Changes) -> None:
        names = [row.names for row in changes.rows]
        if len({*names}) < len(names):
            raise Disagreement(f"threads: a URL twice on a page: {names}")
        for row in changes.rows:
            if isinstance(row, Removed):
                for url in [one for one in self.mirror if one[: len(row.names)] == row.names]:
                    del self.mirror[url]
            else:
                self.mirror[row.names] = _shown(changes.facets, row)
        self.token = changes.token

    def _compare(self, storage: Storage, root: Path) -> None:
        depth = 1 if self.level is Level.ONE else None
        fresh = {}
        for page in reading.describe(storage.context, root, depth=depth, facets=FACETS):
            fresh |= {one.names: _shown(page.facets, one) for one in page.members}
        if fresh != self.mirror:
            wrong = {url: (self.mirror.get(url), fresh.get(url)) for url in {*fresh, *self.mirror}}
            differing = {url: both for url, both in wrong.items() if both[0] != both[1]}
            raise Disagreement(f"threads: the mirror and a fresh listing differ: {differing}")


def _shown(facets: Facts, row: Resource) -> Shown:
    properties = facets.of(PROPERTIES).get(row.node_id)
    told = tuple(sorted((properties or {}).items()))
    return (row.etag, row.flags, told, facets.of(THREAD).get(row.node_id))
