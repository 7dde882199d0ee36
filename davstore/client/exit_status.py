"""Errors that end a run of the device, with its exit status (README.md), and errors that end one action."""

from __future__ import annotations

from davstore.errors import DavstoreError

IN_STEP = 0
NOT_TRANSFERRED = 1
USAGE = 2
SAFETY = 3
REFUSED = 4
UNAUTHENTICATED = 5
NETWORK = 6


class Stop(DavstoreError):
    """The run cannot go on. Its text is for the person at the terminal.

    retry_after_seconds is set when the server said when to come again. is_own: the user or the device decided, and may
    decide otherwise before that.
    """

    def __init__(
        self, status: int, message: str, *, retry_after_seconds: float | None = None, is_own: bool = False
    ) -> None:
        super().__init__(message)
        self.status, self.retry_after_seconds, self.is_own = status, retry_after_seconds, is_own


class RootGone(Stop):
    """Nothing is at the URL of the collection."""


class Changed(DavstoreError):
    """A side is no longer as the plan saw it: nothing was done, and the next round looks again.

    status is that of the server's answer, 0 when it was the folder that changed.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class NotDone(DavstoreError):
    """One action failed for a reason that another look will not cure; the others go on."""
