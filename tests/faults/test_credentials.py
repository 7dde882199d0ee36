"""Promise 9 on a real server of two workers: what one of them learns, both know."""

from __future__ import annotations

import base64
import http.client
import itertools
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.served import PATIENCE_SECONDS, Served, until

IDS = (f"request-{number}" for number in itertools.count())


class Line:
    """A connection that is kept, and so always the same worker's."""

    def __init__(self, served: Served, url: str) -> None:
        self._served = served
        self._connection = http.client.HTTPConnection(url[7:-1], timeout=PATIENCE_SECONDS)
        self.worker = 0
        self.ask()

    def ask(self, who: str | None = None, **headers: str) -> http.client.HTTPResponse:
        """Ask for the first user's store and return the answer."""
        identity = next(IDS)
        headers |= {"X-Request-Id": identity} | ({"Authorization": who} if who else {})
        self._connection.request("PROPFIND", "/dav/store/me/", headers=headers | {"Depth": "0"})
        answer = self._connection.getresponse()
        answer.read()
        until(lambda: re.search(rf" \d+ davstore\.access INFO {identity} ", self._served.log()))
        said = re.search(rf" (\d+) davstore\.access INFO {identity} ", self._served.log())
        assert said
        assert self.worker in (0, int(said[1])), "the connection was not kept"
        self.worker = int(said[1])
        return answer

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def served(serve) -> Served:
    return serve("--workers", "2")


@pytest.fixture
def lines(served: Served):
    """Yield a connection to each worker."""
    url = served.ready()
    found: dict[int, Line] = {}
    opened: list[Line] = []
    while len(found) < 2:
        opened.append(Line(served, url))
        found.setdefault(opened[-1].worker, opened[-1])
        assert len(opened) < 200, "one worker takes all connections"
    yield tuple(found.values())
    for line in opened:
        line.close()


def basic(password: str, user: str = "me") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def davstore(tmp_path: Path, *words: str, stdin: str = "") -> str:
    command = [sys.executable, "-m", "davstore", *words, "--data", str(tmp_path / "data")]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout.strip()


def test_what_changes_counts_at_once_in_both_workers(served: Served, lines, tmp_path: Path) -> None:
    old = basic(served.password())
    secret = davstore(tmp_path, "device", "add", "me", "phone")
    phones = (f"Bearer {secret}", basic(secret))
    for line in lines:
        assert [line.ask(who).status for who in (old, *phones)] == [207] * 3
    davstore(tmp_path, "user", "passwd", "me", "--password-stdin", stdin="another")
    for line in lines:
        assert [line.ask(who).status for who in (old, basic("another"), *phones)] == [401, 207, 207, 207]
    davstore(tmp_path, "device", "revoke", "me", "phone")
    for line in lines:
        assert [line.ask(who).status for who in (basic("another"), *phones)] == [207, 401, 401]
    davstore(tmp_path, "user", "disable", "me")
    for line in lines:
        assert line.ask(basic("another")).status == 401


def test_ten_failures_with_one_worker_are_ten_with_the_other(served: Served, lines, tmp_path: Path) -> None:
    here, there = lines
    right = basic(served.password())
    phone = f"Bearer {davstore(tmp_path, 'device', 'add', 'me', 'phone')}"
    assert here.ask(right).status == 207
    for number in range(10):
        forged = {"X-Forwarded-For": f"203.0.{number}.1", "Forwarded": f"for=203.0.{number}.1"}
        assert here.ask(basic("wrong"), **forged).status == 401
    for line in lines:
        refused = line.ask(basic("wrong"), **{"X-Forwarded-For": "198.51.100.1"})
        assert refused.status == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 30
        assert line.ask(basic("wrong", user="somebody")).status == 429  # the same network
        assert line.ask(phone).status == 207
    assert there.ask(right).status == 207  # who has proved to know the password has proved it to both
    served.process.send_signal(signal.SIGHUP)
    until(lambda: not {here.worker, there.worker} & served.workers())
    newcomer = Line(served, served.url)
    assert newcomer.ask(right).status == 207  # and to those who come after them
    assert newcomer.ask(basic("wrong")).status == 429
    newcomer.close()
    assert re.search(r"sign-in refused: address=127\.0\.0\.1 user=me: too many failed attempts", served.log())
