"""The output of `davstore import` and `davstore export`: a bar on a terminal, what did not come along, and the sums."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import click

from davstore.cli.progress import printable


class Sums:
    """Counts by word. incomplete: something was refused or left out."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._counts: Counter[str] = Counter()
        self._bar: Any = None
        self._lines: list[str] = []
        self.incomplete = False

    @contextlib.contextmanager
    def shown(self, total: Callable[[], int]) -> Iterator[None]:
        """Show a bar on a terminal, and in the end the sums, whatever ends it. total is asked for the bar."""
        is_seen = sys.stderr.isatty()
        length = max(total(), 1) if is_seen else 1
        bar: Any = click.progressbar(
            length=length,
            label=self._label,
            file=sys.stderr,
            hidden=not is_seen,
            update_min_steps=max(1, length // 500),
        )
        try:
            with bar:
                self._bar = bar if is_seen else None
                yield
        finally:
            self._bar = None
            for line in self._lines:
                self.say(line)
            click.echo(", ".join(f"{word} {count:,}" for word, count in self._counts.items()) or "nothing to do")

    def count(self, word: str) -> None:
        """Count one of a word."""
        self._counts[word] += 1

    def advance(self, size_bytes: int) -> None:
        """Show that more bytes are done."""
        if self._bar is not None:
            self._bar.update(min(size_bytes, self._bar.length - self._bar.pos))

    def say(self, line: str) -> None:
        """Print a line to standard error; while there is a bar, behind it."""
        if self._bar is not None:
            self._lines.append(line)
        else:
            click.echo(f"davstore: {printable(line)}", err=True)
