"""`serve.lock`: one `serve` uses a data directory, and no command upgrades the tables meanwhile.

It is taken with the lock of the identity held (`identity.hold`), so that all who want it come one after the other.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from davstore.errors import AlreadyRunning

FILE = "serve.lock"


def take(directory: Path) -> IO[str]:
    """Return the lock of a data directory, which is held until it is closed. Raises AlreadyRunning, OSError."""
    lock = (directory / FILE).open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise AlreadyRunning(f"another davstore serve uses {directory}: stop it first") from error
    return lock
