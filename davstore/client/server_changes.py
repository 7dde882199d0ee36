"""Make, move and delete on the server, each on the condition that the resource is still as the plan saw it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from davstore.client.exit_status import Changed
from davstore.client.missing import miss
from davstore.client.plan import Action
from davstore.client.remote import Failed, RemoteCollection
from davstore.client.state import State
from davstore.client.states import apply, as_change, combine
from davstore.client.tree import REMOTE_FOLDER, Local, Remote, Trees, parent_of
from davstore.protocol.dav import names

WILL_NOT_MOVE = (403, 501)
"""Statuses of a refused MOVE that PUT and DELETE replace; those of a changed resource (`Changed`) are, too."""
FOREIGN_DESTINATION = 502
ACROSS_HOSTS = (
    "moved files were sent again, because the server answers MOVE with 502: it takes its own address for another "
    "host's. If it is behind a proxy, set server.trusted_proxies there"
)
HOLDS_MORE = "{}: stays on the server and comes back here, because it may hold what this device is not shown"

Record = Callable[[], None]
"""Records the outcome of an action."""


class ServerChanges:
    """The actions of one plan after the other. record writes down that both sides agree on a path.

    guards are the sync tokens of folders that may go or move as a whole; one is of no use any more when this device
    itself changed something beneath. is_foreign: the server takes its own address for another host's. stays: folders
    that were deleted here and may hold what this device is not shown.
    """

    def __init__(
        self,
        trees: Trees,
        state: State,
        remote: RemoteCollection,
        guards: dict[str, str],
        record: Callable[[str, Local, Remote], None],
    ) -> None:
        self._trees, self._state, self._remote, self._guards = trees, state, remote, guards
        self._record = record
        self.is_foreign = False
        self.stays: set[str] = set()

    def spoil(self, path: str) -> None:
        """Drop the guards above path, which this device changed: their condition would fail because of that."""
        while path:
            if self._guards.pop(path, None) is not None:
                self._trees.apart.add(path)
            path = parent_of(path)

    def make(self, action: Action) -> Record:
        try:
            self._remote.make(action.path)
        except Changed as change:
            if not self._remote.is_folder(action.path):  # one that is there is as good, and may not be shown
                if not (change.status in (405, 409) and self._trees.narrowed):
                    raise
                return partial(miss, self._trees, self._state, action.path, change, is_new=True)

        def record() -> None:
            self.spoil(action.path)
            self._record(action.path, self._trees.local.rows[action.path], REMOTE_FOLDER._replace(own=True))

        return record

    def _move(self, action: Action, *, folder: bool, etag: str | None = None, token: str | None = None) -> bool:
        """Move on the server and return whether it did; else members are moved one by one, and files sent anew."""
        if self.is_foreign:
            return False
        try:
            self._remote.move(action.path, action.other, folder=folder, etag=etag, token=token)
        except Changed:
            return False
        except Failed as failure:
            if failure.status == FOREIGN_DESTINATION:
                self.is_foreign = True
            elif failure.status not in WILL_NOT_MOVE:
                raise
            return False
        return True

    def move_tree(self, action: Action) -> Record:
        source, target = action.path, action.other
        guard = self._guards.get(source)
        moved = guard is not None and self._move(action, folder=True, token=guard)

        def record() -> None:
            if not moved:
                self._trees.apart.add(source)
                return
            for place in (source, target):
                self.spoil(place)
            self._state.move(source, target)
            self._state.move_remote(source, target)

        return record

    def move_file(self, action: Action) -> Record:
        source, target = action.path, action.other
        entry = self._trees.remote.rows[source]
        moved = self._move(action, folder=False, etag=entry.etag)

        def record() -> None:
            if not moved:
                self._trees.apart.add(source)
                self._state.wishes.put(target, combine(as_change(entry.states), self._state.wishes.find(target)))
                self._state.wishes.carry(source, target)
                return
            for place in (source, target):
                self.spoil(place)
            self._state.wishes.carry(source, target)
            self._state.drop_remote(source)
            self._state.forget(source)
            self._record(target, self._trees.local.rows[target], entry._replace(own=True))

        return record

    def send_states(self, action: Action) -> Record:
        path, change = action.path, self._trees.wishes[action.path]
        self._remote.change_states(path, change)

        def record() -> None:
            entry = self._trees.remote.rows[path]
            states = apply(entry.states, change)
            self._state.put_remote(path, entry._replace(states=states))
            self._state.wishes.settle(path, states)

        return record

    def delete(self, action: Action) -> Record:
        entry = self._trees.remote.rows[action.path]
        stays: set[str] = set()
        if not entry.folder:
            self._remote.delete(action.path, folder=False, etag=entry.etag)
        elif self._trees.narrowed or not self._delete_guarded(action.path):
            stays = self._delete_piecemeal(action.path)

        def record() -> None:
            self.spoil(action.path)
            self.stays |= stays & {action.path}
            with self._state.transaction():
                for path in reversed(list(self._trees.remote.walk(action.path))):
                    if path not in stays:
                        self._state.drop_remote(path)
                    if path not in self._trees.local.rows:
                        self._state.forget(path)
                    elif path in stays:  # a file is here in the place of the folder
                        self._state.forget_agreements(path)

        return record

    def _delete_guarded(self, top: str) -> bool:
        """Remove a tree if it is unchanged and not too large for one request; return whether it was."""
        guard = self._guards.get(top)
        if guard is None:
            return False
        try:
            self._remote.delete(top, folder=True, token=guard)
        except Changed:
            return False
        except Failed as failure:
            if names.TREE_WITHIN_LIMITS not in failure.conditions:
                raise
            return False
        return True

    def _delete_piecemeal(self, top: str) -> set[str]:
        """Remove a tree file by file, each as it was agreed, and the folders that are then empty.

        Return the folders that stay, because the server may have more in them than it shows to this device.
        """
        stays: set[str] = set()
        for path in reversed(list(self._trees.remote.walk(top))):
            entry = self._trees.remote.rows[path]
            if self._trees.is_outside(path):
                stays.add(parent_of(path))
                continue
            if not entry.folder:
                self._remote.delete(path, folder=False, etag=entry.etag)
                continue
            token = None if path in stays else self._remote.find_empty(path)
            if token is None and self._trees.computed and not self._remote.is_folder(path):
                continue  # it went with its last message
            if token is not None:
                self._remote.delete(path, folder=True, token=token or None)
            elif self._trees.narrowed:
                stays |= {path, parent_of(path)}
            else:
                raise Changed(f"{path} is not empty on the server")
        return stays
