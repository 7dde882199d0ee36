"""Access of other users of the machine to a data directory. It is reported, never changed."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def describe_openness(directory: Path) -> str | None:
    """Return a line on the access of others to the directory, with the command against it; None: they have none."""
    mode = stat.S_IMODE(directory.stat().st_mode)
    if not mode & _OTHERS:
        return None
    facts = [(file.name, file.stat()) for file in sorted(directory.iterdir()) if file.is_file()]
    files = [name for name, fact in facts if fact.st_size and fact.st_mode & _OTHERS]
    within = f", also {', '.join(files)}" if files else ""
    quoted = shlex.quote(str(directory))
    return (
        f"the data directory {directory} is open to other users of this machine (mode {mode:04o}){within}:"
        f" chmod -R go= {quoted} closes it"
    )
