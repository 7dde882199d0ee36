"""`python -m tests.golden.commands`: many calls of the installed command in one process, whose start is most of a call.

Standard input is a JSON list of pairs: the words of a call, and its standard input. Standard output is a list of what
each call said.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import sys
from typing import Any


def main() -> None:
    """Call them in turn, until one fails."""
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="davstore")
    call = command.load()
    told = [_told(call, words, given) for words, given in json.load(sys.stdin)]
    json.dump(told, sys.stdout)


def _told(call: Any, words: list[str], given: str) -> str:
    sys.argv, sys.stdin = ["davstore", *words], io.TextIOWrapper(io.BytesIO(given.encode()))
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            call()
    except SystemExit as end:
        if end.code:
            raise
    return said.getvalue()


if __name__ == "__main__":
    main()
