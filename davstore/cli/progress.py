"""The output of `davstore sync`: a bar on a terminal, lines when asked for, conflicts, and the sums at the end."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import Any

import click

from davstore.client.plan import Action, Verb

QUIET = (Verb.AGREE, Verb.FORGET)


def say(line: str) -> None:
    """Print a line for a person that is not the outcome."""
    click.echo(f"davstore sync: {printable(line)}", err=True)


def printable(text: str) -> str:
    """Return text for a terminal: names of files may hold anything."""
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def describe(action: Action) -> str:
    """Return the line that reports one action, done or to be done."""
    there = action.other if action.verb in (Verb.MOVE_TREE, Verb.MOVE_LOCAL, Verb.MOVE_REMOTE, Verb.SET_ASIDE) else ""
    there = f" -> {there}" if there else ""
    if action.verb in (Verb.SEND_STATES, Verb.TAKE_STATES):
        there = f" ({action.other})"
    return printable(f"{action.verb.value}: {action.path}{there}")


def as_size(count: int) -> str:
    """Return a number of bytes as people write it."""
    size, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.{0 if unit == 'bytes' else 1}f} {unit}"


class Progress:
    """The actions done in one run after the other. did: the last run had something to do."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._done: Counter[Verb] = Counter()
        self._bar: Any = None
        self._lock = threading.Lock()
        self.did = False

    def begin(self, actions: list[Action], count_bytes: int) -> None:
        """Take a plan, and how many bytes it has to move."""
        self._close_bar()
        count = sum(action.verb not in QUIET for action in actions)
        if not count or not sys.stderr.isatty() or self._verbose:
            return
        self._left, self._moved, self._bytes = count, 0, count_bytes
        length = count + count_bytes  # actions that move no bytes count too
        self._bar = click.progressbar(
            length=length,
            label="synchronising",
            file=sys.stderr,
            item_show_func=lambda _: self._position(),
            update_min_steps=max(1, length // 500),
        )
        self._bar.render_progress()

    def _position(self) -> str:
        moved = f"{as_size(min(self._moved, self._bytes))} of {as_size(self._bytes)}, " if self._bytes else ""
        return f"{moved}{self._left} to do"

    def moved(self, count: int) -> None:
        """Count bytes transferred, from any thread."""
        with self._lock:
            if self._bar is not None:
                self._moved += count
                self._bar.update(count)

    def count(self, action: Action) -> None:
        """Count and print a finished action."""
        if action.verb in QUIET:
            return
        self._done[action.verb] += 1
        if self._verbose:
            click.echo(describe(action))
        elif action.verb is Verb.SET_ASIDE:
            self._close_bar()
            say(f"conflict: {action.path} was changed on both sides; the version of this folder is now {action.other}")
        with self._lock:
            if self._bar is not None:
                self._left -= 1
                self._bar.update(1)

    def end(self) -> None:
        """Print the sums of a run."""
        self._close_bar()
        self.did = bool(self._done)
        for verb, count in self._done.items():
            click.echo(f"{verb.value}: {count}")
        self._done.clear()

    def _close_bar(self) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.render_finish()
                self._bar = None
