"""A device under test: a folder, its memory, and a run that returns the exit status as the command would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from davstore.cli.progress import QUIET, describe
from davstore.client.device import open_state, open_state_beside
from davstore.client.exit_status import Stop
from davstore.client.folder import Folder
from davstore.client.mailbox import Mailbox
from davstore.client.remote import RemoteCollection
from davstore.client.run import Run
from davstore.client.states import list_words
from davstore.model.states import StateChange
from davstore.protocol.http.sync_context import SyncContext

AUTOMATIC = SyncContext()
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@dataclass
class Device:
    """One folder of one account. said holds the lines for a person of the last run."""

    url: str
    root: Path
    states: Path
    name: str = "laptop"
    credentials: tuple[str, str] = ("user", "password")
    pause: Callable[[float], None] = lambda _: None
    folder: Callable[[Path], Folder] = Folder
    context: SyncContext = AUTOMATIC
    now: datetime = NOW
    said: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def sync(self, *, force: bool = False, merge: bool = False) -> int:
        """Run once."""
        self.said.clear()
        self.done.clear()
        try:
            with open_state(self.url, self.root, self.states) as state:
                remote = RemoteCollection(
                    self.url, self.credentials, context=self.context, pause=self.pause, say=self.said.append
                )
                run = Run(
                    state, self.folder(self.root), remote, self.name, force=force, merge=merge, now=lambda: self.now
                )
                run.say = self.said.append
                run.done = lambda action: self.done.append(action.verb.name)
                return run.synchronise()
        except Stop as stop:
            self.said.append(str(stop))
            return stop.status

    def mark(self, change: StateChange, *paths: str) -> None:
        """Change states of files as their person does, without a network."""
        with open_state_beside(self.root, self.states) as state:
            mailbox = Mailbox(self.root, state)
            mailbox.mark([mailbox.find(Path(path)) for path in paths], change)

    def words(self) -> dict[str, list[str]]:
        """Return the states of the files that have any, as their person sees them."""
        files = [path for path, content in read_tree(self.root).items() if content is not None]
        with open_state_beside(self.root, self.states) as state:
            mailbox = Mailbox(self.root, state)
            keys = {path: mailbox.find(Path(path)) for path in files}
            found = {path: list_words(*mailbox.states_of(key, mailbox.stamp(key))) for path, key in keys.items()}
        return {path: words for path, words in found.items() if words}

    def rehearse(self) -> list[str]:
        """Return the lines of a dry run."""
        with open_state(self.url, self.root, self.states) as state:
            remote = RemoteCollection(self.url, self.credentials, context=self.context, pause=self.pause)
            run = Run(state.copy(), self.folder(self.root), remote, self.name, now=lambda: self.now)
            return [describe(action) for action in run.rehearse() if action.verb not in QUIET]

    def write(self, path: str, content: bytes) -> None:
        """Put a file into the folder, with the folders above it."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(content)


def read_tree(root: Path) -> dict[str, bytes | None]:
    """Return what is in a folder: path to content, None for a folder."""
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes() for path in sorted(root.rglob("*"))
    }
