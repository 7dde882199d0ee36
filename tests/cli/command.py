"""The `davstore` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(*words: str | Path, url: str = "", statuses: tuple[int, ...] = (0,)) -> str:
    """Run a command on the database of a URL and return what it said."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DAVSTORE_")}
    done = subprocess.run(
        [sys.executable, "-m", "davstore", *map(str, words)],
        env=environ | {"DAVSTORE_DATABASE__URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode in statuses, f"{words}: {done.returncode}: {done.stdout.decode()}"
    return done.stdout.decode()
