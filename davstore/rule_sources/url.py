"""The policy of a URL as a data directory keeps it: one process fetches it (`fetching`), and all read its copy."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from davstore.errors import BadSettings, Unavailable
from davstore.model.rules import Rule
from davstore.model.web_urls import WebUrl
from davstore.policy.provider import parse_rules

FILE: Final = "policy-cache.json"
FETCH_SECONDS: Final = 30.0
"""The longest time that one fetch takes, redirects included."""
MISSED: Final = 3
"""Refreshes without an answer after which the URL is away."""


class Copy(NamedTuple):
    """The last good document of a URL, None: there was none; its ETag, '': it has none.

    answered is when the server last answered, in seconds since the epoch. problem is the error of the document that it
    has now, if that is broken and an earlier one was kept.
    """

    document: str | None = None
    etag: str = ""
    answered: float = 0
    problem: str = ""


class Source(NamedTuple):
    """A URL and the data directory with its copy, and how often it is asked.

    refuses: while it is away no device may synchronise; else the last known rules stay in force.
    """

    directory: Path
    url: WebUrl
    refresh_seconds: int
    refuses: bool

    @property
    def away_seconds(self) -> float:
        """For how long there is no answer until the URL is away."""
        return MISSED * self.refresh_seconds + FETCH_SECONDS

    def is_away(self, copy: Copy, now: float) -> bool:
        """Tell whether the last answer is too long ago; one from the future was noted by a clock that was wrong."""
        return abs(now - copy.answered) > self.away_seconds


def find_copy(source: Source) -> Copy | None:
    """Return the copy in a data directory; None: there is none of this URL, or none that this davstore understands."""
    try:
        found = json.loads((source.directory / FILE).read_bytes())
        if found.pop("url") != _identify(source.url):
            return None
        copy = Copy(**found)
        if copy.document is not None:
            parse_document(copy.document, source.url.shown)
        return copy
    except (OSError, ValueError, TypeError, LookupError, AttributeError, BadSettings):
        return None


@lru_cache(maxsize=1)
def parse_document(document: str, source: str) -> tuple[Rule, ...]:
    """Return the rules of a document; the same one is not parsed again. Raises BadSettings."""
    return parse_rules(document, source=source)


def write_copy(source: Source, copy: Copy) -> None:
    """Write the copy, whole or not at all. Raises OSError."""
    file = source.directory / FILE
    new = file.with_name(f"{FILE}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as output:
            json.dump({"url": _identify(source.url), **copy._asdict()}, output)
            output.flush()
            os.fsync(output.fileno())
        new.rename(file)
    finally:
        new.unlink(missing_ok=True)


def _identify(url: WebUrl) -> str:
    """Return a text that is another one for another URL; passwords do not get into the file."""
    return hashlib.sha256(f"{url.origin}{url.target}".encode()).hexdigest()


class PolicyUrl:
    """The rules of the copy, read again when it changes. Without rules no device may synchronise."""

    def __init__(self, source: Source, *, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._file = str(source.directory / FILE)
        self._clock = clock
        self._stamp: tuple[int, ...] | None = None
        self._copy = Copy()
        self._rules: tuple[Rule, ...] | None = None

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules in force. Raises Unavailable: there are none."""
        self._look()
        rules, source = self._rules, self._source
        if rules is None or (source.refuses and source.is_away(self._copy, self._clock())):
            raise Unavailable(f"{self._find_trouble()}: no device may synchronise", source.refresh_seconds)
        return rules

    def check(self) -> None:
        """Raise Unavailable while it is not known that the rules in force are those that the URL has now."""
        self._look()
        if trouble := self._find_trouble():
            raise Unavailable(trouble)

    def _find_trouble(self) -> str:
        copy, name = self._copy, self._source.url.shown
        if not copy.answered:
            return f"{name}: no answer yet"
        if self._source.is_away(copy, self._clock()):
            return f"{name}: no answer since {datetime.fromtimestamp(copy.answered, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return copy.problem

    def _look(self) -> None:
        """Take over the copy if it is another one. Without one, what was read stays, and ages."""
        try:
            status = os.stat(self._file)  # noqa: PTH116  on every request of a device
        except OSError:
            return
        stamp = status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
        if stamp == self._stamp:
            return
        copy = find_copy(self._source)
        if copy is not None:
            self._copy = copy
            if copy.document is not None:
                self._rules = parse_document(copy.document, self._source.url.shown)
        self._stamp = stamp
