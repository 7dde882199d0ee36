"""What notmuch (Debian's package) makes of the sample mail: `python -m tests.threads.record_notmuch` records it.

`notmuch.json` beside this file has a list for each thread, of the paths of its files beneath `mail/`, so that no test
of every day needs the program.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.mail_oracles import sample_files
from tests.samples import SAMPLES

RECORD: Final = Path(__file__).with_name("notmuch.json")
_CONFIGURATION: Final = """[database]
path={0}
[user]
primary_email=someone@example.org
[new]
tags=new
"""


def ask(files: Mapping[str, bytes]) -> set[frozenset[str]]:
    """Return the names of files by threads. What notmuch takes for no mail is in none."""
    with tempfile.TemporaryDirectory(prefix="notmuch-") as directory:
        root = Path(directory)
        names = [str(root / "mail" / f"{number:06}") for number in range(len(files))]
        (root / "mail").mkdir()
        for name, content in zip(names, files.values(), strict=True):
            Path(name).write_bytes(content)
        (root / "config").write_text(_CONFIGURATION.format(root / "mail"))
        _notmuch(root, "new")
        threads = json.loads(_notmuch(root, "show", "--format=json", "--body=false", "--entire-thread=true", "*"))
    by_path = dict(zip(names, files, strict=True))
    return {frozenset(by_path[path] for path in _each_path(thread)) for thread in threads}


def _notmuch(root: Path, *words: str) -> bytes:
    """Run a command of notmuch, which needs the program."""
    environ = {"PATH": os.defpath, "HOME": str(root), "NOTMUCH_CONFIG": str(root / "config")}
    return subprocess.run(["notmuch", *words], env=environ, check=True, capture_output=True).stdout


def _each_path(shown: Any) -> Iterator[str]:
    """Yield the files of what `notmuch show` tells of a thread: messages, each with a list of those that follow it."""
    waiting = [shown]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one["filename"]
        elif one is not None:
            waiting += one


def read_samples() -> dict[str, bytes]:
    """Return the sample mail by path beneath `mail/`; nothing where there is no corpus."""
    return {str(file.relative_to(SAMPLES / "mail")): file.read_bytes() for file in sample_files()}


def recorded() -> set[frozenset[str]]:
    """Return the recorded paths by threads."""
    return set(map(frozenset, json.loads(RECORD.read_text())))


if __name__ == "__main__":
    assert shutil.which("notmuch"), "notmuch is missing: apt-get install notmuch"
    RECORD.write_text(json.dumps(sorted(map(sorted, ask(read_samples()))), indent=1) + "\n")
