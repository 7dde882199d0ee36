"""ACL and what it opens to others (RFC 3744, docs/sharing.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from davstore.model.principals import Principal
from tests.dav.client import ALICE, BOB, HOME, Answer, Client, D

C = "{urn:davstore:cpm}"
TO_BOB = "<D:href>/dav/principals/users/bob/</D:href>"
DAY_US = 86_400 * 1_000_000
TOMORROW = "2027-01-16T08:00:00Z"
"""A day after the time of the tests, 2027-01-15T08:00:00.25Z."""


def ace(who: str, *privileges: str, deny: bool = False, extra: str = "") -> str:
    kind = "deny" if deny else "grant"
    named = "".join(f"<D:privilege><{one}/></D:privilege>" for one in privileges)
    return f"<D:ace><D:principal>{who}</D:principal><D:{kind}>{named}</D:{kind}>{extra}</D:ace>"


def acl(*aces: str) -> str:
    return f'<D:acl xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">{"".join(aces)}</D:acl>'


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    client.mkcol("F", "F/sub", "G")
    for name in ("F/a", "F/sub/b", "F/sub/secret", "G/z"):
        client.put(name, name)
    yield client
    client.close()


@contextmanager
def as_(dav: Client, principal: Principal) -> Iterator[None]:
    dav.principal = principal
    try:
        yield
    finally:
        dav.principal = ALICE


def bob(dav: Client, method: str, path: str, body: str = "", **headers: str | None) -> Answer:
    with as_(dav, BOB):
        return dav(method, path, body, **headers)


def give(dav: Client, path: str, *aces: str) -> None:
    assert dav("ACL", path, acl(*aces)).status == 200


def needs(answer: Answer) -> set[tuple[str, str]]:
    """Return what `D:need-privileges` names, one privilege in each resource (RFC 3744 §7.1.1)."""
    assert answer.status == 403
    root: Any = answer.xml
    found = list(root.iterfind(f"{D}need-privileges/{D}resource"))
    assert all(len(one.findall(f"{D}privilege")) == 1 for one in found)
    return {(one.findtext(f"{D}href").removeprefix(f"{HOME}/"), one.find(f"{D}privilege")[0].tag) for one in found}


EVERY = {
    "OPTIONS": {}, "GET": {}, "HEAD": {}, "PUT": {"body": "x"}, "MKCOL": {}, "DELETE": {}, "PROPFIND": {"Depth": "1"},
    "PROPPATCH": {"body": '<D:propertyupdate xmlns:D="DAV:"/>'}, "COPY": {"Destination": f"{HOME}/F/new"},
    "MOVE": {"Destination": f"{HOME}/F/new"}, "ACL": {"body": acl()}, "POST": {"body": "x"}, "UNLOCK": {},
    "REPORT": {"body": '<D:expand-property xmlns:D="DAV:"/>'}, "LOCK": {"body": "<x/>"}, "PATCH": {},
}  # fmt: skip


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("path", ["G/", "G/z", "G/none", "none", "", "G/z?part=1", "G/?add"])
def test_what_no_entry_opens_is_as_if_no_user_had_the_name(dav: Client, method: str, path: str) -> None:
    give(dav, "F/", ace(TO_BOB, "D:all"))
    hidden, nobody = (bob(dav, method, f"/dav/store/{name}/{path}", **EVERY[method]) for name in ("alice", "carol"))
    assert hidden.status == 404
    assert (hidden.status, hidden.body) == (nobody.status, nobody.body)
    assert hidden.headers.keys() == nobody.headers.keys()


def test_the_entries_read_back_and_are_inherited(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read"))
    [protected, own] = dav.find("F/", f"{D}acl").prop(f"{HOME}/F/", f"{D}acl")
    assert [one.tag for one in protected] == [f"{D}principal", f"{D}grant", f"{D}protected"]
    assert protected.find(f"{D}principal/{D}property/{D}owner") is not None
    assert own.findtext(f"{D}principal/{D}href") == "/dav/principals/users/bob/"
    assert [one[0].tag for one in own.find(f"{D}grant")] == [f"{D}read"]
    [_, inherited] = dav.find("F/sub/b", f"{D}acl").prop(f"{HOME}/F/sub/b", f"{D}acl")
    assert inherited.findtext(f"{D}inherited/{D}href") == f"{HOME}/F/"
    assert len(dav.find("G/", f"{D}acl").prop(f"{HOME}/G/", f"{D}acl")) == 1


def test_a_reader_reads_lists_and_changes_nothing(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read"))
    assert bob(dav, "GET", "F/a").body == b"F/a"
    assert set(bob(dav, "PROPFIND", "F/").hrefs()) == {
        f"{HOME}/F/", f"{HOME}/F/a", f"{HOME}/F/sub/", f"{HOME}/F/sub/b", f"{HOME}/F/sub/secret",
    }  # fmt: skip
    with as_(dav, BOB):
        held = dav.find("F/a", f"{D}current-user-privilege-set")
    names = {one[0].tag for one in held.prop(f"{HOME}/F/a", f"{D}current-user-privilege-set")}
    assert names == {f"{D}read", f"{C}access", f"{C}copy", f"{C}list", f"{C}list-filtered"}
    for method, path, lacking in [
        ("PUT", "F/a", {("F/a", f"{D}write-content")}),
        ("PUT", "F/new", {("F/", f"{C}add-item")}),
        ("MKCOL", "F/new", {("F/", f"{C}create-folder")}),
        ("DELETE", "F/a", {("F/a", f"{C}delete"), ("F/", f"{D}unbind")}),
        ("PROPPATCH", "F/a", {("F/a", f"{D}write-properties")}),
        ("ACL", "F/a", {("F/a", f"{D}write-acl")}),
        ("COPY", "F/a", {("F/", f"{C}add-item")}),
        ("MOVE", "F/a", {("F/a", f"{C}rename"), ("F/", f"{D}unbind")}),
    ]:
        assert needs(bob(dav, method, path, **EVERY[method])) == lacking, method
    assert dav.names("F") == ["a", "sub/"]


def test_a_deny_wins_wherever_it_stands(dav: Client) -> None:
    give(dav, "F/sub/", ace(TO_BOB, "D:all"))
    give(dav, "F/", ace(TO_BOB, "D:read", deny=True))
    assert bob(dav, "GET", "F/sub/b").status == 404
    give(dav, "F/")
    assert bob(dav, "GET", "F/sub/b").status == 200
    give(dav, "F/sub/secret", ace(TO_BOB, "D:all", deny=True))
    assert bob(dav, "GET", "F/sub/secret").status == 404
    assert set(bob(dav, "PROPFIND", "F/sub/").hrefs()) == {f"{HOME}/F/sub/", f"{HOME}/F/sub/b"}
    put = bob(dav, "PUT", "F/sub/secret", "x")
    assert needs(put) == {("F/sub/", f"{C}add-item")}  # as without the right to add
    assert bob(dav, "PUT", "F/sub/new", "x").status == 201


def test_a_tree_with_a_member_that_must_stay_stays_whole(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:all"))
    give(dav, "F/sub/secret", ace(TO_BOB, "C:delete", deny=True))
    refused = bob(dav, "DELETE", "F/sub/")
    assert needs(refused) == {("F/sub/secret", f"{C}delete")}
    assert dav.names("F/sub") == ["b", "secret"]


def test_a_name_without_access_shows_where_one_may_list(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "C:list"))
    give(dav, "F/sub/", ace(TO_BOB, "C:access"))
    give(dav, "F/sub/b", ace(TO_BOB, "C:copy"))
    listed = bob(dav, "PROPFIND", "F/sub/", Depth="1")
    assert set(listed.hrefs()) == {f"{HOME}/F/sub/", f"{HOME}/F/sub/b", f"{HOME}/F/sub/secret"}
    assert bob(dav, "GET", "F/sub/b").status == 200  # access is inherited
    assert needs(bob(dav, "GET", "F/a")) == {("F/a", f"{C}access")}


def test_an_entry_holds_until_it_expires(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read", extra=f"<C:expires>{TOMORROW}</C:expires>"))
    assert bob(dav, "GET", "F/a").status == 200
    dav.now_us += DAY_US
    assert bob(dav, "GET", "F/a").status == 404
    assert len(dav.find("F/", f"{D}acl").prop(f"{HOME}/F/", f"{D}acl")) == 1


@pytest.mark.parametrize(("given", "is_open"), [("", False), ("<C:expires>never</C:expires>", True)])
def test_a_client_that_knows_no_expiry_leaves_it(dav: Client, given: str, is_open: bool) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read", extra=f"<C:expires>{TOMORROW}</C:expires>"))
    give(dav, "F/", ace(TO_BOB, "D:read", "D:write-content", extra=given))
    dav.now_us += DAY_US
    assert (bob(dav, "GET", "F/a").status == 200) == is_open
    assert bob(dav, "PUT", "F/a", "x").status == (204 if is_open else 404)  # of what one may know of


BAD = {
    "nobody": (ace("<D:href>/dav/principals/users/nobody/</D:href>", "D:read"), "{DAV:}recognized-principal"),
    "no principal": (ace(f"<D:href>{HOME}/F/</D:href>", "D:read"), "{DAV:}recognized-principal"),
    "a device": (ace("<D:href>/dav/principals/devices/alice/x/</D:href>", "D:read"), "{DAV:}allowed-principal"),
    "all": (ace("<D:all/>", "D:read"), "{DAV:}allowed-principal"),
    "past": (ace(TO_BOB, "D:read", extra="<C:expires>2027-01-15T08:00:00Z</C:expires>"), f"{C}expiry-in-future"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_entry_may_be_is_refused_and_changes_nothing(dav: Client, name: str) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read"))
    body, condition = BAD[name]
    answer = dav("ACL", "F/", acl(body))
    assert (answer.status, answer.condition) == (403, condition)
    assert bob(dav, "GET", "F/a").status == 200


def test_a_locked_resource_keeps_its_entries(dav: Client) -> None:
    token = dav(
        "LOCK",
        "F/a",
        '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
        "<D:locktype><D:write/></D:locktype></D:lockinfo>",
    ).headers["Lock-Token"]
    assert dav("ACL", "F/a", acl(ace(TO_BOB, "D:read"))).status == 423
    assert dav("ACL", "F/a", acl(ace(TO_BOB, "D:read")), If=f"({token})").status == 200


def test_entries_move_with_a_resource_and_are_not_copied(dav: Client) -> None:
    give(dav, "F/a", ace(TO_BOB, "D:read"))
    assert dav("COPY", "F/a", Destination=f"{HOME}/G/copy").status == 201
    assert dav("MOVE", "F/a", Destination=f"{HOME}/G/moved").status == 201
    assert bob(dav, "GET", "G/moved").status == 200
    assert bob(dav, "GET", "G/copy").status == 404


def test_an_if_header_tells_nothing_of_what_is_hidden(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:all"))
    etag = dav("HEAD", "G/z").headers["ETag"]
    for tag in (f"([{etag}])", '(["x"])'):
        assert bob(dav, "PUT", "F/a", "x", If=f"<{HOME}/G/z> {tag}").status == 412
    assert bob(dav, "PUT", "F/a", "x", If=f"<{HOME}/G/z> (Not [{etag}])").status == 204


def test_a_change_of_entries_is_a_change_of_the_resource(dav: Client) -> None:
    token = dav.sync("").xml.findtext(f"{D}sync-token")
    give(dav, "F/a", ace(TO_BOB, "D:read"))
    assert dav.sync("", token).hrefs() == [f"{HOME}/F/a"]


def test_states_need_less_than_properties(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read", "C:set-state"))
    seen = '<D:set><D:prop><C:seen xmlns:C="urn:davstore:cpm">T</C:seen></D:prop></D:set>'
    other = "<D:set><D:prop><x:p>1</x:p></D:prop></D:set>"
    with as_(dav, BOB):
        assert dav.patch("F/a", seen).props(f"{HOME}/F/a").keys() == {f"{C}seen"}
        assert needs(dav.patch("F/a", seen, other)) == {("F/a", f"{D}write-properties")}


def test_an_id_leads_to_what_one_may_read(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read"))
    ids = [
        dav.find(path, f"{D}resource-id").prop(f"{HOME}/{path}", f"{D}resource-id")[0].text for path in ("F/a", "G/z")
    ]
    hrefs = "".join(f"<D:resource-id><D:href>{one}</D:href></D:resource-id>" for one in ids)
    body = f'<C:resolve xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">{hrefs}</C:resolve>'
    assert set(dav("REPORT", "", body).hrefs()) == {f"{HOME}/F/a", f"{HOME}/G/z"}
    assert bob(dav, "REPORT", "F/", body).hrefs() == [f"{HOME}/F/a"]


def test_many_at_once_are_judged_one_by_one(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read", "C:set-state", "C:delete"))
    give(dav, "F/sub/secret", ace(TO_BOB, "D:all", deny=True))
    give(dav, "F/sub/b", ace(TO_BOB, "C:delete", "C:set-state", deny=True))
    hrefs = "".join(f"<D:href>{HOME}/{one}</D:href>" for one in ("F/a", "F/sub/b", "F/sub/secret", "F/none"))
    start = '<C:bulk-{} xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">'
    marked = bob(
        dav,
        "POST",
        "F/",
        f"{start.format('update')}{hrefs}<D:set><D:prop><C:seen>T</C:seen></D:prop></D:set></C:bulk-update>",
        Content_Type="application/xml",
    )
    status = {
        one.findtext(f"{D}href"): (one.findtext(f".//{D}status") or "").split()[1]
        for one in marked.xml.iter(f"{D}response")
    }
    assert status == {
        f"{HOME}/F/a": "200", f"{HOME}/F/sub/b": "403", f"{HOME}/F/sub/secret": "404", f"{HOME}/F/none": "404",
    }  # fmt: skip
    asked = f"<D:prop><C:content/></D:prop>{hrefs}"
    got = bob(dav, "REPORT", "F/", f'<C:multiget xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">{asked}</C:multiget>')
    assert b"F/sub/secret</C:content>" not in got.body
    assert set(got.gone()) == {f"{HOME}/F/sub/secret", f"{HOME}/F/none"}
    where = "<D:where><D:not><D:is-collection/></D:not></D:where>"
    ended = bob(dav, "POST", "F/", f"{start.format('delete')}{where}</C:bulk-delete>", Content_Type="application/xml")
    assert f"{HOME}/F/sub/secret" not in ended.body.decode()
    assert dav.names("F/sub") == ["b", "secret"]
    assert dav.names("F") == ["sub/"]


def test_own_privileges_are_told_unless_that_is_denied(dav: Client) -> None:
    name = f"{D}current-user-privilege-set"
    give(dav, "F/", ace(TO_BOB, "D:read"))
    give(dav, "F/sub/", ace(TO_BOB, "D:read-current-user-privilege-set", deny=True))
    with as_(dav, BOB):
        assert name in dav.find("F/a", name).props(f"{HOME}/F/a")
        assert name not in dav.find("F/sub/b", name).props(f"{HOME}/F/sub/b")


def test_the_owner_is_denied_nothing(dav: Client) -> None:
    answer = dav("ACL", "F/", acl(ace("<D:property><D:owner/></D:property>", "D:read", deny=True)))
    assert (answer.status, answer.condition) == (403, f"{D}no-protected-ace-conflict")
