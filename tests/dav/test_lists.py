"""Groups and lists as principals (docs/sharing.md; RFC 3744 §4, RFC 5689)."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.store import grouping
from tests.dav.client import Answer, expand_body, removing, setting
from tests.dav.test_devices import ALICE, C, D, Place, mkcol_body, template

__all__ = ["template"]  # the fixture

LISTS, BOBS = "/dav/principals/lists/alice/", "/dav/principals/lists/bob/"
FAMILY, FRIENDS = f"{LISTS}family/", f"{LISTS}friends/"
USERS = "/dav/principals/users/"
BOB = f"{USERS}bob/"
GROUPS = "/dav/principals/groups/"
STAFF, NIGHT = f"{GROUPS}staff/", f"{GROUPS}night/"
MEMBERS, MEMBERSHIP, KIND = f"{D}group-member-set", f"{D}group-membership", f"{C}list-kind"
CYCLE, LIMITS = f"{C}no-list-cycle", f"{C}lists-within-limits"
RECOGNIZED, ALLOWED = f"{D}recognized-principal", f"{D}allowed-principal"


class Lists(Place):
    """Alice and Bob, and ways to make lists and to read them."""

    def make(self, name: str, *members: str, who: str = "alice", more: str = "") -> Answer:
        body = mkcol_body(f"{members_of(*members)}{more}") if members else mkcol_body(more)
        return self("MKCOL", f"/dav/principals/lists/{who.partition(chr(39))[0]}/{name}/", who, body)

    def patch(self, target: str, *instructions: str, who: str = "alice", **headers: str) -> Answer:
        body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">{"".join(instructions)}</D:propertyupdate>'
        return self("PROPPATCH", target, who, body, **headers)

    def hold(self, target: str, *members: str) -> Answer:
        return self.patch(target, setting(members_of(*members)))

    def members(self, target: str, name: str = MEMBERS, who: str = "alice") -> list[str]:
        found = self.find(target, name, who=who).prop(target, name)
        return [element.text for element in found]


def members_of(*hrefs: str) -> str:
    return f"<D:group-member-set>{''.join(f'<D:href>{href}</D:href>' for href in hrefs)}</D:group-member-set>"


def refused(answer: Answer, name: str = MEMBERS) -> tuple[int, str | None]:
    """Return the status of a property that was not set, and the condition that says why."""
    for propstat in answer.xml.iter(f"{D}propstat"):
        if propstat.find(f"{D}prop/{name}") is not None:
            conditions = propstat.findall(f"{D}error/*")
            return int(propstat.findtext(f"{D}status").split()[1]), conditions[0].tag if conditions else None
    raise AssertionError(answer.body)


@pytest.fixture
def place(template: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[Lists]:
    directory, secrets = template
    shutil.copytree(directory, tmp_path / "data")
    groups = tmp_path / "principals.toml"
    members = {"staff": ["bob", "alice", "nobody"], "night": ["bob"]}
    groups.write_text("".join(f"[[group]]\nname = '{name}'\nmembers = {users}\n" for name, users in members.items()))
    made = Lists(tmp_path / "data", secrets, groups=str(groups))
    yield made
    made.database.close()


def test_a_list_is_made_with_its_members_and_read_back(place: Lists) -> None:
    more = "<C:list-kind>whitelist</C:list-kind><D:displayname>Our family</D:displayname>"
    assert place.make("family", BOB, more=more).status == 201
    found = place.find(FAMILY, MEMBERS, KIND, f"{D}displayname", f"{D}principal-URL", f"{D}resourcetype")
    assert [element.tag for element in found.prop(FAMILY, f"{D}resourcetype")] == [f"{D}collection", f"{D}principal"]
    assert found.prop(FAMILY, f"{D}principal-URL")[0].text == FAMILY
    assert (found.text(FAMILY, KIND), found.text(FAMILY, f"{D}displayname")) == ("whitelist", "Our family")
    assert place.members(FAMILY) == [BOB]
    assert place.find(LISTS, f"{D}displayname", depth="1").hrefs() == [LISTS, FAMILY]
    assert place("GET", LISTS, accept="text/plain").body == b"family/\n"
    assert place("GET", FAMILY, accept="text/plain").body == b""
    assert place.find("/dav/principals/", f"{D}displayname", depth="1").hrefs()[-2:] == [
        GROUPS,
        "/dav/principals/lists/",
    ]


def test_a_list_needs_no_members_and_no_slash(place: Lists) -> None:
    answer = place("MKCOL", f"{LISTS}empty", "alice", mkcol_body())
    assert (answer.status, answer.headers["Content-Location"]) == (201, f"{LISTS}empty/")
    assert place.members(f"{LISTS}empty/") == []
    assert place.find(f"{LISTS}empty/", f"{D}displayname").text(f"{LISTS}empty/", f"{D}displayname") == "empty"
    assert place.find(f"{LISTS}empty/", KIND).prop(f"{LISTS}empty/", KIND) is None
    assert place.make("empty").status == 405


def test_proppatch_replaces_all_members(place: Lists) -> None:
    place.make("friends")
    place.make("family", BOB)
    assert place.hold(FAMILY, "http://dav.example/dav/principals/users/alice", FRIENDS, FRIENDS[:-1]).status == 207
    assert sorted(place.members(FAMILY)) == [FRIENDS, ALICE]
    assert place.members(FRIENDS, MEMBERSHIP) == [FAMILY]
    place.hold(FAMILY)
    assert place.members(FAMILY) == place.members(FRIENDS, MEMBERSHIP) == []


def test_labels_are_set_and_removed(place: Lists) -> None:
    place.make("family", BOB)
    place.patch(FAMILY, setting("<C:list-kind> blacklist </C:list-kind><D:displayname>X &amp; Y</D:displayname>"))
    found = place.find(FAMILY, KIND, f"{D}displayname")
    assert (found.text(FAMILY, KIND), found.text(FAMILY, f"{D}displayname")) == ("blacklist", "X & Y")
    place.patch(FAMILY, removing("<C:list-kind/><D:displayname/>"))
    found = place.find(FAMILY, KIND, f"{D}displayname")
    assert (found.prop(FAMILY, KIND), found.text(FAMILY, f"{D}displayname")) == (None, "family")
    assert place.members(FAMILY) == [BOB]


@pytest.mark.parametrize(
    ("member", "status", "condition"),
    [
        (f"{USERS}nobody/", 409, RECOGNIZED),
        (f"{LISTS}nothing/", 409, RECOGNIZED),
        (f"{BOBS}friends/", 409, RECOGNIZED),  # it is there, and Bob's
        (USERS, 409, RECOGNIZED),
        ("/dav/store/bob/", 409, RECOGNIZED),
        (f"{BOB}?x=y", 409, RECOGNIZED),
        ("http://other.example/dav/principals/users/bob/", 409, RECOGNIZED),
        ("bob", 409, RECOGNIZED),
        ("", 409, RECOGNIZED),
        ("/dav/principals/devices/alice/phone/", 403, ALLOWED),
        ("/dav/principals/devices/bob/nothing/", 403, ALLOWED),
        ("/dav/principals/groups/staff/", 403, ALLOWED),
        (FAMILY, 409, CYCLE),
    ],
)
def test_what_a_list_cannot_hold(place: Lists, member: str, status: int, condition: str) -> None:
    place.make("friends", who="bob")
    place.make("family", ALICE)
    answer = place.hold(FAMILY, BOB, member)
    assert (answer.status, refused(answer), place.members(FAMILY)) == (207, (status, condition), [ALICE])
    if condition == RECOGNIZED:
        assert [element.text or "" for element in answer.xml.find(f".//{RECOGNIZED}")] == [member]
    if condition != CYCLE:
        answer = place.make("new", member, more="<C:list-kind>whitelist</C:list-kind>")
        assert answer.xml.tag == f"{D}mkcol-response"
        assert (answer.status, refused(answer), refused(answer, KIND)) == (403, (status, condition), (424, None))
        assert place("PROPFIND", f"{LISTS}new/", depth="0").status == 404


def test_lists_lie_three_deep_and_never_in_themselves(place: Lists) -> None:
    names = ("one", "two", "three", "four")
    one, two, three, four = (f"{LISTS}{name}/" for name in names)
    for name in names:
        place.make(name)
    place.hold(two, one)
    place.hold(three, two)
    assert refused(place.hold(four, three)) == (409, LIMITS)
    assert refused(place.hold(one, four)) == (409, LIMITS)
    assert refused(place.hold(one, two)) == refused(place.hold(one, three)) == (409, CYCLE)
    assert place.members(one) == place.members(four) == []
    place.hold(two)
    assert place.hold(one, three).status == 207
    assert place.members(one) == [three]


@pytest.mark.parametrize(
    "value",
    [
        "<D:group-member-set>/dav/principals/users/bob/</D:group-member-set>",
        "<D:group-member-set><D:href><D:x/></D:href></D:group-member-set>",
        "<D:group-member-set><D:principal/></D:group-member-set>",
        "<C:list-kind>greylist</C:list-kind>",
        "<C:list-kind/>",
        "<D:displayname/>",
        f"<D:displayname>{256 * 'x'}</D:displayname>",
    ],
)
def test_a_value_that_has_no_meaning_is_409_and_changes_nothing(place: Lists, value: str) -> None:
    place.make("family", BOB, more="<C:list-kind>whitelist</C:list-kind>")
    answer = place.patch(FAMILY, setting(f"{value}"), setting("<C:x/>"))
    statuses = [propstat.findtext(f"{D}status").split()[1] for propstat in answer.xml.iter(f"{D}propstat")]
    assert sorted(statuses) == ["403", "409"]
    assert place.members(FAMILY) == [BOB]
    assert place.find(FAMILY, KIND).text(FAMILY, KIND) == "whitelist"


def test_all_of_a_proppatch_or_nothing(place: Lists) -> None:
    place.make("family", BOB)
    answer = place.patch(
        FAMILY, setting(members_of(ALICE)), removing("<D:principal-URL/>"), setting("<x xmlns='urn:x'/>")
    )
    assert refused(answer) == (424, None)
    assert refused(answer, "{urn:x}x") == (403, f"{D}cannot-modify-protected-property")
    assert refused(place.patch(FAMILY, removing("<D:group-member-set/>"))) == (
        403,
        f"{D}cannot-modify-protected-property",
    )
    assert place.members(FAMILY) == [BOB]
    assert place.patch(FAMILY, removing("<x xmlns='urn:x'/>")).status == 207
    assert place.patch(FAMILY, setting(members_of(ALICE)), prefer="return=minimal").status == 200
    assert place.members(FAMILY) == [ALICE]


@pytest.mark.parametrize(
    ("body", "status", "condition"),
    [
        ("", 403, f"{D}valid-resourcetype"),
        (mkcol_body(types="<D:collection/>"), 403, f"{D}valid-resourcetype"),
        (mkcol_body(types="<D:collection/><D:principal/><C:x/>"), 403, f"{D}valid-resourcetype"),
        (mkcol_body("<C:class>phone</C:class>"), 403, None),
        (mkcol_body("<D:group-member-set>x</D:group-member-set>"), 403, None),
        ("<mkcol", 400, None),
    ],
)
def test_what_is_no_list_is_not_made(place: Lists, body: str, status: int, condition: str | None) -> None:
    answer = place("MKCOL", FAMILY, "alice", body)
    assert (answer.status, condition is None or answer.condition == condition) == (status, True)
    assert place("PROPFIND", FAMILY, depth="0").status == 404
    assert place("MKCOL", f"{LISTS}a%20b/", "alice", mkcol_body()).condition == f"{D}name-allowed"


def test_lists_of_others_are_not_there_for_their_members_either(place: Lists) -> None:
    place.make("family", BOB)
    methods = (
        "OPTIONS",
        "GET",
        "PROPFIND",
        "PROPPATCH",
        "REPORT",
        "MKCOL",
        "DELETE",
        "MOVE",
        "COPY",
        "PUT",
        "LOCK",
        "ACL",
    )
    for who, target, method in itertools.product(("bob", "bob's phone"), (FAMILY, f"{LISTS}nothing/", LISTS), methods):
        answer = place(method, target, who, mkcol_body(), destination=f"{BOBS}x/", depth="0")
        assert (answer.status, answer.body) == (404, b"Not Found\n"), method
    assert place.members(BOB, MEMBERSHIP, who="bob") == [NIGHT, STAFF]
    assert place.members(FAMILY) == [BOB]


def test_a_device_sees_the_lists_of_its_user_and_changes_none(place: Lists) -> None:
    place.make("family", BOB)
    phone = "alice's phone"
    assert place.members(FAMILY, who=phone) == [BOB]
    answer = place.patch(FAMILY, setting(members_of(ALICE)), setting("<C:list-kind>x</C:list-kind>"), who=phone)
    for name in (MEMBERS, KIND):
        assert refused(answer, name) == (403, f"{D}cannot-modify-protected-property")
    assert place("DELETE", FAMILY, phone).status == 403
    assert place.make("friends", who=phone).status == 404
    assert place.members(FAMILY) == [BOB]


def test_conditions_are_judged(place: Lists) -> None:
    place.make("family", BOB)
    assert place("MKCOL", FRIENDS, "alice", mkcol_body(), if_match="*").status == 412
    assert place("DELETE", FAMILY, if_match='"x"').status == 412
    assert place("DELETE", FAMILY, if_none_match="*").status == 412
    assert place.patch(FAMILY, setting(members_of()), **{"if": "(<urn:x:y>)"}).status == 412
    assert place.members(FAMILY) == [BOB]
    assert place("DELETE", FAMILY, if_match="*").status == 204


def test_a_list_that_ends_leaves_those_that_hold_it(place: Lists) -> None:
    place.make("family", BOB)
    place.make("friends", FAMILY, ALICE)
    assert place("DELETE", FAMILY, body="x").status == 415
    assert place("DELETE", FAMILY[:-1]).headers["Content-Location"] == FAMILY
    assert place("DELETE", FAMILY).status == 404
    assert place.members(FRIENDS) == [ALICE]
    assert place.make("family").status == 201
    assert place.members(FRIENDS) == [ALICE]


def test_groups_are_seen_by_their_members_and_changed_by_none(place: Lists) -> None:
    assert place.find(GROUPS, f"{D}displayname", depth="1").hrefs()[1:] == [STAFF]
    assert place.members(STAFF) == [ALICE, BOB]  # the third one is no user
    assert place.members(STAFF, who="bob's phone") == [ALICE, BOB]
    for who, target in (("alice", "night"), ("alice", "nothing"), ("bob", "nothing")):
        assert place("PROPFIND", f"{GROUPS}{target}/", who, depth="0").status == 404
    for method in ("MKCOL", "DELETE", "PROPPATCH", "PUT", "MOVE"):
        assert place(method, STAFF, destination=f"{STAFF}x").status == 405
    assert place("MKCOL", f"{GROUPS}new/", "alice", mkcol_body()).status == 404
    assert place.members("/dav/principals/devices/bob/phone/", MEMBERSHIP, who="bob") == []


def test_what_holds_others_is_expanded_as_far_as_the_asker_sees_it(place: Lists) -> None:
    place.make("family", BOB)
    place.make("friends", FAMILY, ALICE)
    body = expand_body('<D:property name="group-member-set"><D:property name="displayname"/></D:property>')
    answer = place("REPORT", FRIENDS, "alice", body)
    assert answer.status == 207
    responses = answer.xml.iter(f"{D}response")
    told = {one.findtext(f"{D}href"): one.findtext(f"{D}propstat/{D}prop/{D}displayname") for one in responses}
    assert {href: told[href] for href in (ALICE, FAMILY)} == {ALICE: "alice", FAMILY: "family"}


def test_a_list_has_a_thousand_members_and_a_user_a_hundred_lists(place: Lists) -> None:
    place.make("family", BOB)
    answer = place.hold(FAMILY, *(f"{USERS}user-with-a-name-of-sixty-four-characters-{n:020}/" for n in range(1_000)))
    assert refused(answer) == (409, RECOGNIZED)
    assert refused(place.hold(FAMILY, *(f"{USERS}{n}" for n in range(1_001)))) == (409, LIMITS)
    for number in range(grouping.MOST_LISTS - 1):
        assert place.make(f"l{number}").status == 201
    answer = place.make("more")
    assert (answer.status, answer.condition) == (409, LIMITS)
    assert len(place.find(LISTS, MEMBERS, depth="1").hrefs()) == 101


def test_no_answer_to_allprop_has_members(place: Lists) -> None:
    place.make("family", BOB)
    for body in ("", '<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'):
        told = place("PROPFIND", FAMILY, "alice", body, depth="0").props(FAMILY)
        assert told.keys().isdisjoint({MEMBERS, MEMBERSHIP, KIND})


def test_an_entry_for_a_list_is_one_for_all_that_it_holds(place: Lists) -> None:
    """Whitelists and blacklists: who is put in gains or loses at once, at any depth, and with the list it ends."""
    photos = "/dav/store/alice/photos/"
    place("MKCOL", photos)
    place("PUT", f"{photos}a", body="x")
    for name in ("inner", "middle"):
        place.make(name)
    place.make("family", f"{LISTS}middle/")
    place.make("blocked")
    place.hold(f"{LISTS}middle/", f"{LISTS}inner/")
    entries = "".join(
        f"<D:ace><D:principal><D:href>{LISTS}{name}</D:href></D:principal>"
        f"<D:{kind}><D:privilege><D:read/></D:privilege></D:{kind}></D:ace>"
        for name, kind in (("blocked", "deny"), ("family", "grant"))
    )
    assert place("ACL", photos, "alice", f'<D:acl xmlns:D="DAV:">{entries}</D:acl>').status == 200

    def status() -> int:
        return place("GET", f"{photos}a", "bob").status

    assert status() == 404
    place.hold(f"{LISTS}inner/", BOB)
    assert status() == 200
    place.hold(f"{LISTS}blocked/", BOB)
    assert status() == 404
    place("DELETE", f"{LISTS}blocked/")
    assert status() == 200
    place.hold(f"{LISTS}middle/")
    assert status() == 404
    place.hold(FAMILY, BOB)
    assert status() == 200
    place("DELETE", FAMILY)
    place.make("family", BOB)
    assert status() == 404


def test_an_entry_for_a_group_is_one_for_its_members_as_the_file_has_them(place: Lists, tmp_path: Path) -> None:
    place("PUT", "/dav/store/alice/a", body="x")
    ace = f"<D:principal><D:href>{STAFF}</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant>"
    body = f'<D:acl xmlns:D="DAV:"><D:ace>{ace}</D:ace></D:acl>'
    assert place("ACL", "/dav/store/alice/a", "alice", body).status == 200
    assert place("GET", "/dav/store/alice/a", "bob").status == 200
    (tmp_path / "principals.toml").write_text("")
    assert place("GET", "/dav/store/alice/a", "bob").status == 404
