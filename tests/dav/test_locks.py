"""LOCK, UNLOCK and what a lock does to other methods, on the wire (RFC 4918 §6, §7, §9.10, §9.11, §10.4–10.7, §15)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.model.limits import Limits
from davstore.model.principals import Principal, User
from tests.dav.client import ALICE, HOME, Answer, Client, D, setting, sync_body, token_of

OWNER = "<D:owner><D:href>http://example.org/~ejw/contact.html</D:href></D:owner>"
ALWAYS = "(Not <DAV:no-lock>)"


def info(scope: str = "exclusive", owner: str = OWNER) -> str:
    """Return the body of a LOCK."""
    return (
        f'<?xml version="1.0" encoding="utf-8" ?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:{scope}/></D:lockscope>'
        f"<D:locktype><D:write/></D:locktype>{owner}</D:lockinfo>"
    )


def lock(dav: Client, path: str, scope: str = "exclusive", **headers: str | None) -> str:
    """Take a lock and return its token."""
    answer = dav("LOCK", path, info(scope), **headers)
    assert answer.status in (200, 201), answer
    return answer.headers["Lock-Token"].strip("<>")


def active(answer: Answer) -> list[dict[str, str]]:
    """Return the locks that an answer tells, each a map from the names of its elements to what they hold."""
    return [
        {str(child.tag).removeprefix(D): _content(child) for child in one} for one in answer.xml.iter(f"{D}activelock")
    ]


def _content(element: object) -> str:
    inner = list(element.iter())[1:]  # type: ignore[attr-defined]
    return (inner[-1].text or str(inner[-1].tag).removeprefix(D)) if inner else str(element.text)  # type: ignore[attr-defined]


def culprits(answer: Answer, condition: str) -> list[str]:
    """Return the hrefs of a 423's condition."""
    assert answer.status == 423, answer
    assert answer.condition == D + condition
    return [str(href.text) for href in answer.xml.iter(f"{D}href")]


def statuses(answer: Answer) -> dict[str, str]:
    """Return the status of each href of a multistatus."""
    assert answer.status == 207, answer
    return {
        str(one.findtext(f"{D}href")): str(one.findtext(f"{D}status")).split()[1]
        for one in answer.xml.iter(f"{D}response")
    }


def test_9_10_7_a_write_lock(dav: Client) -> None:
    dav.put("a")
    answer = dav("LOCK", "a", info(), Timeout="Infinite, Second-4100000000")
    token = answer.headers["Lock-Token"]
    assert answer.status == 200
    assert (token[0], token[-1]) == ("<", ">")
    assert answer.xml.tag == f"{D}prop"
    assert [child.tag for child in answer.xml] == [f"{D}lockdiscovery"]
    expected = {
        "lockscope": "exclusive",
        "locktype": "write",
        "depth": "infinity",
        "owner": "http://example.org/~ejw/contact.html",
        "timeout": "Second-3600",
        "locktoken": token[1:-1],
        "lockroot": f"{HOME}/a",
    }
    assert active(answer) == [expected]
    told = dav.find("a", f"{D}lockdiscovery")
    assert active(told) == [expected]
    assert dav("PROPFIND", "a", Depth="0").prop(f"{HOME}/a", f"{D}lockdiscovery")[0][0].tag == f"{D}lockscope"


def test_9_10_8_refresh(dav: Client) -> None:
    dav.put("a")
    token = lock(dav, "a", Timeout="Second-60")
    dav.now_us += 59_000_000
    answer = dav("LOCK", "a", If=f"(<{token}>)", Timeout="Second-120", Depth="0")
    assert answer.status == 200
    assert "Lock-Token" not in answer.headers
    assert [(one["timeout"], one["depth"]) for one in active(answer)] == [("Second-120", "infinity")]
    dav.now_us += 119_000_000
    assert dav("PUT", "a", b"x").status == 423
    dav.now_us += 1_000_000
    assert dav("LOCK", "a", If=f"(<{token}>)").condition == f"{D}lock-token-matches-request-uri"
    assert dav("PUT", "a", b"x").status == 204


@pytest.mark.parametrize("headers", [{}, {"If": "(<urn:x:lock>)"}, {"If": ALWAYS}])
def test_9_10_2_what_refreshes_nothing(dav: Client, headers: dict[str, str]) -> None:
    dav.put("a")
    lock(dav, "a")
    answer = dav("LOCK", "a", **headers)
    assert (answer.status, answer.condition) == (412, f"{D}lock-token-matches-request-uri")


def test_9_10_9_a_conflict_inside_is_a_multistatus(dav: Client) -> None:
    dav.mkcol("webdav")
    dav.put("webdav/secret")
    lock(dav, "webdav/secret")
    answer = dav("LOCK", "webdav/", info(), Depth="infinity")
    assert statuses(answer) == {f"{HOME}/webdav/secret": "423", f"{HOME}/webdav/": "424"}
    assert answer.xml.find(f".//{D}error")[0].tag == f"{D}no-conflicting-lock"
    assert dav("LOCK", "webdav/", info(), Depth="0").status == 200


def test_9_10_6_a_conflict_with_what_was_asked_for(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    token = lock(dav, "c")
    for path in ("c", "c/a", "c/new"):
        for headers in ({}, {"If": f"</dav/store/alice/c/> (<{token}>)"}):
            answer = dav("LOCK", path, info("shared"), **headers)
            assert answer.status == 423
            assert [str(href.text) for href in answer.xml.iter(f"{D}href")] == [f"{HOME}/c/"]
    assert culprits(dav("LOCK", "c/a", info()), "no-conflicting-lock") == [f"{HOME}/c/"]
    assert dav.names("c") == ["a"]


def test_6_2_shared_locks(dav: Client) -> None:
    dav.put("a")
    tokens = {lock(dav, "a", "shared") for _ in range(2)}
    assert {one["locktoken"] for one in active(dav.find("a", f"{D}lockdiscovery"))} == tokens
    assert dav("PUT", "a", b"x").status == 423
    assert dav("PUT", "a", b"x", If=f"(<{tokens.pop()}>)").status == 204


def test_7_3_an_unmapped_url_becomes_an_empty_resource(dav: Client) -> None:
    before = token_of(dav.sync())
    answer = dav("LOCK", "new", info())
    assert answer.status == 201
    token = answer.headers["Lock-Token"].strip("<>")
    assert dav.names() == ["new"]
    got = dav("GET", "new")
    assert (got.status, got.body) == (200, b"")
    assert dav.sync(token=before).hrefs() == [f"{HOME}/new"]
    assert dav("MKCOL", "new").status == 405
    other = lock(dav, "unwritten")
    assert dav("UNLOCK", "unwritten", Lock_Token=f"<{other}>").status == 204
    assert (dav("GET", "unwritten").status, dav("DELETE", "unwritten").status) == (200, 204)
    assert dav("PUT", "new", b"x").status == 423
    assert dav("PUT", "new", b"x", If=f"(<{token}>)").status == 204
    assert dav("UNLOCK", "new", Lock_Token=f"<{token}>").status == 204
    assert dav("GET", "new").body == b"x"


@pytest.mark.parametrize(
    ("path", "status"), [("no/new", 409), ("c/", 405), ("/dav/", 405), ("/dav/principals/users/alice/", 405)]
)
def test_7_3_where_no_resource_can_be(dav: Client, path: str, status: int) -> None:
    answer = dav("LOCK", path, info())
    assert answer.status == status
    assert status != 405 or "Allow" in answer.headers
    assert dav.names() == []


def test_7_5_what_a_lock_is_in_the_way_of(dav: Client) -> None:
    dav.put("a")
    dav.put("b")
    token = lock(dav, "a")
    requests: list[tuple[str, str, dict[str, str]]] = [
        ("PUT", "a", {}),
        ("MOVE", "b", {"Destination": f"{HOME}/a"}),
        ("COPY", "b", {"Destination": f"{HOME}/a"}),
        ("MOVE", "a", {"Destination": f"{HOME}/new"}),
        ("DELETE", "a", {}),
    ]
    for method, path, headers in requests:
        answer = dav(method, path, b"x" if method == "PUT" else b"", **headers)
        assert culprits(answer, "lock-token-submitted") == [f"{HOME}/a"], method
        assert token.encode() not in answer.body
    assert culprits(dav.patch("a", setting("<x:p/>")), "lock-token-submitted") == [f"{HOME}/a"]
    assert dav("COPY", "a", Destination=f"{HOME}/copy").status == 201
    assert dav("PUT", "copy", b"x").status == 204
    for method in ("GET", "HEAD", "PROPFIND", "OPTIONS"):
        assert dav(method, "a", Depth="0").status in (200, 207)


def test_7_7_a_tagged_token_for_the_destination(dav: Client) -> None:
    dav.mkcol("f")
    dav.put("index.html")
    token = lock(dav, "f")
    headers = {"Destination": f"http://dav.example{HOME}/f/index.html", "Overwrite": "T"}
    assert dav("COPY", "index.html", **headers).status == 423
    tagged = f"<http://dav.example{HOME}/f/index.html> (<{token}>)"
    assert dav("COPY", "index.html", If=tagged, **headers).status == 201
    assert dav("COPY", "index.html", If=tagged, **headers).status == 204


@pytest.mark.parametrize(("method", "headers"), [("DELETE", {}), ("MOVE", {"Destination": f"{HOME}/moved/"})])
def test_a_locked_member_refuses_the_whole(dav: Client, method: str, headers: dict[str, str]) -> None:
    dav.mkcol("container")
    dav.put("container/resource3")
    dav.put("container/free")
    token = lock(dav, "container/resource3")
    token_before = token_of(dav.sync())
    answer = dav(method, "container/", **headers)
    assert answer.status == 423  # most clients take 207 for done, and nothing was
    assert culprits(answer, "lock-token-submitted") == [f"{HOME}/container/resource3"]
    assert token_of(dav.sync()) == token_before
    assert dav.names("container") == ["free", "resource3"]
    tagged = f"<{HOME}/container/resource3> (<{token}>)"
    assert dav(method, "container/", If=tagged, **headers).status in (201, 204)


def test_14_24_an_href_comes_once(dav: Client) -> None:
    dav.mkcol("container")
    dav.put("container/resource3")
    dav.put("resource")
    for path in ("container/resource3", "resource"):
        lock(dav, path, "shared")
        lock(dav, path, "shared")
    for method, headers in (("DELETE", {}), ("MOVE", {"Destination": f"{HOME}/moved/"})):
        answer = dav(method, "container/", **headers)
        assert culprits(answer, "lock-token-submitted") == [f"{HOME}/container/resource3"]
    assert culprits(dav("DELETE", "resource"), "lock-token-submitted") == [f"{HOME}/resource"]


def test_a_locked_member_of_the_destination_refuses_the_whole(dav: Client) -> None:
    dav.mkcol("from", "over")
    dav.put("over/a%26b")
    lock(dav, "over/a%26b")
    for method in ("COPY", "MOVE"):
        answer = dav(method, "from/", Destination=f"{HOME}/over/")
        assert answer.status == 423
        assert culprits(answer, "lock-token-submitted") == [f"{HOME}/over/a&b"]
    assert dav.names() == ["from/", "over/"]


def test_9_11_unlock(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    dav.put("b")
    token = lock(dav, "c")
    for path in ("b", ""):
        answer = dav("UNLOCK", path, Lock_Token=f"<{token}>")
        assert (answer.status, answer.condition) == (409, f"{D}lock-token-matches-request-uri")
    assert dav("UNLOCK", "c", Lock_Token="<urn:x>").status == 409
    assert dav("UNLOCK", "nothing", Lock_Token=f"<{token}>").status == 404
    assert dav("UNLOCK", "c", b"body", Lock_Token=f"<{token}>").status == 415
    for value in (None, "", "<>", f"<{token}", f"{token}>", "<a> <b>"):
        assert dav("UNLOCK", "c", Lock_Token=value).status == 400
    answer = dav("UNLOCK", "c/a", Lock_Token=f"<{token}>")
    assert (answer.status, answer.body) == (204, b"")
    assert dav("UNLOCK", "c", Lock_Token=f"<{token}>").status == 409
    assert dav("UNLOCK", "b", Lock_Token=lock(dav, "b")).status == 204  # some clients leave the brackets out


def test_10_4_one_list_must_hold_and_the_token_must_be_there(dav: Client) -> None:
    etag = dav.put("a")
    dav.put("b")
    token = lock(dav, "a")
    table = [
        (f"(<{token}>)", 204),
        (f'(<{token}> ["other"])', 412),
        (f'(<{token}> ["other"]) {ALWAYS}', 204),
        (f"(<{token}> [{etag}])", 204),
        (f"([{etag}])", 423),
        (ALWAYS, 423),
        (f"(Not <{token}>)", 412),
        (f"(Not <{token}>) {ALWAYS}", 204),
        ("(<DAV:no-lock>)", 412),
        (f"<{HOME}/a> (<{token}>)", 204),
        (f"<http://dav.example{HOME}/a> (<{token}>)", 204),
        (f"<http://other.example{HOME}/a> (<{token}>)", 412),
        (f"<{HOME}/b> (<{token}>)", 412),
        (f"<{HOME}/b> (Not <{token}>)", 204),
        (f"<{HOME}/b> (<{token}>) <{HOME}/a> (<{token}>)", 204),
        (f"(<{token}x>) {ALWAYS}", 423),
        (f"(<{token}>", 400),
    ]
    for value, status in table:
        assert dav("PUT", "a", b"x", If=value).status == status, value
    assert dav("GET", "b", If=f"<{HOME}/a> (<{token}>)").status == 200
    assert dav("GET", "b", If=f"(<{token}>)").status == 412


def test_10_4_a_lock_above_is_a_state_of_what_would_be(dav: Client) -> None:
    dav.mkcol("c")
    token = lock(dav, "c")
    assert dav("PUT", "c/new", b"x").status == 423
    assert dav("PUT", "c/new", b"x", If=f"(<{token}>)").status == 201
    assert dav("MKCOL", "c/sub", If=f"<{HOME}/c/> (<{token}>)").status == 201
    flat = lock(dav, "d")
    assert dav("PUT", "elsewhere", b"x", If=f"(<{flat}>)").status == 412


def test_20_7_a_token_is_shown_to_its_user_only(dav: Client) -> None:
    dav.put("a")
    friend = Principal(
        User(7, "alice", 1, 1, disabled=False)
    )  # somebody else who may write here, once there is sharing
    dav.principal = friend
    token = lock(dav, "a")
    dav.principal = ALICE
    for answer in (dav("PROPFIND", "", Depth="1"), dav("PUT", "a", b"x"), dav("LOCK", "a", info())):
        assert token.encode() not in answer.body
    told = active(dav.find("a", f"{D}lockdiscovery"))
    assert [set(one) for one in told] == [{"lockscope", "locktype", "depth", "owner", "timeout", "lockroot"}]
    assert dav("PUT", "a", b"x", If=f"(<{token}>)").status == 412
    assert dav("LOCK", "a", If=f"(<{token}>)").status == 412
    dav.principal = friend
    assert dav("PUT", "a", b"x", If=f"(<{token}>)").status == 204
    dav.principal = ALICE
    assert dav("UNLOCK", "a", Lock_Token=f"<{token}>").status == 204  # an owner may end every lock (RFC 3744 §3.5)


def test_15_8_lockdiscovery_of_many(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    dav.put("b")
    token = lock(dav, "c")
    answer = dav.find("", f"{D}lockdiscovery", depth="infinity")
    locked = {href: len(answer.prop(href, f"{D}lockdiscovery")) for href in answer.hrefs()}
    assert locked == {f"{HOME}/": 0, f"{HOME}/b": 0, f"{HOME}/c/": 1, f"{HOME}/c/a": 1}
    report = dav("REPORT", "", sync_body(props="<D:lockdiscovery/>"))
    assert {one["locktoken"] for one in active(report)} == {token}
    assert len(active(report)) == 2
    dav.now_us += 3_600_000_000
    assert active(dav.find("c", f"{D}lockdiscovery")) == []


def test_15_10_supportedlock(dav: Client) -> None:
    dav.put("a")
    entries = dav.find("a", f"{D}supportedlock").prop(f"{HOME}/a", f"{D}supportedlock")
    assert [(entry[0][0].tag, entry[1][0].tag) for entry in entries] == [
        (f"{D}exclusive", f"{D}write"),
        (f"{D}shared", f"{D}write"),
    ]
    assert dav.patch("a", setting("<D:supportedlock/>"), setting("<D:lockdiscovery/>")).props(f"{HOME}/a", 403)


def test_the_root_of_a_store_can_be_locked(dav: Client) -> None:
    token = lock(dav, "")
    assert culprits(dav("PUT", "new", b"x"), "lock-token-submitted") == [f"{HOME}/"]
    assert dav("PUT", "new", b"x", If=f"<{HOME}/> (<{token}>)").status == 201
    assert dav("UNLOCK", "new", Lock_Token=f"<{token}>").status == 204


@pytest.mark.parametrize(
    ("value", "timeout"),
    [
        (None, "3600"),
        ("Infinite", "3600"),
        ("Second-10", "10"),
        ("Second-10, Infinite", "10"),
        ("Second-4100000000", "3600"),
        ("Second-" + "9" * 100, "3600"),
        ("Second-0", "1"),
        ("Second--1", "3600"),
        ("nonsense", "3600"),
    ],
)
def test_10_7_timeout(dav: Client, value: str | None, timeout: str) -> None:
    assert [one["timeout"] for one in active(dav("LOCK", "a", info(), Timeout=value))] == [f"Second-{timeout}"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<x/>", 400),
        ("nonsense", 400),
        ('<lockinfo xmlns="DAV:"/>', 400),
        (info("nothing"), 400),
        (info().replace("D:write", "D:read"), 400),
        (info().replace("</D:lockscope>", "<D:shared/></D:lockscope>"), 400),
        (info(owner=OWNER * 2), 400),
        (info(owner=f"<D:owner>{'x' * 5000}</D:owner>"), 413),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + info(owner="").partition("?>")[2], 403),
        (info().encode() + b" " * (1 << 20), 413),
    ],
)
def test_hostile_bodies(dav: Client, body: str | bytes, status: int) -> None:
    assert dav("LOCK", "a", body).status == status
    assert dav.names() == []


def test_hostile_headers(dav: Client) -> None:
    dav.put("a")
    assert dav("LOCK", "a", info(), Depth="1").status == 400
    assert dav("LOCK", "a", info(), Depth="x").status == 400
    assert dav("LOCK", "a", info(), If="(<a b>)").status == 400
    assert dav("LOCK", "a", info(), If_None_Match="*").status == 412
    assert dav("LOCK", "new", info(), If_Match="*").status == 412
    assert active(dav.find("a", f"{D}lockdiscovery")) == []


def test_an_owner_comes_back_inert_and_whole(dav: Client) -> None:
    owner = '<D:owner xmlns:x="urn:x" xml:lang="de">&lt;/D:owner&gt;<x:who a="1">é &amp; ü</x:who></D:owner>'
    answer = dav("LOCK", "a", info(owner=owner))
    told = answer.xml.find(f".//{D}owner")
    assert (told.text, told[0].tag, told[0].text) == ("</D:owner>", "{urn:x}who", "é & ü")
    assert told.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert dav.find("a", f"{D}lockdiscovery").status == 207


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Client]:
    """Yield a client of a store that takes few locks."""
    client = Client(tmp_path, limits=Limits(locks_per_user=3, locks_per_resource=2))
    yield client
    client.close()


def test_a_flood_of_locks_ends(narrow: Client) -> None:
    answers = [narrow("LOCK", "a", info("shared")) for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 200, 403]
    assert answers[-1].condition == "{urn:davstore:cpm}locks-within-limits"
    assert [narrow("LOCK", f"{i}", info()).status for i in range(300)] == [201, *[403] * 299]
    assert narrow.names() == ["0", "a"]
