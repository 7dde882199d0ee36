"""REPORT `C:explain-access`: the answer that rights alone would give, and the entries that decide (docs/sharing.md)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davstore.model.principals import Principal
from tests.dav.client import ALICE, BOB, HOME, Answer, Client, D
from tests.dav.test_acl import EVERY, TO_BOB, TOMORROW, C, ace, as_, bob, give

BOBS = "/dav/principals/users/bob/"


@pytest.fixture
def dav(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    client.mkcol("F", "F/sub")
    for name in ("F/a", "F/sub/b"):
        client.put(name, name)
    yield client
    client.close()


def explain(dav: Client, path: str, *methods: str, who: str = BOBS, asker: Principal = ALICE) -> Answer:
    asked = "".join(f"<C:method>{method}</C:method>" for method in methods)
    body = (
        f'<C:explain-access xmlns:C="urn:davstore:cpm" xmlns:D="DAV:"><D:principal><D:href>{who}</D:href>'
        f"</D:principal>{asked}</C:explain-access>"
    )
    with as_(dav, asker):
        return dav("REPORT", path, body, Depth="0")


def statuses(answer: Answer) -> dict[str, int]:
    """Return the status of each method."""
    assert answer.status == 207
    root: Any = answer.xml
    found = root.iterfind(f"{D}response")
    return {one.findtext(f"{C}decisions/{C}method"): int(one.findtext(f"{D}status").split()[1]) for one in found}


def decisions(answer: Answer) -> list[tuple[str, str, str]]:
    """Return the place, the privilege and the verdict of each decision."""
    root: Any = answer.xml
    found = root.iter(f"{C}decision")
    return [(one.findtext(f"{D}href"), one.find(f"{D}privilege")[0].tag, one[2].tag) for one in found]


GIVEN = {
    "nothing": [],
    "read": [("F/", ace(TO_BOB, "D:read"))],
    "write": [("F/", ace(TO_BOB, "D:read", "D:write"))],
    "all but": [("F/", ace(TO_BOB, "D:all")), ("F/sub/", ace(TO_BOB, "C:delete", "D:write-content", deny=True))],
    "unbind above": [("F/", ace(TO_BOB, "C:access", "C:list", "D:unbind"))],
    "deny beneath": [("F/", ace(TO_BOB, "D:all")), ("F/sub/b", ace(TO_BOB, "C:copy", "C:delete", deny=True))],
    "hidden": [("", ace(TO_BOB, "D:all")), ("F/", ace(TO_BOB, "C:access", deny=True))],
    "list alone": [("", ace(TO_BOB, "C:list", "C:access")), ("F/", ace(TO_BOB, "D:write"))],
}


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("path", ["F/sub/", "F/sub/b", "F/sub/none"])
def test_it_says_what_a_request_is_answered(dav: Client, given: str, path: str) -> None:
    for at, entry in GIVEN[given]:
        give(dav, at, entry)
    methods = ["GET", "PROPFIND", "PROPPATCH", "PUT", "MKCOL", "DELETE"]
    told = statuses(explain(dav, path, *methods))
    assert list(told) == methods
    for method in methods:
        if path.endswith("/") and method in ("PUT", "MKCOL"):  # 405, whatever the rights
            continue
        answer = bob(dav, method, path, **{"Depth": "0"} if method == "PROPFIND" else EVERY[method])
        lacks = answer.status == 403 and answer.condition == f"{D}need-privileges"
        if told[method] == 404 or (path == "F/sub/none" and answer.status == 404):
            assert answer.status == 404, method
        else:
            assert (told[method] == 403) == lacks, (method, told, answer)
        if method in ("PUT", "MKCOL") and answer.status == 201:
            dav("DELETE", path)


def test_the_entries_that_decide_are_shown_where_they_stand(dav: Client) -> None:
    give(dav, "F/", ace(TO_BOB, "D:read", extra=f"<C:expires>{TOMORROW}</C:expires>"))
    give(dav, "F/sub/b", ace(TO_BOB, "C:copy", deny=True))
    answer = explain(dav, "F/sub/b", "GET", "COPY", "PUT")
    assert answer.hrefs() == [f"{HOME}/F/sub/b"] * 3
    assert statuses(answer) == {"GET": 200, "COPY": 403, "PUT": 403}
    at = f"{HOME}/F/sub/b"
    assert decisions(answer) == [
        (at, f"{C}access", f"{C}granted"),
        (at, f"{C}copy", f"{C}denied"),
        (at, f"{D}write-content", f"{C}lacking"),
    ]
    granting, denying = answer.xml.iter(f"{D}ace")
    assert granting.findtext(f"{D}principal/{D}href") == BOBS
    assert granting.findtext(f"{D}inherited/{D}href") == f"{HOME}/F/"
    assert granting.findtext(f"{C}expires") == TOMORROW
    assert denying.findtext(f"{D}inherited/{D}href") == at
    assert denying.find(f"{D}deny") is not None


def test_the_owner_may_do_everything(dav: Client) -> None:
    answer = explain(dav, "F/", who="/dav/principals/users/alice/")
    assert set(statuses(answer).values()) == {200}
    assert all(one.find(f"{D}protected") is not None for one in answer.xml.iter(f"{D}ace"))


def test_it_is_for_those_who_may_read_entries(dav: Client) -> None:
    assert explain(dav, "F/", "GET", asker=BOB).status == 404
    give(dav, "F/", ace(TO_BOB, "D:read"))
    refused = explain(dav, "F/", "GET", asker=BOB)
    assert (refused.status, refused.condition) == (403, f"{D}need-privileges")
    give(dav, "F/", ace(TO_BOB, "D:read", "D:read-acl"))
    assert statuses(explain(dav, "F/", "GET", asker=BOB)) == {"GET": 200}


@pytest.mark.parametrize(
    ("who", "methods", "status", "condition"),
    [
        ("/dav/principals/users/nobody/", ["GET"], 403, f"{D}recognized-principal"),
        (f"{HOME}/F/", ["GET"], 403, f"{D}recognized-principal"),
        ("http://elsewhere/dav/principals/users/bob/", ["GET"], 403, f"{D}recognized-principal"),
        ("/dav/principals/lists/alice/x/", ["GET"], 403, f"{D}allowed-principal"),
        ("/dav/principals/devices/alice/x/", ["GET"], 403, f"{D}allowed-principal"),
        (BOBS, ["FLY"], 400, None),
        (BOBS, ["GET"] * 101, 413, None),
        (" ", ["GET"], 400, None),
    ],
)
def test_bad_questions(dav: Client, who: str, methods: list[str], status: int, condition: str | None) -> None:
    answer = explain(dav, "F/", *methods, who=who)
    assert answer.status == status
    assert condition is None or answer.condition == condition


def test_nothing_is_explained_where_nothing_is_asked(dav: Client) -> None:
    body = '<C:explain-access xmlns:C="urn:davstore:cpm" xmlns:D="DAV:"/>'
    assert dav("REPORT", "F/", body).status == 400
