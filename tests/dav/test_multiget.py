"""REPORT `C:multiget` (docs/protocol.md#many-resources-in-one-answer)."""

from __future__ import annotations

import pytest

from davstore.model.rules import Rule
from tests.dav.client import HOME, MESSAGE, PHONE, Answer, Client, D
from tests.dav.test_bulk import hrefs, rows
from tests.dav.test_filters import SEEN

C = "{urn:davstore:cpm}"


def multiget(dav: Client, path: str, prop: str, *named: str, **headers: str) -> Answer:
    """Ask for properties of what is named."""
    body = f"<D:prop>{prop}</D:prop>{hrefs(*named)}</C:multiget>"
    return dav("REPORT", path, f'<C:multiget xmlns:C="urn:davstore:cpm" xmlns:D="DAV:">{body}', **headers)


def contents(answer: Answer) -> dict[str, tuple[str | None, dict[str, str]]]:
    """Return the text and the attributes of `C:content` by href."""
    found = {}
    for response in answer.xml.iter(f"{D}response"):
        for content in response.iter(f"{C}content"):
            href = str(response.findtext(f"{D}href")).removeprefix(f"{HOME}/")
            found[href] = (content.text, dict(content.attrib))
    return found


@pytest.fixture
def tree(dav: Client) -> Client:
    """Return the client with `c/a`, `c/m`, which has parts, `c/d/x` and `o/x`."""
    dav.mkcol("c", "c/d", "o")
    for path, body in (("c/a", b"a < b\r\n"), ("c/m", MESSAGE), ("c/d/x", b"\x00"), ("o/x", b"x")):
        dav.put(path, body)
    return dav


def test_what_is_named_comes_in_its_order_with_its_bytes(tree: Client) -> None:
    tree.patch("c/a", SEEN)
    answer = multiget(tree, "c/", "<D:getetag/><C:seen/><C:content/>", "c/d/x", "c/a", "c/%61", "c/d")
    assert rows(answer) == [("c/d/x", "200 404"), ("c/a", "200"), ("c/d/", "404")]
    assert answer.text(f"{HOME}/c/a", f"{C}seen") == "T"
    assert contents(answer) == {"c/d/x": ("AA==", {"encoding": "base64"}), "c/a": ("a < b\r\n", {"encoding": "utf-8"})}
    assert contents(multiget(tree, "c/", "<D:getetag/>", "c/a")) == {}


def test_parts_of_messages_come_decoded(tree: Client) -> None:
    prop = "<D:getcontenttype/><D:getcontentlength/><C:content/>"
    answer = multiget(tree, "c/", prop, "c/m?part=2", "c/m?part=1", "c/m?part=9", "c/a?part=1")
    told = [("c/m?part=2", "200"), ("c/m?part=1", "200"), ("c/m?part=9", "404"), ("c/a?part=1", "404")]
    assert rows(answer) == told
    assert answer.text(f"{HOME}/c/m?part=2", f"{D}getcontentlength") == "10"
    assert contents(answer) == {
        "c/m?part=2": ("AAECAwQFBgcICQ==", {"encoding": "base64"}),
        "c/m?part=1": ("hello", {"encoding": "utf-8"}),
    }
    short = contents(multiget(tree, "c/", '<C:content max-size="9"/>', "c/m?part=2", "c/m?part=1", "c/m"))
    assert short["c/m?part=2"] == (None, {"truncated": "T", "size": "10"})
    assert short["c/m?part=1"][0] == "hello"
    assert short["c/m"] == (None, {"truncated": "T", "size": str(len(MESSAGE))})


def test_what_is_elsewhere_or_not_there_is_told_by_itself(tree: Client) -> None:
    named = {
        "o/x": "403",
        "c/": "403",
        "c/no": "404",
        "o/no": "404",
        "o/x?part=1": "403",
        "c/no?part=1": "404",
        "http://elsewhere.example/x": "403",
        "/dav/store/bob/x": "404",
        "/dav/principals/users/alice/": "403",
        "c/a?preview=1": "404",
    }
    assert rows(multiget(tree, "c/", "<D:getetag/>", *named)) == [*named.items()]
    assert multiget(tree, "c/a", "<D:getetag/>", "c/a").condition == f"{D}supported-report"
    assert multiget(tree, "c/no/", "<D:getetag/>", "c/a").status == 404
    assert multiget(tree, "c/", "<D:getetag/>").status == 400
    assert multiget(tree, "c/", "<D:getetag/>", "c/a", If='(["x"])').status == 412
    assert multiget(tree, "c/", "<D:getetag/>", *["c/a"] * 5_001).status == 413


def test_many_come_some_at_a_time(tree: Client) -> None:
    for number in range(20):
        tree.put(f"c/{number}", b"%d" % number)
    named = [f"c/{number}" for number in range(20)]
    answer = multiget(tree, "", "<D:getetag/><C:content/>", *named)
    assert rows(answer) == [(name, "200") for name in named]
    assert [text for text, _ in contents(answer).values()] == [str(number) for number in range(20)]


def test_a_device_gets_what_it_is_shown(tree: Client) -> None:
    tree.principal = PHONE
    tree.rules = (Rule("small", max_body_bytes=len(MESSAGE) - 1, exclude=(("c", "d"),)),)
    answer = multiget(tree, "c/", "<D:getetag/><C:content/>", "c/a", "c/m", "c/m?part=1", "c/d/x", "c/d")
    assert rows(answer) == [
        ("c/a", "200"),
        ("c/m", "404 out-of-view"),
        ("c/m?part=1", "404 out-of-view"),
        ("c/d/x", "404 out-of-view"),
        ("c/d/", "404 out-of-view"),
    ]
    assert answer.xml.find(f"{C}sync-policy-applied") is not None
    assert multiget(tree, "c/d/", "<D:getetag/>", "c/d/x").condition == f"{C}sync-scope-allowed"
    tree.rules = (Rule("names", list_only=True),)
    assert contents(multiget(tree, "c/", "<C:content/>", "c/a")) == {"c/a": (None, {"truncated": "T", "size": "7"})}
