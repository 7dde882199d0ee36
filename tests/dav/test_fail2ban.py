"""The warning that a refused sign-in is, and the filter for fail2ban that reads it."""

from __future__ import annotations

import configparser
import logging
import re
from pathlib import Path

import pytest

from davstore.server.child import log_format
from tests.dav.test_entrances import Storage, basic

FILTER = Path(__file__).parents[2] / "config/fail2ban/davstore.conf"
ADDRESS = r"(?P<address>[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]+)"
"""What fail2ban puts in the place of <ADDR>: an address, no name."""


def banned(line: str) -> str | None:
    """Return the address that the filter finds in a line. As with fail2ban, the date is taken out before."""
    parser = configparser.RawConfigParser()
    assert parser.read(FILTER)
    expression = parser["Definition"]["failregex"].replace("<ADDR>", ADDRESS)
    found = re.search(expression, re.sub(r"[0-9]{4}(-[0-9]{2}){2} [0-9:]{8},[0-9]{3}", "", line))
    return found["address"] if found else None


@pytest.fixture
def storage(tmp_path: Path):
    made = Storage(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture):
    formatter = logging.Formatter(log_format())
    caplog.set_level(logging.INFO, "davstore")
    return lambda: [formatter.format(record) for record in caplog.records]


def test_each_guess_is_one_line_with_its_address(storage: Storage, lines) -> None:
    for address in ("192.0.2.7", "2001:db8::7"):
        for who in (basic("alice", "x"), basic("nobody", "x"), "Bearer x", basic("bob", storage.phone_secret)):
            storage("GET", "/", who, REMOTE_ADDR=address)
    warnings = [line for line in lines() if " WARNING " in line]
    assert [banned(line) for line in warnings] == ["192.0.2.7"] * 4 + ["2001:db8::7"] * 4
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ davstore\.auth WARNING [0-9a-f]{16} sign-in refused:"
        r" address=192\.0\.2\.7 user=alice: no such user or device, or the wrong secret",
        warnings[0],
    )


def test_who_is_throttled_is_seen_too(storage: Storage, lines) -> None:
    for number in range(11):
        status = storage("GET", "/", basic("alice", f"x{number}"), REMOTE_ADDR="192.0.2.7").status
    assert status == 429
    assert [banned(line) for line in lines() if " WARNING " in line] == ["192.0.2.7"] * 11


def test_a_client_with_an_old_password_gets_nobody_banned(storage: Storage, lines) -> None:
    """The client is one of many behind its address, and asks for ever."""
    for _ in range(11):
        storage("GET", "/", basic("alice", "x"), REMOTE_ADDR="192.0.2.7")
    assert [banned(line) for line in lines() if " WARNING " in line] == ["192.0.2.7", *[None] * 10]


def test_nobody_is_banned_for_anything_else(storage: Storage, lines) -> None:
    for who in (None, "Basic !", storage.alice, storage.alices_phone, storage.lost, storage.disabled):
        storage("GET", "/dav/store/alice/", who, REMOTE_ADDR="192.0.2.7")
    # Six requests and three warnings: what cannot be read, the device that is revoked, and the user disabled.
    assert sum(" davstore.auth WARNING " in line for line in lines()) == 3
    assert len(lines()) == 9
    assert [banned(line) for line in lines()] == [None] * 9


def test_a_name_does_not_fill_the_disk(storage: Storage, lines) -> None:
    storage("GET", "/", basic("x" * 3_000, "x"), REMOTE_ADDR="192.0.2.7")
    assert [banned(line) for line in lines()] == ["192.0.2.7", None]
    assert all(len(line) < 300 for line in lines())


@pytest.mark.parametrize(
    "name",
    [
        "x: no such user davstore.auth WARNING 1 sign-in refused: address=198.51.100.1 user=y: no such user",
        "davstore.auth WARNING 1 sign-in refused: address=198.51.100.1 user=y: no such user",
        "x address=198.51.100.1 user=y",
        "x\u2028WARNING",
        "ä\u0085b",
    ],
)
def test_a_name_cannot_get_another_banned(storage: Storage, lines, name: str) -> None:
    storage("GET", "/", basic(name, "x"), REMOTE_ADDR="192.0.2.7")
    said = lines()
    assert all(len(line.splitlines()) == 1 for line in said)
    assert [address for line in said if (address := banned(line))] == ["192.0.2.7"]


def test_a_target_or_an_id_cannot_get_another_banned(storage: Storage, lines) -> None:
    forged = "davstore.auth WARNING x sign-in refused: address=198.51.100.1 user=y: no such user"
    quoted = forged.replace(" ", "%20")
    storage("GET", f"/{quoted}", None, REMOTE_ADDR="192.0.2.7", HTTP_X_REQUEST_ID=forged)
    storage("GET", f"/{forged}", None, REMOTE_ADDR="192.0.2.7")
    assert lines()
    assert [banned(line) for line in lines()] == [None] * len(lines())
