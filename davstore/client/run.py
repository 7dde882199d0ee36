"""One run of the device: look, ask once, then plan and do until both sides are the same.

The server is asked for changes once in a run, so that a policy with an interval sees one round. The device's own writes
need no second: they are known by their entity tags. A change that comes during the run is left for the next one. Before
the server is asked, the sync tokens of folders that are missing here are taken: a folder goes as a whole only on the
condition that nothing in it changed since then (RFC 6578 §5), and what had changed before that is in the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from davstore.client.conflicts import conflict_path
from davstore.client.dry_run import copy_view, rehearse
from davstore.client.executor import Executor
from davstore.client.exit_status import IN_STEP, NOT_TRANSFERRED, SAFETY, RootGone, Stop
from davstore.client.folder import Folder
from davstore.client.identity import ROOT_ID, is_other_root, list_rewound
from davstore.client.losses import find_mass_deletion
from davstore.client.marking import follow, settle
from davstore.client.outside import KEPT, list_kept
from davstore.client.patience import NOT_BEFORE, note_wait, require_patience
from davstore.client.plan import Action, Verb, list_listed, plan
from davstore.client.pull import Pull
from davstore.client.questions import is_narrowed, knows_states
from davstore.client.remote import RemoteCollection
from davstore.client.scan import Scan, refresh, scan
from davstore.client.shares import ENDED, ShareEnded, has_ended, leave, list_others, list_unchanged, note_home
from davstore.client.state import State
from davstore.client.states import States, list_words
from davstore.client.straying import MADE_BY_SERVER, adopt_placed, follow_deleted, list_unsent
from davstore.client.titles import COMPUTED
from davstore.client.tree import Trees, parent_of


def _silent(_: object) -> None:
    pass


@dataclass
class Run:
    """One run with its inputs.

    say gets a line for a person, done each finished action, begin the actions of each plan and the number of
    bytes they move, moved, in any thread, counts of bytes transferred.
    """

    state: State
    folder: Folder
    remote: RemoteCollection
    device: str
    force: bool = False
    merge: bool = False
    now: Callable[[], datetime] = lambda: datetime.now().astimezone()
    say: Callable[[str], None] = _silent
    done: Callable[[Action], None] = _silent
    begin: Callable[[list[Action], int], None] = lambda _actions, _bytes: None
    moved: Callable[[int], None] = _silent
    _skipped: dict[str, str] = field(default_factory=dict, init=False)
    _unfit: dict[str, str] = field(default_factory=dict, init=False)
    _said: set[str] = field(default_factory=set, init=False)
    _united: str = field(default="", init=False)
    _restated: dict[str, States] = field(default_factory=dict, init=False)

    def synchronise(self) -> int:
        """Bring both sides in step and return the exit status.

        Raises:
            Stop: the run cannot go on; finished actions are recorded. A share that ended ends it too (IN_STEP when
                nothing of it is kept).
        """
        try:
            trees, actions, guards = self._trees(clean=True)
        except ShareEnded as ended:
            raise leave(self.state, self.folder, ended.seen, say=self.say, done=self._done_here) from None
        counts: Counter[Verb] = Counter()

        def done(action: Action) -> None:
            counts[action.verb] += 1
            self._done_here(action)

        for action in self._taken():
            done(action)
        executor = Executor(
            trees,
            self.state,
            self.folder,
            self.remote,
            device=self.device,
            now=self.now,
            guards=guards,
            done=done,
            moved=self.moved,
        )
        while actions:
            self.begin(actions, executor.measure(actions))
            executor.perform(actions)
            actions = plan(trees)
        self._name_kept(trees)
        listed = list_listed(trees)
        if listed:
            self.say(f"{len(listed)} files are listed and not taken: the policy or your profile asks for lists only")
        for path, reason in executor.failures.items():
            self._complain(path, reason)
        for line in executor.advice:
            self._complain("", line)
        self._say_what_united(counts, len(executor.kept))
        return NOT_TRANSFERRED if self._skipped or executor.failures else IN_STEP

    def rehearse(self) -> list[Action]:
        """Return the actions of a run, and do none of them. Give it a state that may be thrown away."""
        try:
            trees, _, _ = self._trees(clean=False)
        except ShareEnded as ended:
            return self._rehearse_end(ended.seen)
        now, spelling = self.now(), self.folder.spelling

        def aside(path: str) -> str:
            return conflict_path(path, self.device, now, lambda other: other in trees.local.rows)

        actions = [*self._taken(), *rehearse(copy_view(trees), aside)]
        for action in actions:
            if action.verb in (Verb.MAKE_LOCAL, Verb.DOWNLOAD, Verb.MOVE_LOCAL):
                spelling.assign(action.other if action.verb is Verb.MOVE_LOCAL else action.path)
        return list(map(self._as_here, actions))

    def _rehearse_end(self, seen: Scan) -> list[Action]:
        gone = list_unchanged(self.state, seen)
        self.say(ENDED.format(f"{len(gone)} files would be removed", len(list_others(seen, set(gone)))))
        return [self._as_here(Action(Verb.DELETE_LOCAL, path)) for path in gone]

    def _done_here(self, action: Action) -> None:
        self.done(self._as_here(action))

    def _as_here(self, action: Action) -> Action:
        """Return an action with its paths as their names are spelled here."""
        here, is_path = self.folder.spelling.here, action.verb not in (Verb.SEND_STATES, Verb.TAKE_STATES)
        return action._replace(path=here(action.path), other=here(action.other) if is_path else action.other)

    def _taken(self) -> list[Action]:
        """Return the states that came from the server as actions, which are done already."""
        return [
            Action(Verb.TAKE_STATES, path, ", ".join(list_words(*states)) or "none")
            for path, states in sorted(self._restated.items())
        ]

    def _trees(self, *, clean: bool) -> tuple[Trees, list[Action], dict[str, str]]:
        """Look at both sides. Return them with the first actions and the sync tokens of the folders that may go."""
        if self.remote.context.mode == "automatic":
            require_patience(self.state, self.now())
        if self.force:
            self.state.forget_mounts()
        self.folder.check_root(self.state, write=clean)
        self.folder.probe(self.state, write=clean)
        seen = scan(self.folder, self.state, clean=clean) if clean or self.folder.root.exists() else Scan()
        self.state.set_mounts(seen.mounts)
        settle(self.state)
        if self.merge:
            self._unite("as asked for")
        guards = self._take_guards(seen)
        trees = self._ask(seen, guards)
        actions = plan(trees)
        if actions and is_other_root(self.state, self.remote):
            self._unite("another collection is at its URL")
            trees = self._ask(seen, guards)
            actions = plan(trees)
        self._check_losses(trees)
        for path, reason in self._skipped.items():
            self._complain(path, f"left out: {reason}")
        self._complain_once(self._unfit)
        return trees, actions, guards

    def _ask(self, seen: Scan, guards: dict[str, str]) -> Trees:
        """Ask the server what changed; unite both sides when it lost members that it reported before."""
        pull = self._pull(seen)
        self.state.drop_facts(NOT_BEFORE)
        self._restated.update(pull.restated)
        for path in list_rewound(self.state):
            self.state.wish_earlier(path)
            self.state.forget_agreements(path)
            self._united = "it may have been restored or made anew"
        self.state.drop_refused()
        is_computed = self.state.find_fact(COMPUTED) is not None
        if not is_computed:
            follow(self.state, seen.local)
        settle(self.state)
        refresh(self.state, seen.local)
        if is_computed:
            adopt_placed(self.state, seen.local)
            follow_deleted(self.state, seen.local)
        self._unfit, replaced = self._sort_unfit(seen.unfit)
        self._skipped = {**pull.skipped, **self.state.left_out, **seen.skipped, **replaced}
        held = {path for path in (*self._skipped, *self._unfit) if not path.startswith("/")}  # an href is no path
        top = self.state.find_scope("")
        token, outside = top.token if top is not None else "", self.state.outside.paths
        return Trees(
            self.state.agreed,
            seen.local,
            self.state.remote,
            held,
            self._find_apart(seen, guards),
            self.state.wishes.rows if knows_states(token) else {},
            outside,
            is_narrowed(token) or bool(outside),
            list_only=pull.list_only,
            computed=is_computed,
        )

    def _pull(self, seen: Scan) -> Pull:
        """Bring the state's copy of the server's tree up to date. Raises ShareEnded, with what is here."""
        pull = Pull(self.state, self.remote, self.say)
        try:
            pull.run()
        except Stop as stop:
            note_wait(self.state, stop, self.now())
            if isinstance(stop, RootGone) and has_ended(self.state, self.remote):
                raise ShareEnded(seen) from stop
            raise
        note_home(self.state, self.remote)
        return pull

    def _sort_unfit(self, unfit: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Split links and special files into those never synchronised, and those in the place of synchronised files."""
        known = (self.state.agreed.rows, self.state.remote.rows)
        replaced = {path: reason for path, reason in unfit.items() if any(path in rows for rows in known)}
        return {path: reason for path, reason in unfit.items() if path not in replaced}, replaced

    def _complain_once(self, unfit: dict[str, str]) -> None:
        """Report files that are never synchronised, once for as long as they stay: they are no failure."""
        for path, reason in unfit.items():
            if self.state.told.get(path) != reason:
                self._complain(path, f"left out: {reason}")
        kept = {path: reason for path, reason in self.state.told.items() if reason in (KEPT, MADE_BY_SERVER)}
        self.state.set_told({**kept, **unfit})

    def _name_kept(self, trees: Trees) -> None:
        """Name what stays here although the server does not show or take it, once for as long as it does."""
        kept = {**dict.fromkeys(list_kept(trees), KEPT), **dict.fromkeys(list_unsent(trees), MADE_BY_SERVER)}
        for path, reason in kept.items():
            if self.state.told.get(path) != reason:
                self._complain(path, reason)
        self.state.set_told({**self._unfit, **kept})

    def _unite(self, reason: str) -> None:
        """Treat both sides as a new device would: nothing counts as deleted then."""
        self._united = reason
        self.state.wish_remote()
        self.state.forget_agreements()
        self.state.forget_server()
        self.state.drop_facts(ROOT_ID, COMPUTED)

    def _say_what_united(self, counts: Counter[Verb], kept: int) -> None:
        if self._united:
            sent, taken = counts[Verb.UPLOAD], counts[Verb.DOWNLOAD]
            self.say(
                f"united with the server ({self._united}): {sent} files sent, {taken} taken from it, "
                f"{kept} kept twice, nothing deleted"
            )

    def _find_apart(self, seen: Scan, guards: dict[str, str]) -> set[str]:
        """Return the folders that are missing here without a sync token: they move and go member by member."""
        agreed = self.state.agreed.rows
        return {path for path, entry in agreed.items() if entry.folder and path not in seen.local.rows} - guards.keys()

    def _take_guards(self, seen: Scan) -> dict[str, str]:
        """Return the sync tokens of folders that were agreed about and are missing here, or are somewhere else."""
        scope = self.state.find_scope("")
        if scope is None or not scope.infinite:
            return {}
        inodes = {entry.stamp.inode for path, entry in seen.local.rows.items() if path not in self.state.agreed.rows}
        guards = {}
        for path, entry in self.state.agreed.rows.items():
            local = seen.local.get(path)
            if not entry.folder or (local is not None and local.folder):
                continue
            top = not parent_of(path) or parent_of(path) in seen.local.rows
            if (top or entry.stamp.inode in inodes) and (token := self.remote.find_sync_token(path)):
                guards[path] = token
        return guards

    def _check_losses(self, trees: Trees) -> None:
        loss = None if self.force else find_mass_deletion(trees)
        if loss is not None:
            raise Stop(SAFETY, f"{loss}: nothing was done. If that is meant, run with --force")

    def _complain(self, path: str, reason: str) -> None:
        here = path if path.startswith("/") else self.folder.spelling.here(path)  # an href is no path
        line = f"{here}: {reason}" if path else reason
        if line not in self._said:
            self._said.add(line)
            self.say(line)
