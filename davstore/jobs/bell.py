"""A wake-up between the processes of a server: one that has left a job rings, and that of the jobs looks at once."""

from __future__ import annotations

import contextlib
import os
import select


class Bell:
    """A counter in the kernel that forked processes inherit, so it outlives each of them.

    To ring never waits, and rings that come together are one.
    """

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> None:
        """Wake the process that waits now, or next."""
        with contextlib.suppress(BlockingIOError):  # it has rung more often than it can count
            os.eventfd_write(self.descriptor, 1)

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most; return whether it rang since the last look."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.poll(seconds * 1000)
        try:
            return os.eventfd_read(self.descriptor) > 0
        except BlockingIOError:
            return False
