"""Principals by name and number, and which of them hold a user (RFC 3744 §4.3, §4.4)."""

from __future__ import annotations

import json

import pytest

from davstore.metadata import memberships, principals
from davstore.metadata.database import Database
from davstore.metadata.memberships import MY_PRINCIPALS
from davstore.metadata.statements import Statement
from davstore.metadata.tables import LIST
from davstore.metadata.unit import Unit
from davstore.model.principals import NamedPrincipal, PrincipalKind
from davstore.store import enrolling
from tests.contract.storage import Storage

_MINE = Statement[tuple[int]](MY_PRINCIPALS)


def user(name: str) -> NamedPrincipal:
    return NamedPrincipal(PrincipalKind.USER, name)


def group(name: str) -> NamedPrincipal:
    return NamedPrincipal(PrincipalKind.GROUP, name)


def list_of(owner: str, name: str) -> NamedPrincipal:
    return NamedPrincipal(PrincipalKind.LIST, name, owner)


@pytest.fixture
def database(storage: Storage) -> Database:
    for name in ("alice", "bob"):
        enrolling.add_user(storage.database, name, "secret", now_us=1)
    enrolling.add_device(storage.database, "alice", "phone", now_us=1)
    return storage.database


def test_principals_are_found_by_name_and_by_number(database: Database) -> None:
    wanted = [user("alice"), group("staff"), list_of("alice", "family"), list_of("bob", "friends")]
    near = [user("staff"), user("phone"), group("alice"), list_of("alice", "friends"), list_of("bob", "family")]

    def add(unit: Unit) -> None:
        memberships.add_groups(unit, ["staff", "others"])
        memberships.add_groups(unit, ["staff"])
        ids = memberships.find_ids(unit, [user("alice"), user("bob")])
        principals.add_principal(unit, LIST, "family", owner_id=ids[user("alice")])
        principals.add_principal(unit, LIST, "friends", owner_id=ids[user("bob")])

    database.write(add)
    found = database.read(lambda unit: memberships.find_ids(unit, [*wanted, *near]))
    assert set(found) == set(wanted)
    everything = database.read(lambda unit: memberships.find_names(unit, range(1, 100)))
    assert {number: name for name, number in found.items()}.items() <= everything.items()
    assert len(everything) == len(set(everything.values())) == 7  # me, alice, bob, two groups, two lists; no device
    assert database.read(lambda unit: (memberships.find_ids(unit, []), memberships.find_names(unit, []))) == ({}, {})


def _mine(database: Database, me: int, *groups: str) -> list[int]:
    values = {"me": me, "groups": json.dumps(groups)}
    return sorted(number for (number,) in database.read(lambda unit: unit.all(_MINE, values)))


def test_a_user_is_itself_its_groups_and_all_lists_that_hold_any_of_these(database: Database) -> None:
    def add(unit: Unit) -> tuple[int, ...]:
        memberships.add_groups(unit, ["staff", "others"])
        found = memberships.find_ids(unit, [user("alice"), user("bob"), group("staff")])
        alice, bob, staff = found[user("alice")], found[user("bob")], found[group("staff")]
        lists = [
            principals.add_principal(unit, LIST, name, owner_id=bob) for name in ("a", "b", "c", "of bob", "round")
        ]
        first, second, third, other, circle = lists
        held = {(first, alice), (second, first), (third, second), (third, alice), (other, bob), (circle, first)}
        for list_id, member_id in {*held, (first, circle)}:
            sql = f"INSERT INTO membership (list_id, member_id) VALUES ({list_id}, {member_id})"
            unit.connection.execute(sql)
        return alice, bob, staff, *lists

    alice, bob, staff, first, second, third, other, circle = database.write(add)
    assert _mine(database, alice) == sorted([alice, first, second, third, circle])
    assert _mine(database, alice, "staff", "unknown") == sorted([alice, staff, first, second, third, circle])
    assert _mine(database, bob, "unknown") == sorted([bob, other])
