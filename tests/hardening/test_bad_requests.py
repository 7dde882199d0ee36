"""To every bad request a well-formed answer goes out, at once, and nothing else happens.

Promise 6 of `docs/reliability.md`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hardening.bad_requests import FOREIGN, MARK, MOVING, Case, encodings, odd, refused
from tests.hardening.wire import Answer, Wire

AT_ONCE = 8
LEFT_BY_ODD = re.compile(rb"<D:response><D:href>[^<]*/odd/[^<]*<.*?</D:response>", re.DOTALL)
"""Locks among it, whose seconds count down."""


def state(wire: Wire) -> tuple[str, bytes]:
    """Return a digest of all that the store holds, and its sync token."""
    everything = wire.send("PROPFIND", "", {"Depth": "infinity"})
    asked = '<D:propfind xmlns:D="DAV:"><D:prop><D:sync-token/></D:prop></D:propfind>'
    token = wire.send("PROPFIND", "", {"Depth": "0"}, body=asked)
    assert everything.status == token.status == 207
    return hashlib.sha256(LEFT_BY_ODD.sub(b"", everything.body)).hexdigest(), token.body


def answers(wire: Wire, directory: Path, cases: Iterable[Case], judge: Callable[[Answer], bool]) -> list[str]:
    """Send all, several at a time, with a good request after every tenth; return what went wrong."""
    secrets = (str(directory), wire.password, "Traceback", ".py", "sqlite", "lxml", '", line ', MARK)

    def send(numbered: tuple[int, Case]) -> str | None:
        number, case = numbered
        try:
            answer = wire.send(case.method, case.path, list(case.fields), body=case.body)
            told = f"{answer.headers} {answer.body.decode('utf-8', 'replace')}"
            assert judge(answer), answer.status
            assert not [secret for secret in secrets if secret in told], told
            assert number % 10 or wire.send("GET", "a").status == 200
        except (AssertionError, OSError) as error:
            return f"{case}: {error!r:.300}"
        return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [failure for failure in pool.map(send, enumerate(cases)) if failure]


def is_refused(answer: Answer) -> bool:
    """Tell whether an answer is one that a bad request may get, and says how to go on where it has to."""
    if answer.status == 401:
        return "Www-Authenticate" in answer.headers
    if answer.status == 405:
        return "Allow" in answer.headers or answer.is_from_connection
    return 400 <= answer.status < 500 or answer.status in (501, 502, 505, 507)


def is_answered(answer: Answer) -> bool:
    """Tell whether an answer is one that any request may get."""
    return 200 <= answer.status < 400 or is_refused(answer)


def test_a_bad_request_is_refused_and_changes_nothing(wire: Wire, directory: Path, logged: Callable[[], str]) -> None:
    before = state(wire)
    cases = list(refused())
    assert len(cases) > 1_000
    assert not (wrong := answers(wire, directory, cases, is_refused)), "\n".join(wrong)
    assert state(wire) == before
    assert "Traceback" not in logged()


def test_an_odd_request_is_answered(wire: Wire, directory: Path, logged: Callable[[], str]) -> None:
    assert not (
        wrong := answers(wire, directory, [case for number, case in enumerate(odd()) if number % 11 == 0], is_answered)
    ), "\n".join(wrong)
    assert wire.send("GET", "a").body == b"0123456789"
    assert "Traceback" not in logged()


@pytest.mark.torture
def test_every_odd_request_is_answered(wire: Wire, directory: Path, logged: Callable[[], str]) -> None:
    assert not (wrong := answers(wire, directory, odd(), is_answered)), "\n".join(wrong)
    assert wire.send("GET", "a").body == b"0123456789"
    assert "Traceback" not in logged()


@pytest.mark.parametrize("method", MOVING)
@pytest.mark.parametrize("place", FOREIGN)
def test_a_destination_that_is_not_here_is_502(wire: Wire, method: str, place: str) -> None:
    assert wire.send(method, "a", {"Destination": place}).status == 502


def test_a_length_that_no_disk_holds_is_refused_before_the_body(wire: Wire) -> None:
    assert wire.send("PUT", "a", {"Content-Length": "9" * 15}).status == 507


def test_xml_may_come_in_any_encoding_and_any_chunks(wire: Wire, directory: Path) -> None:
    assert not (wrong := answers(wire, directory, encodings(), lambda answer: answer.status == 207)), "\n".join(wrong)
