"""Users and devices: enrolment and credentials. How guessing is slowed down is in `test_guessing`."""

from __future__ import annotations

import hmac
import inspect
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import argon2
import pytest

from davstore.errors import AlreadyExists, NotFound, Throttled, TooManyDevices, Unauthenticated, Unprocessable
from davstore.metadata import principals, stores
from davstore.metadata.database import Database
from davstore.metadata.volatile import VolatileFile
from davstore.model.decisions import LastDecision
from davstore.model.principals import Ability, DeviceClass
from davstore.protocol.http.authorization import Basic, Bearer
from davstore.store import authenticating, enrolling
from davstore.store.hashing import DUMMY, Passwords
from tests.contract.entrance import AWAY, NOW, RIGHT, Entrance
from tests.contract.storage import Storage


@pytest.fixture
def database(storage: Storage) -> Database:
    return storage.database


def test_a_new_user_has_an_empty_store_with_its_quota(database: Database) -> None:
    enrolling.add_user(database, "bob", "secret", now_us=NOW, quota_bytes=1000)
    account, _me = enrolling.list_users(database)
    facts = database.read(lambda unit: stores.get(unit, "bob"))
    assert (account.user.name, account.used_bytes, account.quota_bytes, account.created_us) == ("bob", 0, 1000, NOW)
    assert (facts.id, facts.quota_bytes) == (account.user.store_id, 1000)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a:b", "a b", "é", "a\n", "x" * 65, "-a"])
def test_what_cannot_be_a_name(database: Database, name: str) -> None:
    with pytest.raises(Unprocessable):
        enrolling.add_user(database, name, "secret", now_us=NOW)
    assert [account.user.name for account in enrolling.list_users(database)] == ["me"]


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


def test_a_password_in_any_script(entrance: Entrance) -> None:
    enrolling.add_user(entrance.database, "bob", "pässwörd: 密码 🔑", now_us=NOW)
    assert entrance.enter(Basic("bob", "pässwörd: 密码 🔑")).user.name == "bob"


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
    enrolling.add_user(entrance.database, "bob", "correct horse", now_us=NOW)
    credentials = entrance.database.read(lambda unit: principals.find_credentials(unit, "bob"))
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


def test_a_suspended_device_is_known_and_can_come_back(entrance: Entrance) -> None:
    device, secret = enrolling.add_device(entrance.database, "alice", "phone", now_us=NOW)
    enrolling.set_suspended(entrance.database, "alice", "phone", suspended=True)
    for worker in range(2):
        assert entrance.enter(Bearer(secret), worker=worker).device == device._replace(suspended=True)
    assert [item.device.state for item in enrolling.list_devices(entrance.database, "alice")] == ["suspended"]
    enrolling.set_suspended(entrance.database, "alice", "phone", suspended=False)
    assert entrance.enter(Bearer(secret)).device == device
    enrolling.revoke_device(entrance.database, "alice", "phone")
    with pytest.raises(NotFound):
        enrolling.set_suspended(entrance.database, "alice", "phone", suspended=True)


def test_a_service_enters_with_its_secret_until_it_is_revoked(entrance: Entrance) -> None:
    service, secret = enrolling.add_service(entrance.database, "recorder", Ability.DELIVER, now_us=NOW)
    assert re.fullmatch(rf"dvs_{service.key}_[0-9a-f]{{64}}", secret)
    for credentials in (Bearer(secret), Basic("recorder", secret)):
        assert entrance.admit(credentials) == service
    for wrong in (Basic("alice", secret), Basic("", secret), Bearer(f"{secret[:-64]}{'0' * 64}")):
        with pytest.raises(Unauthenticated):
            entrance.admit(wrong)
    with pytest.raises(AlreadyExists):
        enrolling.add_service(entrance.database, "recorder", Ability.DELIVER, now_us=NOW)
    enrolling.revoke_service(entrance.database, "recorder")
    for worker in range(2):
        with pytest.raises(Unauthenticated):
            entrance.admit(Bearer(secret), worker=worker)
    with pytest.raises(NotFound):
        enrolling.revoke_service(entrance.database, "recorder")
    new = enrolling.add_service(entrance.database, "recorder", Ability.DELIVER, now_us=NOW + 1)
    assert entrance.admit(Bearer(new.secret)) == new.service
    assert [facts.asker.state for facts in enrolling.list_services(entrance.database)] == ["revoked", "active"]


def test_the_secret_of_a_service_is_guessed_no_faster_than_others(entrance: Entrance) -> None:
    enrolling.add_service(entrance.database, "recorder", Ability.DELIVER, now_us=NOW)
    failures: list[type[Exception]] = []
    for number in range(12):
        with pytest.raises(Unauthenticated) as refused:
            entrance.admit(Basic("recorder", f"dvs_{number:016x}_{number:064x}"))
        failures.append(refused.type)
    assert failures == [Unauthenticated] * 10 + [Throttled] * 2


def test_a_user_has_so_many_devices_and_a_revoked_one_frees_its_place(database: Database) -> None:
    enrolling.add_user(database, "alice", "secret", now_us=NOW)

    def enrol(name: str) -> str:
        return enrolling.add_device(database, "alice", name, now_us=NOW, most=3).secret

    def try_to_enrol(name: str) -> bool:
        try:
            return bool(enrol(name))
        except TooManyDevices:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_to_enrol, [f"d{number}" for number in range(8)])) == 3
    first, second, _ = [facts.device.name for facts in enrolling.list_devices(database, "alice")]
    enrolling.set_suspended(database, "alice", first, suspended=True)  # it keeps its place
    with pytest.raises(TooManyDevices):
        enrol("more")
    enrolling.revoke_device(database, "alice", second)
    enrol("more")
    enrolling.add_device(database, "me", "of-another", now_us=NOW, most=1)


def test_a_name_is_given_once_at_a_time(database: Database) -> None:
    def enrol(number: int) -> str:
        try:
            return enrolling.add_device(database, "me", "phone", now_us=NOW + number).secret
        except AlreadyExists:
            return ""

    with ThreadPoolExecutor(8) as pool:
        assert len([secret for secret in pool.map(enrol, range(8)) if secret]) == 1


class Work:
    """The steps of authentication that take time, in order: looks, hashes with their parameters, digests, failures."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
        self.done: list[str] = []
        self._watch(monkeypatch, type(database), "look", lambda *_: "look")
        self._watch(monkeypatch, Passwords, "judge", lambda _, hashed, __: hashed.rsplit("$", 2)[0])
        self._watch(monkeypatch, hmac, "compare_digest", lambda a, b: f"compare {len(a)} {len(b)}")
        self._watch(monkeypatch, VolatileFile, "run", lambda *_, **__: "throttle")

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


def test_a_hash_is_judged_as_its_library_does(entrance: Entrance) -> None:
    passwords, reference = Passwords(), argon2.PasswordHasher()
    traces = set()
    for hashed in (passwords.hash("pässwörd"), argon2.PasswordHasher(1, 8 * 1024, 2, 16, 32).hash("pässwörd")):
        assert reference.verify(hashed, "pässwörd")
        for password, right in (("pässwörd", True), ("passwörd", False)):
            judged = [passwords.judge(hashed, password) for _ in range(2)]
            assert [one[0] for one in judged] == [right, right]
            assert judged[0][1] == judged[1][1]
            traces.add(judged[0][1])
    assert len(traces) == 4
    assert passwords.judge(DUMMY, "pässwörd")[0] is False
    assert {passwords.judge(broken, "x") for broken in ("", "x", DUMMY[:-50], "$argon2id$v=19$m=1,t=0,p=1$$")} == {
        (False, b"")
    }


def test_every_wrong_password_costs_the_same_work(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bob", "carol"):
        enrolling.add_user(entrance.database, name, "correct horse", now_us=NOW)
    enrolling.set_disabled(entrance.database, "carol", disabled=True)
    work = Work(monkeypatch, entrance.database)
    before, after = ["look", *["throttle"] * 4], ["compare 97 97", *["throttle"] * 2]
    for name, password in (("bob", "wrong"), ("nobody", "wrong"), ("carol", "wrong"), ("carol", "correct horse")):
        assert work.of(entrance, Basic(name, password)) == [*before, "$argon2id$v=19$m=19456,t=2,p=1", *after]
        assert work.of(entrance, Basic(name, password)) == ["look", "throttle"]  # the second time it is no guess


def test_a_proven_password_costs_a_look_and_a_comparison(entrance: Entrance, monkeypatch: pytest.MonkeyPatch) -> None:
    entrance.enter(RIGHT)
    work = Work(monkeypatch, entrance.database)
    entrance.enter(RIGHT)
    assert work.done == ["look", "compare 32 32"]
    entrance.enter(RIGHT, address=AWAY)
    assert work.done[2:] == ["look", "compare 32 32", "throttle"]  # from there for the first time


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
        assert work.of(entrance, credentials) == ["look", "compare 64 64", "throttle", "throttle"]


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
    seen = facts._replace(seen_us=NOW + 2, round_us=NOW + 1, token="T", decision=LastDecision(), decided_us=NOW + 2)
    assert enrolling.get_device(database, "alice", "phone") == seen
    refused = LastDecision("sync-allowed", "provider", "no-roaming")
    database.write(lambda unit: principals.record_decision(unit, device.id, refused, decided_us=NOW + 3))
    assert enrolling.get_device(database, "alice", "phone") == seen._replace(decision=refused, decided_us=NOW + 3)
