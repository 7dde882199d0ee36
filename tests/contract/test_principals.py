"""Users and devices: enrolment, credentials, and how guessing is slowed down."""

from __future__ import annotations

import hmac
import inspect
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from davstore.errors import AlreadyExists, NotFound, Throttled, Unauthenticated, Unprocessable
from davstore.metadata import principals, stores
from davstore.metadata.engine import Database
from davstore.metadata.throttle import Throttle
from davstore.model.principals import DeviceClass, Principal
from davstore.protocol.authorization import Basic, Bearer
from davstore.store import authenticating, enrolling
from davstore.store.authenticating import Authenticator
from davstore.store.hashing import DUMMY, Passwords
from tests.contract.house import House

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
HOME, AWAY = "192.0.2.7", "203.0.113.9"


@pytest.fixture
def database(house: House) -> Database:
    return house.database


class Entrance:
    """Authenticators of two workers on one database and one throttle file, with a clock that stands still."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self.now_us = NOW
        self.throttles = [Throttle(directory / "throttle.sqlite") for _ in range(2)]
        self.workers = [Authenticator(database, one, Passwords(), key=b"both workers'") for one in self.throttles]

    def enter(self, credentials: Basic | Bearer, *, address: str = HOME, worker: int = 0) -> Principal:
        return self.workers[worker].authenticate(credentials, address=address, now_us=self.now_us)

    def fail(self, times: int, *, user: str = "alice", address: str = HOME) -> None:
        for _ in range(times):
            with pytest.raises(Unauthenticated):
                self.enter(Basic(user, "wrong"), address=address)


@pytest.fixture
def entrance(database: Database, tmp_path: Path):
    enrolling.add_user(database, "alice", "correct horse", now_us=NOW)
    made = Entrance(database, tmp_path)
    yield made
    for throttle in made.throttles:
        throttle.close()


RIGHT = Basic("alice", "correct horse")


def test_a_new_user_has_an_empty_store_with_its_quota(database: Database) -> None:
    enrolling.add_user(database, "bob", "secret", now_us=NOW, quota_bytes=1000)
    [account] = enrolling.list_users(database)
    facts = database.read(lambda unit: stores.get(unit, "bob"))
    assert (account.user.name, account.used_bytes, account.quota_bytes, account.created_us) == ("bob", 0, 1000, NOW)
    assert (facts.id, facts.quota_bytes) == (account.user.store_id, 1000)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a:b", "a b", "é", "a\n", "x" * 65, "-a"])
def test_what_cannot_be_a_name(database: Database, name: str) -> None:
    with pytest.raises(Unprocessable):
        enrolling.add_user(database, name, "secret", now_us=NOW)
    assert enrolling.list_users(database) == []


@pytest.mark.parametrize("password", ["", "a\nb", "\0", "x" * 1025])
def test_what_cannot_be_a_password(database: Database, password: str) -> None:
    with pytest.raises(Unprocessable):
        enrolling.add_user(database, "alice", password, now_us=NOW)


def test_names_are_given_once(entrance: Entrance) -> None:
    with pytest.raises(AlreadyExists):
        enrolling.add_user(entrance.database, "alice", "other", now_us=NOW)
    enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW)
    with pytest.raises(AlreadyExists):
        enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW)
    assert entrance.enter(RIGHT).user.name == "alice"


def test_who_is_not_there(database: Database) -> None:
    for call in (
        lambda: enrolling.set_password(database, "nobody", "secret"),
        lambda: enrolling.set_disabled(database, "nobody", disabled=True),
        lambda: enrolling.add_device(database, "nobody", "phone", now_us=NOW),
        lambda: enrolling.list_devices(database, "nobody"),
        lambda: enrolling.revoke_device(database, "nobody", "phone"),
    ):
        with pytest.raises(NotFound):
            call()


def test_the_password_opens_and_nothing_else_does(entrance: Entrance) -> None:
    principal = entrance.enter(RIGHT)
    assert (principal.user.name, principal.device) == ("alice", None)
    for wrong in (Basic("alice", "Correct horse"), Basic("alice", ""), Basic("Alice", "correct horse"), Basic("", "")):
        with pytest.raises(Unauthenticated):
            entrance.enter(wrong)
    with pytest.raises(Unauthenticated):
        entrance.enter(Bearer("correct-horse"))


def test_a_password_in_any_script(database: Database, tmp_path: Path) -> None:
    enrolling.add_user(database, "alice", "pässwörd: 密码 🔑", now_us=NOW)
    assert Entrance(database, tmp_path).enter(Basic("alice", "pässwörd: 密码 🔑")).user.name == "alice"


def test_a_new_password_counts_at_once_in_every_worker(entrance: Entrance) -> None:
    for worker in range(2):
        entrance.enter(RIGHT, worker=worker)
    enrolling.set_password(entrance.database, "alice", "battery staple")
    for worker in range(2):
        with pytest.raises(Unauthenticated):
            entrance.enter(RIGHT, worker=worker)
        entrance.enter(Basic("alice", "battery staple"), worker=worker)


def test_a_disabled_user_is_out_with_all_devices_and_can_come_back(entrance: Entrance) -> None:
    secret = enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW).secret
    entrance.enter(RIGHT)
    enrolling.set_disabled(entrance.database, "alice", disabled=True)
    for credentials in (RIGHT, Bearer(secret), Basic("alice", secret)):
        with pytest.raises(Unauthenticated):
            entrance.enter(credentials)
    enrolling.set_disabled(entrance.database, "alice", disabled=False)
    for credentials in (RIGHT, Bearer(secret), Basic("alice", secret)):
        assert entrance.enter(credentials).user.name == "alice"


def test_a_device_enters_with_its_secret(entrance: Entrance) -> None:
    device, secret = enrolling.add_device(
        entrance.database, "alice", "phone", device_class=DeviceClass.PHONE, now_us=NOW
    )
    assert re.fullmatch(r"dvs_[0-9a-f]{16}_[0-9a-f]{64}", secret)
    assert secret.split("_")[1] == device.id
    assert (device.name, device.device_class) == ("phone", DeviceClass.PHONE)
    for credentials in (Bearer(secret), Basic("alice", secret)):
        principal = entrance.enter(credentials)
        assert (principal.user.name, principal.device) == ("alice", device)


def test_no_secret_is_stored(entrance: Entrance) -> None:
    device, secret = enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW)
    enrolled = entrance.database.read(lambda unit: principals.find_enrolled(unit, device.id))
    credentials = entrance.database.read(lambda unit: principals.find_credentials(unit, "alice"))
    assert enrolled is not None
    assert credentials is not None
    assert secret.split("_")[2] not in enrolled.secret_sha256
    assert credentials.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert DUMMY.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert len(DUMMY) == len(credentials.password_hash)


def test_a_secret_opens_for_its_user_and_whole_only(entrance: Entrance) -> None:
    enrolling.add_user(entrance.database, "bob", "secret", now_us=NOW)
    secret = enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW).secret
    flipped = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    unknown = "dvs_" + "0" * 16 + secret[20:]
    for credentials in (Basic("bob", secret), Basic("", secret), Bearer(flipped), Bearer(unknown), Bearer(secret[:-1])):
        with pytest.raises(Unauthenticated):
            entrance.enter(credentials)


def test_a_revoked_device_is_out_at_once_and_its_name_is_free(entrance: Entrance) -> None:
    old = enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW)
    entrance.enter(Bearer(old.secret))
    enrolling.revoke_device(entrance.database, "alice", "phone")
    for worker in range(2):
        with pytest.raises(Unauthenticated):
            entrance.enter(Bearer(old.secret), worker=worker)
    with pytest.raises(NotFound):
        enrolling.revoke_device(entrance.database, "alice", "phone")
    new = enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW + 1)
    assert entrance.enter(Bearer(new.secret)).device == new.device
    facts = enrolling.list_devices(entrance.database, "alice")
    assert [(item.device.id, item.device.revoked) for item in facts] == [(old.device.id, True), (new.device.id, False)]


def test_ten_failures_then_a_delay_that_all_workers_know(entrance: Entrance) -> None:
    entrance.fail(10)
    for worker in range(2):
        with pytest.raises(Throttled) as caught:
            entrance.enter(RIGHT, address=AWAY, worker=worker)
        assert caught.value.retry_after_seconds == 30
    entrance.now_us += 30 * SECOND - 1
    with pytest.raises(Throttled):
        entrance.enter(RIGHT, address=AWAY)
    entrance.now_us += 1
    assert entrance.enter(RIGHT, address=AWAY).user.name == "alice"


def test_each_further_failure_doubles_the_delay_up_to_a_quarter_hour(entrance: Entrance) -> None:
    entrance.fail(10)
    for wait_seconds in (30, 60, 120, 240, 480, 900, 900):
        with pytest.raises(Throttled) as caught:
            entrance.enter(RIGHT)
        assert caught.value.retry_after_seconds == wait_seconds
        entrance.now_us += wait_seconds * SECOND
        entrance.fail(1)


def test_a_day_without_failures_forgets_them(entrance: Entrance) -> None:
    entrance.fail(10)
    entrance.now_us += 86_400 * SECOND
    entrance.fail(9)
    entrance.enter(RIGHT)


def test_a_throttled_guess_is_not_looked_at_and_does_not_count(entrance: Entrance) -> None:
    entrance.fail(10)
    for _ in range(20):
        with pytest.raises(Throttled):
            entrance.enter(Basic("alice", "wrong"))
    entrance.now_us += 30 * SECOND
    entrance.enter(RIGHT)


@pytest.mark.parametrize(
    ("guesses_from", "then_from", "throttled"),
    [
        (HOME, "192.0.2.200", True),
        (HOME, "192.0.3.7", False),
        (HOME, "::ffff:192.0.2.9", True),
        ("2001:db8:0:1::5", "2001:db8:0:1:ffff::9", True),
        ("2001:db8:0:1::5", "2001:db8:0:2::5", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_networks_are_throttled_whatever_accounts_they_try(
    entrance: Entrance, guesses_from: str, then_from: str, throttled: bool
) -> None:
    for number in range(10):
        entrance.fail(1, user=f"guess{number}", address=guesses_from)
    if throttled:
        with pytest.raises(Throttled):
            entrance.enter(RIGHT, address=then_from)
    else:
        entrance.enter(RIGHT, address=then_from)


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
    stranger = Authenticator(entrance.database, entrance.throttles[1], Passwords())
    with pytest.raises(Throttled):
        stranger.authenticate(RIGHT, address=HOME, now_us=entrance.now_us)


def test_wrong_secrets_count_and_revoked_ones_do_not(entrance: Entrance) -> None:
    secret = enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW).secret
    enrolling.revoke_device(entrance.database, "alice", "phone")
    for _ in range(11):
        with pytest.raises(Unauthenticated):
            entrance.enter(Basic("alice", secret))
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            entrance.enter(Bearer("x"))
    with pytest.raises(Throttled):
        entrance.enter(Bearer("x"))


def test_a_burst_of_guesses_cannot_run_past_the_throttle(entrance: Entrance) -> None:
    outcomes: list[type[Exception]] = []

    def guess() -> None:
        try:
            entrance.enter(Basic("alice", "wrong"))
        except (Unauthenticated, Throttled) as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=guess) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 30
    assert outcomes.count(Unauthenticated) <= 11  # two are judged at a time


class Work:
    """What authentication does that takes time, in order: looks, hashes with their parameters, digests, failures."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
        self.done: list[str] = []
        self._watch(monkeypatch, type(database), "look", lambda *_: "look")
        self._watch(monkeypatch, Passwords, "verify", lambda _, hashed, __: hashed.rsplit("$", 2)[0])
        self._watch(monkeypatch, hmac, "compare_digest", lambda a, b: f"compare {len(a)} {len(b)}")
        self._watch(monkeypatch, Throttle, "find_proof", lambda *_: "proof")
        self._watch(monkeypatch, Throttle, "wait_seconds", lambda _, keys, **__: f"ask of {len(keys)}")
        self._watch(monkeypatch, Throttle, "record_failure", lambda _, keys, **__: f"count {len(keys)}")

    def _watch(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, describe: Callable[..., str]) -> None:
        real = getattr(owner, name)

        def watching(*words: Any, **named: Any) -> Any:
            self.done.append(describe(*words, **named))
            return real(*words, **named)

        monkeypatch.setattr(owner, name, watching)

    def of(self, entrance: Entrance, credentials: Basic | Bearer) -> list[str]:
        self.done.clear()
        with pytest.raises(Unauthenticated):
            entrance.enter(credentials)
        return [step for step in self.done if step != "compare 0 32"]  # under a microsecond, of 24 ms


def test_every_wrong_password_costs_the_same_work(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bob", "carol"):
        enrolling.add_user(entrance.database, name, "correct horse", now_us=NOW)
    enrolling.set_disabled(entrance.database, "carol", disabled=True)
    work = Work(monkeypatch, entrance.database)
    expected = ["look", "proof", "ask of 2", "$argon2id$v=19$m=19456,t=2,p=1", "ask of 2", "count 2"]
    for name, password in (("bob", "wrong"), ("nobody", "wrong"), ("carol", "wrong"), ("carol", "correct horse")):
        assert work.of(entrance, Basic(name, password)) == expected


def test_every_wrong_secret_costs_the_same_work(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolling.add_user(entrance.database, "bob", "secret", now_us=NOW)
    secret = enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW).secret
    unknown = f"dvs_{'0' * 16}_{secret[-64:]}"
    work = Work(monkeypatch, entrance.database)
    for credentials in (
        Basic("bob", secret),
        Basic("nobody", secret),
        Basic("alice", secret[:-64] + "0" * 64),
        Basic("alice", unknown),
        Basic("nobody", unknown),
    ):
        assert work.of(entrance, credentials) == ["look", "compare 64 64", "ask of 2", "count 2"]


def test_a_disabled_users_password_is_guessed_no_oftener_than_others(entrance: Entrance) -> None:
    enrolling.set_disabled(entrance.database, "alice", disabled=True)
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            entrance.enter(RIGHT)
    with pytest.raises(Throttled):
        entrance.enter(RIGHT)


def test_what_is_remembered_is_small_and_no_secret(entrance: Entrance) -> None:
    """One mark for each user that there is, however many passwords and names are tried."""
    marks = []
    for number in range(3):
        enrolling.set_password(entrance.database, "alice", f"password {number}")
        entrance.enter(Basic("alice", f"password {number}"))
        with pytest.raises(Unauthenticated):
            entrance.enter(Basic("mistyped", "x"), address=f"10.0.{number}.1")
        marks.append(vars(entrance.workers[0])["_proven"].copy())
    assert [len(mark) for mark in marks] == [1, 1, 1]
    assert {len(value) for mark in marks for value in mark.values()} == {32}
    assert not re.search("password \\d|mistyped", repr(vars(entrance.workers[0])))
    caches = [value for value in vars(authenticating).values() if hasattr(value, "cache_parameters")]
    assert caches
    for cache in caches:
        assert cache.cache_parameters()["maxsize"] <= 4096
        assert [*inspect.signature(cache).parameters] == ["address", "ipv4_bits"]


def test_what_was_seen_of_a_device_is_listed(database: Database) -> None:
    enrolling.add_user(database, "alice", "secret", now_us=NOW)
    device = enrolling.add_device(database, "alice", "phone", now_us=NOW).device
    [facts] = enrolling.list_devices(database, "alice")
    assert (facts.seen_us, facts.round_us, facts.token) == (None, None, None)
    database.write(lambda unit: principals.record_seen(unit, device.id, seen_us=NOW + 2, round_us=NOW + 1, token="T"))
    assert enrolling.get_device(database, "alice", "phone") == facts._replace(
        seen_us=NOW + 2, round_us=NOW + 1, token="T"
    )
