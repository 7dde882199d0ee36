"""Bodies read in a process beside this one: the largest part of an import, for which nothing but the bytes is needed.

The process has no handle of a store. It ends when its input does, so with this process, whatever ends that
(docs/adr/0033).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Sequence
from io import BufferedRWPair
from typing import NamedTuple

from davstore.model.messages import MessageFacts
from davstore.protocol.message.reading import read_message


class Read(NamedTuple):
    """The SHA-256 of a body in hex, and its facts if it is a message."""

    sha256: str
    message: MessageFacts | None


def read_bodies(bodies: Sequence[bytes]) -> list[Read]:
    """Read bodies here."""
    return [Read(hashlib.sha256(body).hexdigest(), read_message(body)) for body in bodies]


class ReadingBeside:
    """Reads bodies, group by group: beside this process once that is worth another one, and while that lives."""

    def __init__(self) -> None:
        self._bodies: Sequence[bytes] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_asked = False

    def __enter__(self) -> ReadingBeside:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()  # what it has not answered is not wanted any more
            self._process.wait()
            with contextlib.suppress(OSError):  # a question that was sent in part
                self._wire.close()

    def begin(self, bodies: Sequence[bytes], *, more: bool) -> None:
        """Begin to read a group. more: it is so large that others will surely follow.

        Those are worth a process where there is a second core; it begins while the first group is read here.
        """
        self._bodies = bodies
        if self._process is not None:
            with contextlib.suppress(OSError):
                _send(self._wire, bodies)
                self._is_asked = True
        elif more and len(os.sched_getaffinity(0)) > 1:
            with contextlib.suppress(OSError):  # no process is to be had
                self._start()

    def end(self) -> list[Read]:
        """Return what was read of the group. What the process does not answer, as it was killed, is read here."""
        is_asked, self._is_asked = self._is_asked, False
        if is_asked:
            with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
                read: list[Read] = pickle.load(self._wire)  # noqa: S301  the answer of a process of our own
                return read
        return read_bodies(self._bodies)

    def _start(self) -> None:
        """Start the process, in a session of its own: an interrupt from the terminal is for this one alone."""
        here, there = socket.socketpair()
        with here, there:
            self._process = subprocess.Popen(  # noqa: S603  this program
                [sys.executable, "-P", "-c", f"from {__name__} import answer; answer()"],
                stdin=there.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what it fails at fails here again, and is told
                start_new_session=True,
            )
            self._wire = here.makefile("rwb")


def answer() -> None:
    """Read group after group, in the process beside, until there are no more."""
    with socket.socket(fileno=sys.stdin.fileno()).makefile("rwb") as wire, contextlib.suppress(EOFError, OSError):
        while True:
            bodies = pickle.load(wire)  # noqa: S301  the question of the process that started this one
            _send(wire, read_bodies(bodies))


def _send(wire: BufferedRWPair, value: Sequence[object]) -> None:
    pickle.dump(value, wire)
    wire.flush()
