"""Carry a plan out: several things at a time, each of them safe to be cut off anywhere.

A thread takes a few actions, does their work and returns functions that record the outcomes; the calling thread runs
these in one transaction, so the trees and the state have one writer. Paths of actions that no longer fit (Changed) or
failed (NotDone, OSError) are held back until the next run; only a Stop ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from itertools import groupby, islice
from typing import TypeVar

from davstore.client.conflicts import conflict_path
from davstore.client.dry_run import move_subtree
from davstore.client.exit_status import NOT_TRANSFERRED, Changed, NotDone, Stop
from davstore.client.folder import Folder
from davstore.client.looking import find_present
from davstore.client.plan import Action, Verb
from davstore.client.remote import REQUESTS_AT_ONCE, Failed, RemoteCollection
from davstore.client.server_changes import ACROSS_HOSTS, HOLDS_MORE, Record, ServerChanges
from davstore.client.state import State
from davstore.client.titles import COMPUTED
from davstore.client.transfers import Transfers
from davstore.client.tree import Agreed, Local, Remote, Trees, is_covered, join, name_of, parent_of
from davstore.protocol.dav import names

DOWNLOADS_AT_ONCE = 4
"""Downloads are mostly work of this process: more threads hand the interpreter's lock to each other more than they
work. Uploads wait for the server's disk."""
BATCH = 16
"""Small actions that one thread takes at a time, and one transaction records."""
BATCH_BYTES = 1024 * 1024

ONLY_HERE = "{}: deleted here only, because the server does not show it to this device"

Outcome = Record | Exception | None
Done = tuple[Action, Outcome]
Given = TypeVar("Given")


class Executor:
    """Carries plans out on one trees.

    failures: why a path was not brought in step. kept: the files that were kept twice.
    """

    def __init__(
        self,
        trees: Trees,
        state: State,
        folder: Folder,
        remote: RemoteCollection,
        *,
        device: str,
        now: Callable[[], datetime],
        guards: dict[str, str],
        done: Callable[[Action], None],
        moved: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Take both sides and the state. done gets each finished action; moved, in any thread, counts of bytes."""
        self._trees, self._state, self._folder, self._remote = trees, state, folder, remote
        self._device, self._now, self._done = device, now, done
        self._moved, self._only_here = moved, set[str]()
        self._there = ServerChanges(trees, state, remote, guards, self._record)
        self._stop: Stop | None = None
        self._transfers = Transfers(
            trees, state, folder, remote, passed=self._pass, record=self._record, set_aside=self._set_aside, done=done
        )
        self.failures: dict[str, str] = {}
        self.kept: list[str] = []
        self._work: dict[Verb, Callable[[Action], Record]] = {
            Verb.AGREE: self._agree,
            Verb.FORGET: lambda action: lambda: self._forget(action.path),
            Verb.MOVE_TREE: self._there.move_tree,
            Verb.MAKE_LOCAL: self._make_local,
            Verb.MAKE_REMOTE: self._there.make,
            Verb.MOVE_LOCAL: self._move_local,
            Verb.MOVE_REMOTE: self._there.move_file,
            Verb.DELETE_LOCAL: self._delete_local,
            Verb.LEAVE: self._delete_local,
            Verb.DELETE_REMOTE: self._there.delete,
            Verb.SET_ASIDE: lambda action: self._set_aside(action.path, action.other),
            Verb.DOWNLOAD: self._transfers.download,
            Verb.UPLOAD: self._transfers.upload,
            Verb.COMPARE: self._transfers.compare,
            Verb.SEND_STATES: self._there.send_states,
        }

    def perform(self, actions: Iterable[Action]) -> None:
        """Carry out one plan. Makes go from the top down, level by level; everything else in any order."""
        self._transfers.sweep_parts()
        for _, level in groupby(self._look_again(list(actions)), key=_level):
            self._perform_together(list(level))

    @property
    def advice(self) -> list[str]:
        """Folders that could not go, and hints for the operator of the server."""
        stays = [HOLDS_MORE.format(path) for path in sorted(self._there.stays) if path]
        stays += [ONLY_HERE.format(path) for path in sorted(self._only_here)]
        return stays + ([ACROSS_HOSTS] if self._there.is_foreign else [])

    def measure(self, actions: Iterable[Action]) -> int:
        """Return how many bytes a plan has to move, as far as is known."""
        return sum(map(self._weigh, actions))

    def _weigh(self, action: Action) -> int:
        if action.verb is Verb.UPLOAD:
            return self._trees.local.rows[action.path].stamp.size
        return self._trees.remote.rows[action.path].length if action.verb in (Verb.DOWNLOAD, Verb.COMPARE) else 0

    def _look_again(self, actions: list[Action]) -> list[Action]:
        """Hold back deletions on the server of files that are in the folder after all: they moved during the scan."""
        doomed = [action for action in actions if action.verb is Verb.DELETE_REMOTE]
        if not doomed:
            return actions
        present = find_present(self._folder, self._trees, [action.path for action in doomed])
        for action in doomed:
            if action.path in present:
                self._hold(action, "it was moved during the run")
        return [action for action in actions if action.verb is not Verb.DELETE_REMOTE or action.path not in present]

    def _prepare(self, action: Action) -> Action:
        """Choose the local names that the action will need; only this thread may."""
        if action.verb in (Verb.SET_ASIDE, Verb.COMPARE):
            path, spelling = action.path, self._folder.spelling
            name = spelling.local_name(path) if self._trees.computed else name_of(path)
            aside = conflict_path(join(parent_of(path), name), self._device, self._now(), self._is_taken)
            action = action._replace(other=aside)
        if action.verb in (Verb.MAKE_LOCAL, Verb.DOWNLOAD):
            self._folder.spelling.assign(action.path)
        if action.verb in (Verb.MOVE_LOCAL, Verb.SET_ASIDE, Verb.COMPARE):
            self._folder.spelling.assign(action.other)
        if action.verb in (Verb.MOVE_LOCAL, Verb.DELETE_LOCAL, Verb.LEAVE, Verb.DOWNLOAD):
            self._unsettle(action.path)
        if action.verb in (Verb.DOWNLOAD, Verb.COMPARE):
            self._transfers.remember_part(action.path)
        return action

    def _unsettle(self, path: str) -> None:
        """Record that this run, and not a person, is about to change the local file at path.

        If the run ends before the outcome is recorded, and the server meanwhile gets its old content (and tag) back,
        the change made by this run must not count as a local edit or deletion.
        """
        with self._state.transaction():
            for inner in self._trees.agreed.walk(path):
                agreed = self._trees.agreed.rows[inner]
                if not agreed.folder and agreed.etag:
                    self._state.agree(inner, agreed._replace(etag=""))

    def _is_taken(self, path: str) -> bool:
        trees = self._trees
        known = (trees.local.rows, trees.remote.rows, trees.agreed.rows, trees.taken)
        return any(path in paths for paths in known) or self._folder.spelling.is_taken(path)

    def _perform_together(self, actions: list[Action]) -> None:
        if all(action.verb in (Verb.AGREE, Verb.FORGET) for action in actions):
            with self._state.transaction():
                for action in actions:
                    self._work[action.verb](action)()
            return
        comes = any(action.verb in (Verb.DOWNLOAD, Verb.COMPARE) for action in actions)
        at_once = DOWNLOADS_AT_ONCE if comes else REQUESTS_AT_ONCE
        batches = self._batches(actions)
        running: set[Future[list[Done]]] = set()
        with ThreadPoolExecutor(at_once) as pool:
            try:
                while True:
                    fresh = [] if self._stop else list(islice(batches, 2 * at_once - len(running)))
                    with self._state.transaction():
                        prepared = [[self._prepare(action) for action in batch] for batch in fresh]
                    running |= {pool.submit(self._work_through, batch) for batch in prepared}
                    if not running:
                        break
                    running = self._settle_some(running)
            except BaseException:
                self._stop = self._stop or Stop(NOT_TRANSFERRED, "interrupted")
                while running:
                    running = self._settle_some(running)
                raise
        if self._stop is not None:
            raise self._stop

    def _batches(self, actions: list[Action]) -> Iterator[list[Action]]:
        """Yield the actions for one thread, some small ones or one large one, so that every thread has work."""
        batch: list[Action] = []
        size, most = 0, max(1, min(BATCH, len(actions) // REQUESTS_AT_ONCE))
        for action in actions:
            batch.append(action)
            size += self._weigh(action)
            if len(batch) >= most or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _work_through(self, batch: list[Action]) -> list[Done]:
        """Do the work of a batch in a thread. Files that came into a folder are on the disk when this returns."""
        done = [(action, _try(self._start, action)) for action in batch]
        came = {parent_of(action.path) for action, _ in done if action.verb in (Verb.DOWNLOAD, Verb.COMPARE)}
        lost = {path: error for path in came if (error := _try(self._folder.flush, path)) is not None}
        return [
            (action, lost.get(parent_of(action.path), outcome) if callable(outcome) else outcome)
            for action, outcome in done
        ]

    def _start(self, action: Action) -> Record:
        if self._stop is not None:
            raise Changed("the run ends")
        return self._work[action.verb](action)

    def _settle_some(self, running: set[Future[list[Done]]]) -> set[Future[list[Done]]]:
        """Wait for a batch, record the outcomes of all finished ones, and return the others."""
        done, rest = wait(running, return_when=FIRST_COMPLETED)
        with self._state.transaction():
            for action, outcome in (pair for future in done for pair in future.result()):
                self._settle(action, outcome)
        return rest

    def _settle(self, action: Action, outcome: Outcome) -> None:
        try:
            if isinstance(outcome, Exception):
                raise outcome
            if outcome is not None:
                outcome()
        except Stop as stop:
            self._stop = self._stop or stop
        except Changed as change:
            self._hold(action, f"it changed during the run ({change})")
        except (NotDone, OSError) as error:
            self._hold(action, str(error))
            if isinstance(error, Failed) and names.THREAD_MEMBERSHIP_IS_COMPUTED in error.conditions:
                self._state.set_fact(COMPUTED, "")
        else:
            self._state.parts.drop(action.path)
            if action.verb is Verb.UPLOAD:
                self._there.spoil(action.path)
            if not self._was_refused(action):
                self._done(action)
        self._transfers.settle_part(action.path)

    def _was_refused(self, action: Action) -> bool:
        """Tell whether the server refused a move, which a transfer has to replace, or a name that it has already."""
        if action.verb in (Verb.UPLOAD, Verb.MAKE_REMOTE):
            return action.path not in self._trees.agreed.rows
        return action.verb in (Verb.MOVE_TREE, Verb.MOVE_REMOTE) and action.path in self._trees.remote.rows

    def _hold(self, action: Action, reason: str) -> None:
        self.failures[action.path] = reason
        self._trees.held.add(action.path)
        if action.verb in (Verb.MOVE_LOCAL, Verb.MOVE_REMOTE, Verb.MOVE_TREE):
            self._trees.held.add(action.other)

    def _pass(self, count: int) -> None:
        """Count bytes transferred, in any thread. Raises Changed when the run ends."""
        self._moved(count)
        if self._stop is not None:
            raise Changed("the run ends")

    # Agreements

    def _record(self, path: str, local: Local, remote: Remote) -> None:
        self._trees.local.put(path, local)
        if self._trees.remote.get(path) != remote:
            self._state.put_remote(path, remote)
        self._state.agree(
            path, Agreed(local.folder, remote.etag, local.digest, local.stamp, local.hashed_ns, remote.resource_id)
        )

    def _agree(self, action: Action) -> Record:
        path = action.path
        return lambda: self._record(path, self._trees.local.rows[path], self._trees.remote.rows[path])

    def _forget(self, path: str) -> None:
        for gone in self._trees.agreed.walk(path):
            remote = self._trees.remote.get(gone)
            is_own = remote is not None and remote.own and gone not in self._trees.local.rows
            if is_own and not is_covered(gone, self._only_here):
                self._only_here.add(gone)
        self._state.forget(path)
        self._state.drop_remote(path)

    # Folders

    def _make_local(self, action: Action) -> Record:
        made = self._folder.make(action.path)
        return lambda: self._record(action.path, made, self._trees.remote.rows[action.path])

    # Files that move here

    def _move_local(self, action: Action) -> Record:
        source, target = action.path, action.other
        moved = self._folder.rename(source, target, self._trees.local.rows[source])

        def record() -> None:
            self._trees.local.drop(source)
            self._folder.spelling.release(source)
            self._state.wishes.carry(source, target)
            self._state.forget(source)
            self._record(target, moved, self._trees.remote.rows[target])

        return record

    def _set_aside(self, path: str, aside: str) -> Record:
        moved = self._folder.rename(path, aside, self._trees.local.rows[path])

        def record() -> None:
            self._folder.spelling.release(path)
            move_subtree(self._trees.local, path, aside)
            self._trees.local.put(aside, moved)
            self.kept.append(path)

        return record

    # Deletions

    def _delete_local(self, action: Action) -> Record:
        """Remove files that are as they were seen; changed ones stay, and so do the folders above them."""
        gone: list[str] = []
        problem: Exception | None = None
        for path in reversed(list(self._trees.local.walk(action.path))):
            try:
                self._folder.remove(path, self._trees.local.rows[path])
                gone.append(path)
            except (Changed, OSError) as error:
                problem = problem or error

        def record() -> None:
            with self._state.transaction():
                for path in gone:
                    self._trees.local.drop(path)
                    self._folder.spelling.release(path)
                    if path not in self._trees.remote.rows or self._trees.is_outside(path):
                        self._forget(path)
            if problem is not None:
                raise problem

        return record


def _try(work: Callable[[Given], Outcome], given: Given) -> Outcome:
    try:
        return work(given)
    except (Stop, Changed, NotDone, OSError) as error:
        return error


def _level(action: Action) -> tuple[Verb, int] | None:
    """Return the group of actions that may run together: only the making of folders has an order."""
    if action.verb in (Verb.MAKE_LOCAL, Verb.MAKE_REMOTE):
        return Verb.MAKE_LOCAL, action.path.count("/")
    return None
