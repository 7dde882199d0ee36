"""Guesses are slowed down and other sign-ins are not: by account and network, over restarts, with the figures of
docs/reliability.md."""

from __future__ import annotations

import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from davstore.errors import Throttled, Unauthenticated
from davstore.metadata import guesses
from davstore.protocol.http.authorization import Basic, Bearer
from davstore.store import enrolling
from tests.contract.entrance import AFAR, AWAY, DAY, HOME, MINUTE, NOW, RIGHT, SECOND, Entrance
from tests.contract.storage import Storage

OLD = Basic("alice", "the password of last year")


@pytest.fixture
def door(sqlite_storage: Storage, tmp_path: Path):
    """Yield an entrance on SQLite: what is counted lies in a file of its own whatever the database is."""
    made = Entrance(sqlite_storage.database, tmp_path)
    yield made
    made.close()


USERS = [f"user{number}" for number in range(1_000)]


def network(number: int) -> str:
    """Return an address in a network of its own."""
    return f"10.{number // 250}.{number % 250}.1"


def test_ten_failures_then_a_delay_that_all_workers_know(entrance: Entrance) -> None:
    entrance.fail(10)
    for worker in range(2):
        assert not entrance.opens(RIGHT, worker=worker)
    assert entrance.wait_seconds(RIGHT) == 30
    entrance.now_us += 30 * SECOND - 1
    assert not entrance.opens(RIGHT)
    entrance.now_us += 1
    assert entrance.opens(RIGHT)


def test_each_further_failure_doubles_the_delay_up_to_a_quarter_hour(door: Entrance) -> None:
    door.fail(10)
    for wait_seconds in (30, 60, 120, 240, 480, 900, 900):
        assert door.wait_seconds(RIGHT) == wait_seconds
        door.now_us += wait_seconds * SECOND
        door.fail(1)


def test_a_day_without_failures_forgets_them(door: Entrance) -> None:
    door.fail(10)
    door.now_us += DAY
    door.fail(9)
    assert door.opens(RIGHT)


def test_a_throttled_guess_is_not_looked_at_and_does_not_count(door: Entrance) -> None:
    door.fail(10)
    assert not any(door.guess() for _ in range(20))
    door.now_us += 30 * SECOND
    assert door.opens(RIGHT)


def test_a_restart_forgets_no_failure(door: Entrance) -> None:
    door.fail(10)
    door.restart()
    assert not door.opens(RIGHT)


@pytest.mark.parametrize(
    ("guesses_from", "then_from", "throttled"),
    [
        (HOME, "192.0.2.200", True),
        (HOME, "192.0.3.7", False),
        (HOME, "::ffff:192.0.2.9", True),
        ("2001:db8:0:1::5", "2001:db8:0:1:ffff::9", True),
        ("2001:db8:0:1::5", "2001:db8:0:2::5", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", False),  # a local socket has no network
    ],
)
def test_a_network_waits_when_many_accounts_fail_there(
    door: Entrance, guesses_from: str, then_from: str, throttled: bool
) -> None:
    door.add_users(*USERS[:10])
    for user in USERS[:10]:
        door.fail(1, user=user, address=guesses_from)
    assert door.opens(RIGHT, address=then_from) is not throttled


def test_a_network_does_not_wait_for_nine_accounts_however_often_they_fail(door: Entrance) -> None:
    door.add_users("bob", *USERS[:10])
    for user in USERS[:9]:
        door.fail(10, user=user)
    assert door.opens(RIGHT)
    door.fail(1, user=USERS[9])
    assert door.wait_seconds(Basic("bob", "correct horse")) == 900


def test_who_mistypes_and_then_signs_in_is_no_failed_account(door: Entrance) -> None:
    door.add_users(*USERS[:20])
    for user in USERS[:20]:
        door.fail(2, user=user)
        assert door.opens(Basic(user, "correct horse"))
    door.fail(9, user=USERS[0])
    assert door.opens(RIGHT)


def test_an_account_without_a_user_is_counted_as_one_with(door: Entrance) -> None:
    for user in ("alice", "nobody"):
        door.fail(10, user=user)
        assert not door.guess(user)
    for number in range(2, 10):
        door.fail(1, user=f"nobody{number}")
    assert not door.guess("another")


# The same wrong password


def test_the_same_wrong_password_is_no_new_guess(entrance: Entrance) -> None:
    said = []
    for _ in range(50):
        with pytest.raises(Unauthenticated) as caught:
            entrance.enter(OLD)
        said.append(str(caught.value))
    assert said == ["no such user or device, or the wrong secret", *["the same wrong secret as before"] * 49]
    entrance.fail(8)
    assert entrance.opens(RIGHT)


def test_one_password_is_a_guess_at_each_account_and_in_each_network(door: Entrance) -> None:
    for number in range(10):
        with pytest.raises(Unauthenticated):
            door.enter(Basic(f"user{number}", "spring2026"))
    assert not door.opens(RIGHT)
    for number in range(10):
        with pytest.raises(Unauthenticated):
            door.enter(Basic("carol", "spring2026"), address=network(number))
    assert not door.guess("carol", address=AWAY)


def test_a_restart_does_not_make_it_a_new_guess(door: Entrance) -> None:
    """The key of a server is another one after each restart, and changes nothing."""
    secret = "dvs_" + "0" * 80
    for _ in range(12):
        for wrong in (OLD, Basic("alice", f"{secret[:20]}_{secret[:64].replace('dvs_', '0000')}")):
            with pytest.raises(Unauthenticated):
                door.enter(wrong)
        door.restart()
    door.fail(7)
    assert door.opens(RIGHT)


def test_a_password_that_was_wrong_opens_when_it_is_the_right_one(entrance: Entrance) -> None:
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            entrance.enter(Basic("alice", "battery staple"))
    enrolling.set_password(entrance.database, "alice", "battery staple")
    entrance.enter(Basic("alice", "battery staple"))
    enrolling.set_disabled(entrance.database, "alice", disabled=True)
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            entrance.enter(Basic("alice", "battery staple"))
    enrolling.set_disabled(entrance.database, "alice", disabled=False)
    entrance.enter(Basic("alice", "battery staple"))


def test_wrong_secrets_count_once_and_revoked_ones_do_not(entrance: Entrance) -> None:
    secret = enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW).secret
    enrolling.revoke_device(entrance.database, "alice", "phone")
    for wrong in (Basic("alice", secret), Bearer("x")):
        for _ in range(11):
            with pytest.raises(Unauthenticated):
                entrance.enter(wrong)
    for number in range(9):
        with pytest.raises(Unauthenticated):
            entrance.enter(Bearer(f"x{number}"))
    with pytest.raises(Throttled):
        entrance.enter(Bearer("y"))
    assert entrance.opens(RIGHT)


def test_what_is_remembered_has_an_end(door: Entrance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "MOST_WRONG", 5)
    monkeypatch.setattr(guesses, "KNOWN_NETWORKS", 3)
    door.add_users(*USERS[:9])
    for number, user in enumerate(USERS[:9]):
        door.fail(1, user=user)
        door.enter(RIGHT, address=network(number))
        door.now_us += MINUTE
    with sqlite3.connect(tmp_path / "throttle.sqlite") as file:
        kept = [file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("wrong", "known", "failure")]
        assert kept == [5, 3, 9]
        door.now_us += DAY
        door.fail(1)
        kept = [file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("wrong", "failure")]
        assert kept == [1, 1]
    file.close()


# Who is known


def test_who_knows_a_secret_is_never_locked_out(entrance: Entrance) -> None:
    secret = enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW).secret
    entrance.enter(RIGHT)
    entrance.fail(10)
    for worker in range(2):
        for credentials in (Bearer(secret), Basic("alice", secret), RIGHT):
            entrance.enter(credentials, worker=worker)
        with pytest.raises(Throttled):
            entrance.enter(Basic("alice", "wrong"), worker=worker)


def test_a_proof_is_worth_nothing_without_the_key(entrance: Entrance) -> None:
    entrance.enter(RIGHT)
    entrance.fail(10)
    entrance.restart()
    assert not entrance.opens(RIGHT)


def test_who_signed_in_from_a_network_does_not_wait_for_others_there(door: Entrance) -> None:
    door.add_users("bob", "carol", *USERS[:12])
    door.enter(RIGHT)
    door.enter(Basic("bob", "correct horse"), address=AWAY)
    door.restart()
    for user in USERS[:12]:
        door.guess(user)
    for name, opens in (("alice", True), ("bob", False), ("carol", False)):
        assert door.opens(Basic(name, "correct horse")) is opens
    enrolling.set_password(door.database, "alice", "battery staple")
    assert not door.opens(Basic("alice", "battery staple"))  # what is known ends with the password


def test_every_network_that_one_signs_in_from_is_remembered(door: Entrance) -> None:
    """A worker that had the password proven before remembers it, and so does one that shares the mark of another."""
    door.enter(RIGHT)
    door.enter(RIGHT, address=AWAY)
    door.enter(RIGHT, address=AFAR, worker=1)
    door.restart()
    door.add_users(*USERS[:10])
    for address in (HOME, AWAY, AFAR):
        for user in USERS[:10]:
            door.fail(1, user=user, address=address)
        assert door.opens(RIGHT, address=address)


def test_known_is_forgotten_after_90_days_without_a_sign_in(door: Entrance) -> None:
    door.add_users(*USERS[:10])
    for _ in range(90):
        door.enter(RIGHT)
        door.now_us += DAY
    for days, opens in ((89, True), (91, False)):
        door.restart()
        door.now_us += (days - 1) * DAY
        for user in USERS[:10]:
            door.fail(1, user=user)
        assert door.opens(RIGHT) is opens
        door.now_us += DAY


def test_who_is_known_guesses_no_oftener(door: Entrance) -> None:
    door.enter(RIGHT)
    door.fail(10)
    assert not door.guess()


def test_a_burst_of_guesses_cannot_run_past_the_throttle(entrance: Entrance) -> None:
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(entrance.guess())) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 30
    assert sum(outcomes) <= 11  # two are judged at a time


def test_a_disabled_users_password_is_guessed_no_oftener_than_others(entrance: Entrance) -> None:
    enrolling.set_disabled(entrance.database, "alice", disabled=True)
    entrance.fail(9)
    with pytest.raises(Unauthenticated):
        entrance.enter(RIGHT)
    assert not entrance.guess()


# The figures


def test_sixty_first_sign_ins_beside_a_client_with_an_old_password(door: Entrance) -> None:
    """For ten minutes the client asks each second, and the server is started anew in between."""
    door.add_users(*USERS[:60])
    opened = told = 0
    for second in range(600):
        door.now_us += SECOND
        with pytest.raises(Unauthenticated):
            door.enter(OLD)
        told += 1
        if second % 10 == 5:
            opened += door.opens(Basic(USERS[second // 10], "correct horse"))
        if second in (200, 400):
            door.restart()
    sys.stdout.write(f"{opened} of 60 first sign-ins, the old password {told} times 401\n")
    assert (opened, told) == (60, 600)


def test_the_owner_signs_in_during_and_after_guesses_from_afar(door: Entrance) -> None:
    opened = 0
    for minute in range(300):
        door.guess(address=AFAR)
        if minute % 10 == 9:
            door.restart()
            opened += door.opens(RIGHT, address=HOME if minute % 20 == 9 else AWAY)
        door.now_us += MINUTE // 2
    door.restart()
    assert door.opens(RIGHT, address="192.0.2.99")
    assert opened == 30


@pytest.mark.parametrize("accounts", [1, 1_000])
def test_a_thousand_guesses_from_one_network_in_a_day(door: Entrance, accounts: int) -> None:
    door.add_users(*USERS[:accounts])
    judged = 0
    for number in range(1_000):
        judged += door.guess(USERS[number % accounts])
        door.now_us += DAY // 1_000
    sys.stdout.write(f"{judged} of 1,000 guesses at {accounts} accounts judged in a day\n")
    assert 90 <= judged <= 115


def test_two_hundred_networks_guess_at_one_account(door: Entrance) -> None:
    """Each network guesses as soon as it may. The owner signs in at home at once, and from elsewhere after one wait."""
    door.enter(RIGHT)
    judged, told, opened = 0, 0, False
    for minute in range(0, 121, 5):
        door.now_us = NOW + minute * MINUTE
        judged += sum(door.guess(address=network(number)) for number in range(200))
        door.restart()  # else the password were proven, and its owner waited nowhere
        if minute == 60:
            told = door.wait_seconds(RIGHT, address=AWAY)
        elif told and minute * 60 >= 3_600 + told and not opened:
            opened = door.opens(RIGHT, address=AWAY)
            assert opened
        door.restart()
        assert door.opens(RIGHT)
    sys.stdout.write(f"{judged} guesses of 200 networks judged in two hours; the owner elsewhere waited {told} s\n")
    assert opened
    assert 0 < told <= 900
    assert judged <= 200 + 10 * 9 + 2 * 4  # one of each network, what the first ten had free, and four an hour


def test_the_networks_of_one_site_have_one_first_guess_together(door: Entrance) -> None:
    """A customer may have 65,536 networks of IPv6."""
    for number in range(10):
        door.fail(1, address=network(number))
    inside = [f"2001:db8:1:{number:x}::1" for number in range(50)]
    assert not any(door.guess(address=address) for address in inside)
    door.now_us += 15 * MINUTE
    door.fail(1, address=network(10))
    judged = sum(door.guess(address=address) for address in inside)
    assert judged == 1
    assert door.wait_seconds(RIGHT, address="2001:db8:1:ffff::1") <= 900
    assert not door.opens(RIGHT, address="2001:db8:2::1")
    door.now_us += 15 * MINUTE
    door.fail(1, address=network(11))
    assert door.opens(RIGHT, address="2001:db8:2::1")
