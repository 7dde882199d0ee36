"""The pair of a folder and a collection: the place of its state, and the lock that one run holds at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from davstore.client.exit_status import NOT_TRANSFERRED, SAFETY, USAGE, Stop
from davstore.client.folder import Folder
from davstore.client.state import FOLDER, State, read_fact

URL: Final = "url"
"""The fact of a state that is the URL of its collection."""


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
    stem = _hash(f"{url}\0{folder}")
    with (directory / f"{stem}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(USAGE, f"another run is synchronising {folder}") from None
        file = directory / f"{stem}.sqlite"
        try:
            with closing(State(file)) as state:
                if state.find_fact(FOLDER) is None:
                    state.set_fact(FOLDER, _hash(str(folder)))
                if state.find_fact(URL) is None:
                    state.set_fact(URL, url)
                yield state
        except sqlite3.DatabaseError as cause:
            raise Stop(USAGE, f"the state of {folder} cannot be used: {file}: {cause}") from cause


@contextmanager
def open_state_beside(folder: Path, directory: Path) -> Iterator[State]:
    """Open the state of a folder, also while a run has it: for wishes, and for what is known of messages.

    Raises:
        Stop: (not transferred) no run synchronised the folder; (usage) its state is damaged, or there are several.
    """
    files = [file for file in sorted(directory.glob("*.sqlite")) if read_fact(file, FOLDER) == _hash(str(folder))]
    if not files:
        raise Stop(NOT_TRANSFERRED, f"{folder} was not yet synchronised by davstore sync")
    if len(files) > 1:
        raise Stop(USAGE, f"{folder} is synchronised with several collections, and messages are of one")
    try:
        with closing(State(files[0])) as state:
            yield state
    except sqlite3.DatabaseError as cause:
        raise Stop(USAGE, f"the state of {folder} cannot be used: {files[0]}: {cause}") from cause


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


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
