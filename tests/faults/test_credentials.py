"""Promise 9 on a real server of two workers: what one of them learns, both know."""

from __future__ import annotations

import base64
import contextlib
import http.client
import itertools
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.served import PATIENCE_SECONDS, Served
from tests.waiting import until

AFAR = "127.0.5.1"
IDS = (f"request-{number}" for number in itertools.count())


class Line:
    """A connection that is kept, and so always the same worker's."""

    def __init__(self, served: Served, url: str, source: str = "127.0.0.1") -> None:
        self._served = served
        self._connection = http.client.HTTPConnection(url[7:-1], timeout=PATIENCE_SECONDS, source_address=(source, 0))
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


@contextlib.contextmanager
def both(served: Served, source: str = "127.0.0.1"):
    """Yield a connection to each worker."""
    found: dict[int, Line] = {}
    opened: list[Line] = []
    while len(found) < 2:
        opened.append(Line(served, served.url, source))
        found.setdefault(opened[-1].worker, opened[-1])
        assert len(opened) < 200, "one worker takes all connections"
    yield tuple(found.values())
    for line in opened:
        line.close()


@pytest.fixture
def lines(served: Served):
    """Yield a connection to each worker."""
    served.ready()
    with both(served) as found:
        yield found


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


def test_guesses_from_afar_hold_up_nobody_else(served: Served, serve, tmp_path: Path) -> None:
    served.ready()
    right = basic(served.password())
    phone = f"Bearer {davstore(tmp_path, 'device', 'add', 'me', 'phone')}"
    with both(served) as home, both(served, AFAR) as afar:
        assert home[0].ask(right).status == 207
        for number in range(10):
            forged = {"X-Forwarded-For": f"203.0.{number}.1", "Forwarded": f"for=203.0.{number}.1"}
            assert afar[number % 2].ask(basic(f"wrong {number}"), **forged).status == 401
        for line in afar:
            refused = line.ask(basic("wrong"), **{"X-Forwarded-For": "198.51.100.1"})
            assert refused.status == 429
            assert 0 < int(refused.headers["Retry-After"]) <= 30
            assert line.ask(basic("wrong", user="somebody")).status == 401  # one account makes no network a guesser
            assert line.ask(phone).status == 207
            assert line.ask(right).status == 207  # proven to one worker is proven to both
        assert [line.ask(right).status for line in home] == [207, 207]
        served.process.send_signal(signal.SIGHUP)
        until(lambda: not {line.worker for line in (*home, *afar)} & served.workers())
    for source, statuses in ((AFAR, (207, 429)), ("127.0.0.1", (207, 401))):  # those who come after them know it too
        newcomer = Line(served, served.url, source)
        assert (newcomer.ask(right).status, newcomer.ask(basic("new")).status) == statuses
        newcomer.close()
    assert re.search(r"sign-in refused: address=127\.0\.5\.1 user=me: too many failed attempts", served.log())
    served.process.terminate()
    served.end()
    again = serve("--workers", "2")
    again.ready()
    with both(again) as home, both(again, AFAR) as afar:
        assert [line.ask(basic("wrong")).status for line in afar] == [429, 429]
        assert [line.ask(right).status for line in home] == [207, 207]


def test_a_client_with_an_old_password_holds_up_nobody(served: Served, serve, tmp_path: Path) -> None:
    served.ready()
    for number in range(3):
        davstore(tmp_path, "user", "add", f"user{number}", "--password-stdin", stdin="right")
    for number in range(3):
        with both(served) as lines:
            assert {line.ask(basic("of last year")).status for line in lines for _ in range(8)} == {401}
            assert [line.ask(basic("right", user=f"user{number}")).status for line in lines] == [404, 404]
        served.process.terminate()
        served.end()
        assert served.log().count("no such user or device, or the wrong secret") == (1 if number == 0 else 0)
        served = serve("--workers", "2")
        served.ready()
