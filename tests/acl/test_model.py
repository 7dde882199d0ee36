"""The model of rights, held against what RFC 3744 says of itself (§3, §6, Appendix B)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tests.acl.matrix import FOLDERS, M, N, O, S, T, deny, grant
from tests.acl.model import DONE, MISSING, PRIVILEGES, STANDARD, Ace, Lack, Rights, Store, closure, expected

LISTS = {"list:family": frozenset({"list:close"}), "list:close": frozenset({"user:bob"})}


def store(aces: Mapping[str, Sequence[Ace]], now: float = 0) -> Store:
    return Store("alice", FOLDERS, aces, LISTS, now)


def lacks(aces: Mapping[str, Sequence[Ace]], method: str, path: str, to: str = "") -> set[Lack]:
    """Return what bob lacks for a method that he is refused."""
    outcome = expected(store(aces), "bob", method, path, to)
    assert outcome.status == 403
    return set(outcome.lacks)


def test_aggregates_contain_what_they_must_and_not_each_other() -> None:
    assert closure("write") >= {"bind", "unbind", "write-properties", "write-content"}
    apart = ("read", "write", "read-acl", "write-acl", "read-current-user-privilege-set")
    assert all(one == other or other not in closure(one) for one in apart for other in apart)
    assert closure("all") == set(PRIVILEGES)
    assert set(PRIVILEGES) > STANDARD


def test_all_parts_of_an_aggregate_are_the_aggregate() -> None:
    parts = [grant("access", "copy"), grant("list")]
    assert Rights(store({S: parts}), "bob").holds("read", S)
    assert Rights(store({S: parts}), "bob").privilege_set(M) == closure("read")
    assert not Rights(store({S: [deny("copy"), *parts]}), "bob").holds("read", S)


def test_nothing_is_granted_by_default_and_the_owner_has_everything() -> None:
    assert expected(store({}), "bob", "GET", M) == MISSING
    assert expected(store({"": [deny("all", who="authenticated")]}), "alice", "DELETE", M) == DONE


@pytest.mark.parametrize("who", ["user:bob", "list:close", "list:family", "authenticated"])
def test_an_entry_is_about_those_whom_its_principal_holds(who: str) -> None:
    aces = {S: [grant("access", who=who)]}
    assert expected(store(aces), "bob", "GET", M) == DONE
    assert (expected(store(aces), "carol", "GET", M) == DONE) == (who == "authenticated")


def test_a_deny_above_stands_over_a_grant_of_the_member() -> None:
    assert lacks({"top": [deny("write"), grant("read")], M: [grant("all")]}, "PUT", M) == {(M, "write-content")}


def test_an_entry_holds_until_it_expires() -> None:
    granted, denied = [grant("access", expires=5)], [deny("all", expires=5), grant("read")]
    outcomes = [(expected(store({S: aces}, now), "bob", "GET", M)) for aces in (granted, denied) for now in (4, 5)]
    assert outcomes == [DONE, MISSING, MISSING, DONE]


def test_what_may_be_listed_is_shown_and_what_is_denied_is_hidden() -> None:
    assert lacks({S: [grant("list")]}, "GET", M) == {(M, "access")}
    assert expected(store({S: [deny("access"), grant("list")]}), "bob", "GET", M) == MISSING


SEE = grant("access", "list")
APPENDIX_B = [
    ("GET", M, "", "read", M),
    ("HEAD", M, "", "read", M),
    ("PUT", M, "", "write-content", M),
    ("PUT", f"{S}/new", "", "bind", S),
    ("PROPPATCH property", M, "", "write-properties", M),
    ("ACL", M, "", "write-acl", M),
    ("PROPFIND 0", M, "", "read", M),
    *(("COPY", M, O, privilege, O) for privilege in ("write-content", "write-properties")),
    ("COPY", M, O, "read", M),
    ("COPY", M, f"{T}/new", "bind", T),
    *(("MOVE", M, to, "unbind", S) for to in (f"{T}/new", O, f"{S}/new", N)),
    *(("MOVE", M, to, "bind", T) for to in (f"{T}/new", O)),
    ("MOVE", M, f"{S}/new", "bind", S),
    ("MOVE", M, O, "unbind", T),
    ("DELETE", M, "", "unbind", S),
    ("LOCK", M, "", "write-content", M),
    ("LOCK", f"{S}/new", "", "bind", S),
    ("MKCOL", f"{S}/new", "", "bind", S),
    ("UNLOCK", M, "", "unlock", M),
    ("sync-collection", S, "", "read", S),
]


@pytest.mark.parametrize(("method", "path", "to", "privilege", "where"), APPENDIX_B)
def test_b_a_privilege_of_the_table_that_is_denied_denies(
    method: str, path: str, to: str, privilege: str, where: str
) -> None:
    everything = {"top": [grant("all")]}
    assert expected(store(everything), "bob", method, path, to) == DONE
    refused = expected(store(everything | {where: [deny(privilege)]}), "bob", method, path, to)
    assert refused.status in (403, 404)


def test_delete_is_granted_on_the_member_or_by_its_folder_and_denied_by_either() -> None:
    assert lacks({S: [SEE]}, "DELETE", M) == {(M, "delete"), (S, "unbind")}
    assert expected(store({S: [SEE, grant("unbind")]}), "bob", "DELETE", M) == DONE
    assert expected(store({S: [SEE], M: [grant("delete")]}), "bob", "DELETE", M) == DONE
    assert lacks({S: [SEE, grant("unbind")], M: [deny("delete")]}, "DELETE", M) == {(M, "delete")}
    assert lacks({S: [deny("unbind"), SEE], M: [grant("delete")]}, "DELETE", M) == {(S, "unbind")}


def test_to_move_is_not_to_rename_and_to_read_is_not_to_copy() -> None:
    may_move = {"top": [SEE, grant("add-item")], M: [grant("move")]}
    assert expected(store(may_move), "bob", "MOVE", M, f"{T}/new") == DONE
    assert lacks(may_move, "MOVE", M, f"{S}/new") == {(M, "rename"), (S, "unbind")}
    assert expected(store({"top": [SEE], M: [grant("rename")]}), "bob", "MOVE", M, f"{S}/new") == DONE
    assert lacks(may_move, "COPY", M, f"{T}/new") == {(M, "copy")}
    assert lacks({"top": [SEE, grant("copy")]}, "COPY", M, f"{T}/new") == {(T, "add-item")}


def test_a_hidden_name_is_refused_as_one_that_may_not_be_made() -> None:
    aces = {"top": [grant("all")], M: [deny("access")]}
    assert lacks(aces, "PUT", M) == {(S, "add-item")}
    assert lacks(aces, "MKCOL", M) == {(S, "create-folder")}
    assert lacks(aces, "COPY", N, M) == {(S, "add-item")}
