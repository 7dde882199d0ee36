"""Principals by name and number, and which of them hold a user (RFC 3744 §4.3, §4.4)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from davstore.metadata import aces, lists, memberships, stores
from davstore.metadata.database import Database
from davstore.metadata.memberships import MY_PRINCIPALS
from davstore.metadata.statements import Statement
from davstore.metadata.unit import Unit
from davstore.model.acl import Ace
from davstore.model.principals import NamedPrincipal, Principal, PrincipalKind
from davstore.store import enrolling, grouping
from davstore.store.grouping import ListPatch
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
        lists.add_list(unit, ids[user("alice")], "family")
        lists.add_list(unit, ids[user("bob")], "friends")

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
        made = [lists.add_list(unit, bob, name).id for name in ("a", "b", "c", "of bob", "round")]
        first, second, third, other, circle = made
        held = {(first, alice), (second, first), (third, second), (third, alice), (other, bob), (circle, first)}
        for list_id, member_id in {*held, (first, circle)}:
            sql = f"INSERT INTO membership (list_id, member_id) VALUES ({list_id}, {member_id})"
            unit.connection.execute(sql)
        return alice, bob, staff, *made

    alice, bob, staff, first, second, third, other, circle = database.write(add)
    assert _mine(database, alice) == sorted([alice, first, second, third, circle])
    assert _mine(database, alice, "staff", "unknown") == sorted([alice, staff, first, second, third, circle])
    assert _mine(database, bob, "unknown") == sorted([bob, other])


def _entries(database: Database) -> list[int]:
    """Return the numbers of the principals that entries of alice's root name."""
    facts = database.read(lambda unit: stores.get(unit, "alice"))
    entries = database.read(lambda unit: aces.list_aces(unit, facts.id, [facts.root_id]))
    return [one.principal_id for one in entries[facts.root_id]]


def test_what_names_a_principal_ends_with_it(storage: Storage, database: Database) -> None:
    """The next principal may get its number, and would have its rights."""
    asker = {name: Principal(enrolling.get_user(database, name)) for name in ("alice", "bob")}
    context = replace(storage.context, asker=asker["alice"])
    for name, members in (("family", [user("bob")]), ("friends", [list_of("alice", "family"), user("bob")])):
        grouping.make_list(context, name, ListPatch(members={str(one): one for one in members}))
    grouping.make_list(replace(context, asker=asker["bob"]), "own", ListPatch(members={"": user("alice")}))
    ids = database.read(
        lambda unit: memberships.find_ids(
            unit, [user("bob"), list_of("alice", "family"), list_of("alice", "friends"), list_of("bob", "own")]
        )
    )
    bob, family, friends, own = (
        ids[one]
        for one in (user("bob"), list_of("alice", "family"), list_of("alice", "friends"), list_of("bob", "own"))
    )
    facts = database.read(lambda unit: stores.get(unit, "alice"))
    entries = [Ace(one, denies=False, privileges=1) for one in (bob, family, friends, own)]
    database.write(lambda unit: aces.set_aces(unit, facts.id, facts.root_id, entries))
    assert _mine(database, bob) == sorted([bob, family, friends])
    grouping.end_list(context, "family")
    assert (_entries(database), _mine(database, bob)) == ([bob, friends, own], sorted([bob, friends]))
    enrolling.remove_user(database, storage.blobs, "bob")
    assert _entries(database) == [friends]
    enrolling.remove_user(database, storage.blobs, "alice")
    left = database.read(lambda unit: memberships.find_names(unit, range(1, 100)))
    assert set(left.values()) == {user("me")}


def test_two_that_change_lists_at_once_make_no_cycle(storage: Storage, database: Database) -> None:
    context = replace(storage.context, asker=Principal(enrolling.get_user(database, "alice")))
    for name in ("a", "b"):
        grouping.make_list(context, name, ListPatch())

    def hold(name: str, other: str) -> bool:
        return grouping.patch_list(context, name, ListPatch(members={"": list_of("alice", other)})) is None

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(hold, ("a", "b"), ("b", "a")))
    assert sorted(done) == [False, True]
