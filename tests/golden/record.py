"""`python -m tests.golden.record`: write down what the server answers now, in the place of what is in `answers/`.

For a change of the wire that is meant: look at the difference before it is committed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.golden.conversations import ANSWERS, list_conversations


def main() -> None:
    """Write all anew, and take away what nobody says any more."""
    with tempfile.TemporaryDirectory() as name:
        said = dict(list_conversations(Path(name), {}))
    for old in ANSWERS.glob("*.txt"):
        old.unlink()
    for sequence, text in said.items():
        (ANSWERS / f"{sequence}.txt").write_text(text, encoding="utf-8")
    sys.stderr.write(f"{len(said)} conversations in {ANSWERS}\n")


if __name__ == "__main__":
    main()
