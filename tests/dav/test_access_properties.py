"""Properties of access control that all resources have alike (RFC 3744 §5.3, §5.6, §5.7), and of principals (§4)."""

from __future__ import annotations

import pytest
from lxml import etree

from tests.dav.client import HOME, MESSAGE, PHONE, Client, D, setting

C = "{urn:davstore:cpm}"
SAME = ("supported-privilege-set", "acl-restrictions", "inherited-acl-set")
OF_PRINCIPALS = ("displayname", "principal-URL", "alternate-URI-set", "group-membership")


@pytest.mark.parametrize("depth", ["0", "1"])
def test_privileges_and_restrictions_are_told_of_every_resource(dav: Client, depth: str) -> None:
    """The tree of privileges has those that RFC 3744 §3.12 wants in `D:write`; §5.6: what ACL refuses."""
    dav.mkcol("c")
    dav.put("c/file", MESSAGE)
    asked = [f"{D}{name}" for name in SAME]
    threads = dav.find("/dav/threads/alice/", f"{D}resourcetype", depth="infinity").hrefs()
    paths = {f"{HOME}/c/": "c/", f"{HOME}/c/file": "c/file"} | {href: href for href in threads}
    assert len(paths) == 5
    for href, path in paths.items():
        found = dav.find(path, *asked, depth=depth).props(href)
        assert set(found) == set(asked)
        privileges, restrictions, inherited = (found[name] for name in asked)
        write = privileges.xpath(".//*[local-name() = 'privilege']/*[local-name() = 'write']/../..")[0]
        contained = {one.find(f"{D}privilege")[0].tag for one in write.iterfind(f"{D}supported-privilege")}
        assert contained >= {f"{D}{name}" for name in ("bind", "unbind", "write-properties", "write-content")}
        assert privileges.find(f".//{D}abstract") is None
        assert {child.tag for child in restrictions} == {f"{D}no-invert", f"{D}deny-before-grant"}
        assert len(inherited) == 0


def test_they_are_protected_and_told_when_asked_for(dav: Client) -> None:
    dav.put("file")
    told = dav("PROPFIND", "file", Depth="0").props(f"{HOME}/file")
    assert told
    assert not set(told) & {f"{D}{name}" for name in SAME}
    for name in SAME:
        refused = dav.patch("file", setting(f"<D:{name}/>"))
        assert f"{D}{name}" in refused.props(f"{HOME}/file", 403)


def test_rfc3744_4_the_properties_of_principals(dav: Client) -> None:
    """A name that is not empty, a URL, and sets that may be empty; none of them in allprop."""
    dav.principal = PHONE
    asked = [f"{D}{name}" for name in OF_PRINCIPALS]
    for href in ("/dav/principals/users/alice/", "/dav/principals/devices/alice/phone/"):
        found = dav.find(href, *asked).props(href)
        assert set(found) == set(asked)
        assert found[f"{D}displayname"].text
        assert found[f"{D}principal-URL"].findtext(f"{D}href") == href
        everything = dav("PROPFIND", href, Depth="0")
        assert not set(everything.props(href)) & set(asked), etree.tostring(everything.xml)
