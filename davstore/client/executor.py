"""Carry a plan out: four things at a time, each of them safe to be cut off anywhere.

An action does its work in a thread and returns what is to be written down; that happens in the calling thread, so the
trees and the state have one writer. What the world no longer allows (Changed) and what failed (NotDone, OSError) is
held back until the next run; only a Stop ends everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import datetime
from itertools import groupby

from davstore.client.conflicts import conflict_path
from davstore.client.folder import Folder, Staged
from davstore.client.looking import find_present
from davstore.client.plan import Action, Verb, names_digest
from davstore.client.rehearsal import move_subtree
from davstore.client.remote import Remote
from davstore.client.server_changes import Record, ServerChanges
from davstore.client.state import State
from davstore.client.stops import NOT_TRANSFERRED, Changed, NotDone, Stop
from davstore.client.tree import Agreed, Local, View
from davstore.client.tree import Remote as RemoteEntry

TRANSFERS_AT_ONCE = 4


class Executor:
    """Carries plans out on one view.

    failures: why a path was not brought in step. kept: of which files there are two now.
    """

    def __init__(
        self,
        view: View,
        state: State,
        folder: Folder,
        remote: Remote,
        *,
        device: str,
        now: Callable[[], datetime],
        guards: dict[str, str],
        tell: Callable[[Action], None],
    ) -> None:
        self._view, self._state, self._folder, self._remote = view, state, folder, remote
        self._device, self._now, self._tell = device, now, tell
        self._there = ServerChanges(view, state, remote, guards, self._record)
        self._stop: Stop | None = None
        self.failures: dict[str, str] = {}
        self.kept: list[str] = []
        self._work: dict[Verb, Callable[[Action], Record]] = {
            Verb.AGREE: self._agree,
            Verb.FORGET: lambda action: lambda: self._state.forget(action.path),
            Verb.MOVE_TREE: self._there.move_tree,
            Verb.MAKE_LOCAL: self._make_local,
            Verb.MAKE_REMOTE: self._there.make,
            Verb.MOVE_LOCAL: self._move_local,
            Verb.MOVE_REMOTE: self._there.move_file,
            Verb.DELETE_LOCAL: self._delete_local,
            Verb.DELETE_REMOTE: self._there.delete,
            Verb.SET_ASIDE: self._keep_aside,
            Verb.DOWNLOAD: self._download,
            Verb.UPLOAD: self._upload,
            Verb.COMPARE: self._compare,
        }

    def perform(self, actions: Iterable[Action]) -> None:
        """Carry out one plan. Makes go from the top down, level by level; everything else in any order."""
        for _, level in groupby(self._look_again(list(actions)), key=_level):
            self._perform_together([self._prepare(action) for action in level])

    def _look_again(self, actions: list[Action]) -> list[Action]:
        """Hold back the deletions on the server of what is in the folder after all: it moved while it was looked at."""
        doomed = [action for action in actions if action.verb is Verb.DELETE_REMOTE]
        if not doomed:
            return actions
        present = find_present(self._folder, self._view, [action.path for action in doomed])
        for action in doomed:
            if action.path in present:
                self._hold(action, "it was moved during the run")
        return [action for action in actions if action.verb is not Verb.DELETE_REMOTE or action.path not in present]

    def _prepare(self, action: Action) -> Action:
        """Choose the local names that the action will need; only this thread may."""
        if action.verb in (Verb.SET_ASIDE, Verb.COMPARE):
            action = action._replace(other=conflict_path(action.path, self._device, self._now(), self._is_taken))
        if action.verb in (Verb.MAKE_LOCAL, Verb.DOWNLOAD):
            self._folder.spelling.assign(action.path)
        if action.verb in (Verb.MOVE_LOCAL, Verb.SET_ASIDE, Verb.COMPARE):
            self._folder.spelling.assign(action.other)
        if action.verb in (Verb.MOVE_LOCAL, Verb.DELETE_LOCAL, Verb.DOWNLOAD):
            self._unsettle(action.path)
        return action

    def _unsettle(self, path: str) -> None:
        """Write down that what is here is about to change without a person's doing.

        If the run ends before the outcome is written down, and the server meanwhile gets back what it had (its tag
        too), then what this run did must not pass for an edit or a deletion made here.
        """
        with self._state.transaction():
            for inner in self._view.agreed.walk(path):
                agreed = self._view.agreed.rows[inner]
                if not agreed.folder and agreed.etag:
                    self._state.agree(inner, agreed._replace(etag=""))

    def _is_taken(self, path: str) -> bool:
        trees = (self._view.local, self._view.remote, self._view.agreed)
        return any(path in tree.rows for tree in trees) or self._folder.spelling.is_taken(path)

    def _perform_together(self, actions: list[Action]) -> None:
        if all(action.verb in (Verb.AGREE, Verb.FORGET) for action in actions):
            with self._state.transaction():
                for action in actions:
                    self._work[action.verb](action)()
            return
        with ThreadPoolExecutor(TRANSFERS_AT_ONCE) as pool:
            running = {pool.submit(self._start, action): action for action in actions}
            try:
                for done in as_completed(running):
                    self._settle(running[done], done)
            except BaseException:
                self._stop = self._stop or Stop(NOT_TRANSFERRED, "interrupted")
                raise
        if self._stop is not None:
            raise self._stop

    def _start(self, action: Action) -> Record:
        if self._stop is not None:
            raise Changed("the run ends")
        return self._work[action.verb](action)

    def _settle(self, action: Action, done: Future[Record]) -> None:
        try:
            done.result()()
        except Stop as stop:
            self._stop = self._stop or stop
        except Changed as change:
            self._hold(action, f"it changed during the run ({change})")
        except (NotDone, OSError) as error:
            self._hold(action, str(error))
        else:
            self._tell(action)

    def _hold(self, action: Action, reason: str) -> None:
        self.failures[action.path] = reason
        self._view.held.add(action.path)
        if action.verb in (Verb.MOVE_LOCAL, Verb.MOVE_REMOTE, Verb.MOVE_TREE):
            self._view.held.add(action.other)

    # Agreements

    def _record(self, path: str, local: Local, remote: RemoteEntry) -> None:
        self._view.local.put(path, local)
        if self._view.remote.get(path) != remote:
            self._state.put_remote(path, remote)
        self._state.agree(
            path, Agreed(local.folder, remote.etag, local.digest, local.stamp, local.hashed_ns, remote.resource_id)
        )

    def _agree(self, action: Action) -> Record:
        path = action.path
        return lambda: self._record(path, self._view.local.rows[path], self._view.remote.rows[path])

    # Folders

    def _make_local(self, action: Action) -> Record:
        made = self._folder.make(action.path)
        return lambda: self._record(action.path, made, self._view.remote.rows[action.path])

    # Files that move here

    def _move_local(self, action: Action) -> Record:
        source, target = action.path, action.other
        moved = self._folder.rename(source, target, self._view.local.rows[source])

        def record() -> None:
            self._view.local.drop(source)
            self._folder.spelling.release(source)
            self._state.forget(source)
            self._record(target, moved, self._view.remote.rows[target])

        return record

    def _set_aside(self, path: str, aside: str) -> Record:
        moved = self._folder.rename(path, aside, self._view.local.rows[path])

        def record() -> None:
            self._folder.spelling.release(path)
            move_subtree(self._view.local, path, aside)
            self._view.local.put(aside, moved)

        return record

    def _keep_aside(self, action: Action) -> Record:
        set_aside = self._set_aside(action.path, action.other)

        def record() -> None:
            set_aside()
            self.kept.append(action.path)

        return record

    # Deletions

    def _delete_local(self, action: Action) -> Record:
        """Remove what is as it was seen; what is not stays, and so do the folders above it."""
        gone: list[str] = []
        problem: Exception | None = None
        for path in reversed(list(self._view.local.walk(action.path))):
            try:
                self._folder.remove(path, self._view.local.rows[path])
                gone.append(path)
            except (Changed, OSError) as error:
                problem = problem or error

        def record() -> None:
            with self._state.transaction():
                for path in gone:
                    self._view.local.drop(path)
                    self._folder.spelling.release(path)
                    if path not in self._view.remote.rows:
                        self._state.forget(path)
            if problem is not None:
                raise problem

        return record

    # Transfers

    def _fetch(self, path: str) -> tuple[Staged, RemoteEntry]:
        known = self._view.remote.rows[path]
        with self._remote.get(path) as (etag, chunks):
            staged = self._folder.stage(path, chunks)
        return staged, RemoteEntry(
            folder=False, etag=etag or known.etag, length=staged.size, resource_id=known.resource_id
        )

    def _download(self, action: Action) -> Record:
        path, before = action.path, self._view.local.get(action.path)
        staged = self._copy(path, action.other) if action.other else None
        remote = self._view.remote.rows[path]
        if staged is None:
            staged, remote = self._fetch(path)
        placed = self._folder.place(staged, path, before)
        return lambda: self._record(path, placed, remote)

    def _copy(self, path: str, source: str) -> Staged | None:
        """Take content from a local file that was seen to have it; None when it no longer has."""
        try:
            with self._folder.read(source, self._view.local.rows[source]) as chunks:
                staged = self._folder.stage(path, chunks)
        except (Changed, OSError, KeyError):
            return None
        if names_digest(self._view.remote.rows[path].etag, staged.digest):
            return staged
        self._folder.discard(staged)
        return None

    def _compare(self, action: Action) -> Record:
        """Fetch what the server has. If it is another content than here, both are kept."""
        path, local = action.path, self._view.local.rows[action.path]
        staged, remote = self._fetch(path)
        if staged.digest == local.digest:
            self._folder.discard(staged)
            return lambda: self._record(path, local, remote)
        try:
            set_aside = self._set_aside(path, action.other)
        except BaseException:
            self._folder.discard(staged)
            raise
        placed = self._folder.place(staged, path, None)

        def record() -> None:
            set_aside()
            self.kept.append(path)
            self._record(path, placed, remote)

        return record

    def _upload(self, action: Action) -> Record:
        path, local = action.path, self._view.local.rows[action.path]
        known = self._view.remote.get(path)
        upload = _Upload(self._folder, path, local)
        etag = self._remote.put(path, upload.open if local.stamp.size else b"", etag=known.etag if known else None)
        digest = upload.digest if local.stamp.size else local.digest
        etag = etag or self._find_tag(path, digest)
        entry = RemoteEntry(
            folder=False, etag=etag, length=local.stamp.size, resource_id=known.resource_id if known else ""
        )

        def record() -> None:
            self._there.spoil(path)
            self._record(path, local._replace(digest=digest), entry)

        return record

    def _find_tag(self, path: str, digest: str) -> str:
        """Return the entity tag of content that the server has at path: not every one tells it after a PUT."""
        found = hashlib.sha256()
        with self._remote.get(path) as (etag, chunks):
            for chunk in chunks:
                found.update(chunk)
        if not etag or found.hexdigest() != digest:
            raise Changed(f"{path} is another file on the server")
        return etag


class _Upload:
    """The body of a PUT: opened anew for each attempt, hashed on its way."""

    def __init__(self, folder: Folder, path: str, local: Local) -> None:
        self._folder, self._path, self._local = folder, path, local
        self.digest = ""

    def open(self) -> _Upload:
        """Begin from the start."""
        self._chunks = self._iterate()
        return self

    def __len__(self) -> int:
        return self._local.stamp.size

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def read(self, _size: int = -1) -> bytes:
        """Return the next chunk, b'' at the end; its size is ours to choose."""
        return next(self._chunks, b"")

    def _iterate(self) -> Iterator[bytes]:
        digest = hashlib.sha256()
        with self._folder.read(self._path, self._local) as chunks:
            for chunk in chunks:
                digest.update(chunk)
                self.digest = digest.hexdigest()
                yield chunk


def _level(action: Action) -> tuple[Verb, int] | None:
    """Return what may be done together: only the making of folders has an order."""
    if action.verb in (Verb.MAKE_LOCAL, Verb.MAKE_REMOTE):
        return Verb.MAKE_LOCAL, action.path.count("/")
    return None
