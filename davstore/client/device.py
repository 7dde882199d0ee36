"""The pair of a folder and a collection: the place of its state, and the lock that one run holds at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from davstore.client.exit_status import SAFETY, USAGE, Stop
from davstore.client.folder import Folder
from davstore.client.state import State


def state_directory() -> Path:
    """Return the directory in which devices keep their state (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state") / "davstore" / "sync"


@contextmanager
def open_state(url: str, folder: Path, directory: Path) -> Iterator[State]:
    """Open the state of the pair for one run at a time.

    Raises:
        Stop: (usage) it would lie inside the folder, another run has it, or it is damaged or cannot be written.
    """
    if directory.resolve().is_relative_to(folder):
        raise Stop(USAGE, f"the state would lie in the folder itself: set XDG_STATE_HOME outside {folder}")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = hashlib.sha256(f"{url}\0{folder}".encode(errors="surrogateescape")).hexdigest()[:32]
    with (directory / f"{stem}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(USAGE, f"another run is synchronising {folder}") from None
        file = directory / f"{stem}.sqlite"
        try:
            with closing(State(file)) as state:
                yield state
        except sqlite3.DatabaseError as cause:
            raise Stop(USAGE, f"the state of {folder} cannot be used: {file}: {cause}") from cause


def accept_root(folder: Folder, state: State, say: Callable[[str], None], *, write: bool = True) -> None:
    """Accept a missing or replaced root as a new device's (`--force`): nothing is deleted, both sides are merged."""
    try:
        folder.check_root(state, write=write)
    except Stop as stop:
        if stop.status != SAFETY:
            raise
        say(f"{stop}: going on as a new device")
        state.forget_agreements()
        state.forget_mounts()
        state.drop_facts("root", "root-mark", "traits")
        folder.check_root(state, write=write)
