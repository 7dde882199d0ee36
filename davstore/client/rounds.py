"""One run of the device: rounds of look, ask, plan and do, until both sides are the same.

A round asks the server once, so that a policy that counts rounds sees one poll where nothing came in between. Before
that it takes the sync tokens of folders that are missing here: a folder is deleted on the server only on the condition
that nothing in it changed since then (RFC 6578 §5), and what had changed before that is in the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from davstore.client.conflicts import conflict_path
from davstore.client.executor import Executor
from davstore.client.folder import Folder
from davstore.client.plan import Action, find_mass_deletion, plan
from davstore.client.pull import Pull
from davstore.client.rehearsal import copy_view, rehearse
from davstore.client.remote import Remote
from davstore.client.scan import Scan, refresh, scan
from davstore.client.state import State
from davstore.client.stops import IN_STEP, NOT_TRANSFERRED, SAFETY, Stop
from davstore.client.tree import View, parent_of

MAX_ROUNDS = 10
MAX_SETBACKS = 2
"""So often a folder that changes under its guard is tried again before it is deleted file by file."""


def _silent(_: object) -> None:
    pass


@dataclass
class Run:
    """What a run is given.

    say takes a line for a person, tell each action done, begin the actions of each plan and how many bytes they move,
    moved the bytes that went, in any thread.
    """

    state: State
    folder: Folder
    remote: Remote
    device: str
    force: bool = False
    now: Callable[[], datetime] = lambda: datetime.now().astimezone()
    say: Callable[[str], None] = _silent
    tell: Callable[[Action], None] = _silent
    begin: Callable[[list[Action], int], None] = lambda _actions, _bytes: None
    moved: Callable[[int], None] = _silent
    _said: set[str] = field(default_factory=set, init=False)
    _apart: set[str] = field(default_factory=set, init=False)
    _setbacks: Counter[str] = field(default_factory=Counter, init=False)

    def synchronise(self) -> int:
        """Bring both sides in step and return the exit status.

        Raises:
            Stop: the run cannot go on; what was done is done and remembered.
        """
        for _ in range(MAX_ROUNDS):
            again, problems = self._round()
            if not again:
                break
        else:
            problems += 1
            self._complain("", "the two sides kept changing: run again")
        return NOT_TRANSFERRED if problems else IN_STEP

    def rehearse(self) -> list[Action]:
        """Return what a run would do, and do nothing. Give it a state that may be thrown away."""
        view, _ = self._view(clean=False)
        self._check_losses(view)
        now = self.now()

        def aside(path: str) -> str:
            return conflict_path(path, self.device, now, lambda other: other in view.local.rows)

        return list(rehearse(copy_view(view), aside))

    def _round(self) -> tuple[bool, int]:
        """Make one round. Tell whether another is needed, and how much could not be done."""
        view, problems = self._view(clean=True)
        self._check_losses(view)
        executor = Executor(
            view,
            self.state,
            self.folder,
            self.remote,
            device=self.device,
            now=self.now,
            guards=self._guards,
            tell=self.tell,
            moved=self.moved,
        )
        while actions := plan(view):
            self.begin(actions, executor.measure(actions))
            executor.perform(actions)
        for path in view.held & self._guards.keys():
            self._setbacks[path] += 1
        for path, reason in executor.failures.items():
            self._complain(path, reason)
        return executor.again, problems + len(executor.failures)

    def _view(self, *, clean: bool) -> tuple[View, int]:
        """Look at both sides. Return them with the number of places that cannot be synchronised."""
        self.folder.check_root(self.state, write=clean)
        self.folder.probe(self.state, write=clean)
        seen = scan(self.folder, self.state, clean=clean) if clean or self.folder.root.exists() else Scan()
        self._guards = self._take_guards(seen)
        pull = Pull(self.state, self.remote, self.say)
        pull.run()
        refresh(self.state, seen.local)
        unfit, replaced = self._sort_unfit(seen.unfit)
        skipped = {**pull.skipped, **seen.skipped, **replaced}
        for path, reason in skipped.items():
            self._complain(path, f"left out: {reason}")
        self._tell_once(unfit)
        held = {*skipped, *unfit}
        return View(self.state.agreed, seen.local, self.state.remote, held, self._apart), len(skipped)

    def _sort_unfit(self, unfit: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Part links and special files that nobody misses from those in the place of what is synchronised."""
        known = (self.state.agreed.rows, self.state.remote.rows)
        replaced = {path: reason for path, reason in unfit.items() if any(path in rows for rows in known)}
        return {path: reason for path, reason in unfit.items() if path not in replaced}, replaced

    def _tell_once(self, unfit: dict[str, str]) -> None:
        """Tell what is never synchronised, once for as long as it stays: it is no failure."""
        for path, reason in unfit.items():
            if self.state.told.get(path) != reason:
                self._complain(path, f"left out: {reason}")
        self.state.set_told(unfit)

    def _take_guards(self, seen: Scan) -> dict[str, str]:
        """Return the sync tokens of folders that were agreed about and are missing here, or are somewhere else."""
        scope = self.state.find_scope("")
        if scope is None or not scope.infinite:
            return {}
        inodes = {entry.stamp.inode for path, entry in seen.local.rows.items() if path not in self.state.agreed.rows}
        guards = {}
        for path, entry in self.state.agreed.rows.items():
            local = seen.local.get(path)
            if not entry.folder or (local is not None and local.folder) or self._setbacks[path] >= MAX_SETBACKS:
                continue
            top = not parent_of(path) or parent_of(path) in seen.local.rows
            if (top or entry.stamp.inode in inodes) and (token := self.remote.find_sync_token(path)):
                guards[path] = token
        return guards

    def _check_losses(self, view: View) -> None:
        loss = None if self.force else find_mass_deletion(view)
        if loss is not None:
            raise Stop(SAFETY, f"{loss}: nothing was done. If that is meant, run with --force")

    def _complain(self, path: str, reason: str) -> None:
        line = f"{path}: {reason}" if path else reason
        if line not in self._said:
            self._said.add(line)
            self.say(line)
