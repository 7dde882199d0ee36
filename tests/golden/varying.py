"""What differs from run to run in an answer, replaced by words in braces that do not."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_HTTP_DATE: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
_ISO_DATE: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_COARSE_SECONDS: Final = 60
"""What is left of a time is told to the minute that it ends in: a run that takes longer is another run."""


class Varying:
    """The words of one conversation. began is when the server started, in seconds since the epoch.

    The first lock token is {lock-1} wherever it stands, and so on. Every moment between began and now is {now}: two
    moments may fall into one second in one run, and into two in another.
    """

    def __init__(self, host: str, began: int) -> None:
        self._began = began
        self._seen: dict[str, dict[str, str]] = {}
        self._rules: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
            (re.compile(re.escape(host)), lambda _: "{host}"),
            (re.compile(r"(?<=<D:lockdiscovery>).*?(?=</D:lockdiscovery>)"), _in_order),
            (re.compile(r"(?<=urn:davstore:lock:)[\w-]{16}"), self._numbered("lock")),
            (re.compile(r"(?<=urn:davstore:sync:\d\.)(\d+)\.(\d+)(?=\.[0-9a-f]{16}\.)", re.IGNORECASE), self._store),
            (re.compile(r"(?<=urn:uuid:)[0-9a-f]{8}-[0-9a-f-]{27}"), self._numbered("uuid")),
            (re.compile(r"\b[0-9a-f]{32}\b"), self._numbered("hex")),
            (re.compile(rf'<time datetime="({_ISO_DATE})"><span>([^<]*)</span> <span>([^<]*)</span>'), self._shown),
            (re.compile(_HTTP_DATE), self._moment(lambda text: parsedate_to_datetime(text).timestamp())),
            (re.compile(_ISO_DATE), self._moment(lambda text: datetime.fromisoformat(text).timestamp())),
            (re.compile(r"\b\d{10}\b"), self._moment(float)),
            (re.compile(r"(?<=<D:timeout>Second-)\d+"), _coarse),
            (re.compile(r"(?<=Retry-After: )\d\d+|(?<= Wait )\d\d+(?= seconds)"), _coarse),
            (re.compile(r"(?<=<style>).*?(?=</style>)", re.DOTALL), lambda _: "{style}"),
        ]

    def replace(self, text: str) -> str:
        """Return a text with all that varies replaced."""
        for pattern, word in self._rules:
            text = pattern.sub(word, text)
        return text

    def replace_head(self, lines: list[str], body: bytes) -> list[str]:
        """Return the lines of an answer's head with all that varies replaced; numbers in a body may vary in length."""
        told = []
        for line in map(self.replace, lines):
            name, _, value = line.partition(": ")
            if name in ("Date", "X-Request-Id"):
                told.append(f"{name}: {{{name.lower()}}}")
            elif name == "Content-Length" and b"urn:davstore:sync:1." in body and value == str(len(body)):
                told.append(f"{name}: {{all}}")
            else:
                told.append(line)
        return told

    def _numbered(self, kind: str) -> Callable[[re.Match[str]], str]:
        return lambda match: self._name(kind, match[0])

    def _name(self, kind: str, text: str) -> str:
        seen = self._seen.setdefault(kind, {})
        return seen.setdefault(text, f"{{{kind}-{len(seen) + 1}}}")

    def _store(self, match: re.Match[str]) -> str:
        return f"{self._name('store', match[1])}.{self._name('epoch', match[2])}"

    def _moment(self, parse: Callable[[str], float]) -> Callable[[re.Match[str]], str]:
        def word(match: re.Match[str]) -> str:
            return "{now}" if self._began <= parse(match[0]) <= time.time() + 1 else match[0]

        return word

    def _shown(self, match: re.Match[str]) -> str:
        """A page writes the moment out a second time, for people."""
        moment = datetime.fromisoformat(match[1])
        if moment.timestamp() < self._began or [f"{moment:%Y-%m-%d}", f"{moment:%H:%M}"] != [match[2], match[3]]:
            return match[0]
        return f'<time datetime="{match[1]}"><span>{{day}}</span> <span>{{minute}}</span>'


def _coarse(match: re.Match[str]) -> str:
    return f"{{{-(-int(match[0]) // _COARSE_SECONDS) * _COARSE_SECONDS}}}"


def _in_order(match: re.Match[str]) -> str:
    """Locks are told in the order of their random tokens."""
    locks = re.findall(r"<D:activelock>.*?</D:activelock>", match[0])
    return "".join(sorted(locks, key=lambda lock: re.sub("urn:davstore:lock:[^<]*", "", lock)))


def now() -> int:
    """Return the current second."""
    return int(datetime.now(UTC).timestamp())
