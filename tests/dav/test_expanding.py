"""REPORT expand-property: RFC 3253 §3.8."""

from __future__ import annotations

from typing import Any

import pytest

from davstore.dav.handlers.reports import expanding
from tests.dav.client import BOB, HOME, MESSAGE, Answer, Client, D, expand_body, setting

C = "{urn:davstore:cpm}"
ME = "/dav/principals/users/alice/"


def asked(name: str, *nested: str, namespace: str = "") -> str:
    """Return a `D:property` with others in it."""
    told = f' namespace="{namespace}"' if namespace else ""
    return f'<D:property name="{name}"{told}>{"".join(nested)}</D:property>'


PARTS = asked("parts", asked("getcontenttype"), asked("getcontentlength"), namespace="urn:davstore:cpm")


def expand(dav: Client, path: str, *content: str, **headers: str) -> Answer:
    answer = dav("REPORT", path, expand_body("".join(content)), **headers)
    assert answer.status == 207, answer
    return answer


def responses(element: Any) -> dict[str, dict[str, Any]]:
    """Return href and properties that are there of each response that stands in an element."""
    return {
        response.findtext(f"{D}href"): {
            one.tag: one
            for propstat in response.iterfind(f"{D}propstat")
            if " 200 " in propstat.findtext(f"{D}status")
            for one in propstat.find(f"{D}prop")
        }
        for response in element.iterfind(f"{D}response")
    }


def top(answer: Answer, href: str, name: str) -> Any:
    """Return a property of the resource that was asked about."""
    return responses(answer.xml)[href][name]


def test_rfc3253_3_8_the_hrefs_of_a_property_become_responses(dav: Client) -> None:
    dav.put("m &.eml".replace(" ", "%20"), MESSAGE)
    href = f"{HOME}/m%20&.eml"
    answer = expand(dav, href, PARTS, asked("getetag"), asked("nothing"))
    assert answer.hrefs()[0] == href
    parts = responses(top(answer, href, f"{C}parts"))
    found = {part: {name: one.text for name, one in props.items()} for part, props in parts.items()}
    types = {f"{href}?part=1": ("text/plain; charset=utf-8", "5"), f"{href}?part=2": ("image/png", "10")}
    assert found == {
        part: {f"{D}getcontenttype": kind, f"{D}getcontentlength": length} for part, (kind, length) in types.items()
    }
    for part, (kind, length) in types.items():  # as PROPFIND tells them
        told = dav.find(part, f"{D}getcontenttype", f"{D}getcontentlength")
        assert (told.text(part, f"{D}getcontenttype"), told.text(part, f"{D}getcontentlength")) == (kind, length)
    assert f'"{str(top(answer, href, f"{D}getetag").text)[1:-1]}"' == dav("HEAD", href).headers["ETag"]
    assert answer.props(href, 404).keys() >= {f"{D}nothing"}


def test_a_property_without_others_in_it_is_as_it_is(dav: Client) -> None:
    dav.put("m", MESSAGE)
    answer = expand(dav, "m", asked("parts", namespace="urn:davstore:cpm"), asked("owner"))
    for name in (f"{C}parts", f"{D}owner"):
        value = top(answer, f"{HOME}/m", name)
        assert responses(value) == {}
        assert [one.text for one in value] == [one.text for one in dav.find("m", name).prop(f"{HOME}/m", name)]


@pytest.mark.parametrize("path", [f"{HOME}/m", f"{HOME}/", f"{HOME}/c", "/dav/", "/dav/store/", ME, "/dav/principals/"])
def test_every_kind_leads_to_the_principal(dav: Client, path: str) -> None:
    dav.put("m", MESSAGE)
    dav.mkcol("c")
    inner = asked(
        "current-user-principal", asked("displayname"), asked("principal-collection-set", asked("resourcetype"))
    )
    answer = expand(dav, path, inner, Depth="0")
    href = path if path.endswith(("/", "m")) else f"{path}/"
    ((principal, found),) = responses(top(answer, href, f"{D}current-user-principal")).items()
    assert (principal, found[f"{D}displayname"].text) == (ME, "alice")
    found_above = responses(found[f"{D}principal-collection-set"])
    assert found_above.keys() == {"/dav/principals/"}
    assert found_above["/dav/principals/"][f"{D}resourcetype"][0].tag == f"{D}collection"


def test_what_leads_nowhere_here_stays_as_it_is(dav: Client) -> None:
    dav.put("a")
    dav.patch("a", setting(f"<x:p><D:href>{HOME}/a</D:href></x:p>"))
    answer = expand(dav, "a", asked("p", asked("getetag"), namespace="urn:x"), asked("resource-id", asked("getetag")))
    assert top(answer, f"{HOME}/a", "{urn:x}p")[0].text == f"{HOME}/a"
    assert top(answer, f"{HOME}/a", f"{D}resource-id")[0].text.startswith("urn:uuid:")


def test_dead_properties_of_a_message_are_not_those_of_its_parts(dav: Client) -> None:
    dav.put("m", MESSAGE)
    dav.patch("m", setting("<x:p>mine</x:p>"))
    dead = asked("p", namespace="urn:x")
    parts = asked("parts", dead, asked("getetag"), namespace="urn:davstore:cpm")
    answer = expand(dav, "m", dead, parts, asked("owner", dead, asked("displayname")))
    assert top(answer, f"{HOME}/m", "{urn:x}p").text == "mine"
    for name in (f"{C}parts", f"{D}owner"):
        for found in responses(top(answer, f"{HOME}/m", name)).values():
            assert found.keys() in ({f"{D}getetag"}, {f"{D}displayname"})


def test_an_owner_tells_its_profile(dav: Client) -> None:
    dav.put("a")
    answer = expand(dav, "a", asked("owner", asked("effective-sync-policy", namespace="urn:davstore:cpm")))
    assert answer.xml.findtext(".//{urn:davstore:cpm}allowed") == "T"


def test_the_same_property_twice_is_one_with_all_that_is_in_both(dav: Client) -> None:
    dav.put("a")
    answer = expand(dav, "a", asked("owner", asked("displayname")), asked("owner", asked("principal-URL")))
    assert responses(top(answer, f"{HOME}/a", f"{D}owner"))[ME].keys() == {f"{D}displayname", f"{D}principal-URL"}


def test_behind_a_proxy_hrefs_are_followed_with_its_prefix(tmp_path: Any) -> None:
    dav = Client(tmp_path, proxies="192.0.2.0/24")
    dav.put("m", MESSAGE)
    answer = expand(dav, "m", PARTS, asked("owner", asked("displayname")), X_Forwarded_Prefix="/files")
    href = f"/files{HOME}/m"
    assert len(responses(top(answer, href, f"{C}parts"))) == 2
    assert responses(top(answer, href, f"{D}owner"))[f"/files{ME}"][f"{D}displayname"].text == "alice"
    dav.close()


def test_prefer_minimal_leaves_out_what_is_not_there(dav: Client) -> None:
    dav.put("a")
    answer = expand(dav, "a", asked("owner", asked("nothing")), asked("nothing"), Prefer="return=minimal")
    assert b"404" not in answer.body
    assert answer.headers["Preference-Applied"] == "return=minimal"


def test_a_stranger_learns_nothing(dav: Client) -> None:
    dav.put("m", MESSAGE)
    dav.principal = BOB
    for path in (f"{HOME}/m", f"{HOME}/missing", f"{HOME}/", ME):
        assert dav("REPORT", path, expand_body(PARTS)).status == 404


def test_if_and_a_missing_resource(dav: Client) -> None:
    dav.put("a")
    assert dav("REPORT", "a", expand_body(PARTS), If='(["x"])').status == 412
    assert dav("REPORT", "missing", expand_body(PARTS)).status == 404
    assert dav("REPORT", "/dav/", expand_body(PARTS), If='(["x"])').status == 412


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("", 207),
        ("<D:unknown/>", 207),
        ("<D:property/>", 400),
        ('<D:property name=""/>', 400),
        ('<D:property name="a b"/>', 400),
        ('<D:property name="a/&gt;&lt;b"/>', 400),
        ('<D:property name="a b=&quot;c&quot;"/>', 400),
        ('<D:property name="x:y"/>', 400),
        ('<D:property name="1"/>', 400),
        ('<D:property name="a" namespace="http://www.w3.org/2000/xmlns/"/>', 400),
        ('<D:property name="a" namespace="x&#10;y"/>', 400),
        ('<D:property name="a" namespace=""/>', 207),
        (f'<D:property name="{"n" * 256}"/>', 400),
        ("".join(asked(f"p{number}") for number in range(1_001)), 413),
        ("<D:property name='owner'>" * 9 + "</D:property>" * 9, 413),
        ("<D:property name='owner'>" * 8 + "</D:property>" * 8, 207),
    ],
)
def test_bodies(dav: Client, content: str, status: int) -> None:
    dav.put("a")
    assert dav("REPORT", "a", expand_body(content)).status == status


def test_a_depth_says_nothing_of_a_resource_without_members(dav: Client) -> None:
    dav.put("a")
    dav.mkcol("c")
    for depth, status in (("0", 207), ("1", 207), ("infinity", 207), ("x", 400)):
        assert dav("REPORT", "a", expand_body(PARTS), Depth=depth).status == status
    for depth, status in (("0", 207), ("1", 400), ("infinity", 400)):
        assert dav("REPORT", "c/", expand_body(PARTS), Depth=depth).status == status


def test_an_answer_has_an_end(dav: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    dav.put("m", MESSAGE)
    monkeypatch.setattr(expanding, "MOST_VALUES", 4)
    answer = dav("REPORT", "m", expand_body(PARTS))
    assert (answer.status, answer.condition) == (507, f"{D}number-of-matches-within-limits")
    assert expand(dav, "m", PARTS.replace('<D:property name="getcontentlength"></D:property>', "")).status == 207
