"""Faults where they happen: the n-th system call of a kind fails, or is the last one of its process (strace)."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.client.served import PATIENCE_SECONDS


@dataclass
class Trace:
    """The system calls of a process, one a line, in the order in which they ended; complete once the trace is over."""

    lines: list[str] = field(default_factory=list)

    @property
    def struck(self) -> bool:
        """Tell whether the fault happened."""
        return any("(INJECTED)" in line or "killed by SIGKILL" in line for line in self.lines)


@contextlib.contextmanager
def traced(process: int, log: Path, calls: str, fault: str = "") -> Iterator[Trace]:
    """Trace calls of a process and its threads; fault is `error=EIO:when=3` or `signal=KILL:when=3`.

    Each thread counts for itself: a request is served by one, so its n-th call is meant.
    """
    inject = ["-e", f"inject={calls}:{fault}"] if fault else []
    command = ["strace", "-f", "-y", "-s", "24", "-o", str(log), "-e", f"trace={calls}", *inject, "-p", str(process)]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    said = strace.stderr.readline()
    trace = Trace()
    try:
        assert "attached" in said, f"strace cannot trace: {said}"
        yield trace
    finally:
        strace.terminate()
        try:
            strace.communicate(timeout=5)
        except subprocess.TimeoutExpired:  # now and then it waits for a thread of a process that is dead
            strace.kill()
            strace.communicate(timeout=PATIENCE_SECONDS)
        trace.lines += log.read_text().splitlines()
