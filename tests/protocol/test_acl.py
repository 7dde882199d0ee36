"""Access control lists in XML: the body of ACL, and the properties of privileges (RFC 3744 §5.3 to §5.6, §8.1)."""

from __future__ import annotations

import pytest
from lxml import etree

from davstore.errors import DavstoreError, Malformed, TooLarge, UnsupportedFilter
from davstore.errors.rights import (
    DenyAfterGrant,
    InheritedAce,
    InvertedPrincipal,
    ProtectedAce,
    TooManyAces,
    UnsupportedPrivilege,
)
from davstore.model.acl import AskedAce, Kept, Privilege, Word
from davstore.model.where import IsCollection
from davstore.protocol.dav import acl
from davstore.protocol.dav.acl import MOST_ACES, PRIVILEGES, ShownAce
from davstore.protocol.dav.elements import ROOT_NAMESPACES

D, C = "{DAV:}", "{urn:davstore:cpm}"
BOB = "<D:principal><D:href>/dav/principals/users/bob/</D:href></D:principal>"
READ = "<D:grant><D:privilege><D:read/></D:privilege></D:grant>"
NO_READ = "<D:deny><D:privilege><D:read/></D:privilege></D:deny>"
WHERE = "<D:where><D:is-collection/></D:where>"


def body(*aces: str) -> bytes:
    listed = "".join(f"<D:ace>{ace}</D:ace>" for ace in aces)
    return f'<D:acl xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">{listed}</D:acl>'.encode()


def element_of(rendered: bytes) -> etree._Element:
    """Return the one element that was rendered, as it stands in an answer."""
    root = etree.fromstring(b"<D:prop%b>%b</D:prop>" % (ROOT_NAMESPACES, rendered))
    assert len(root) == 1
    return root[0]


def test_the_example_of_the_rfc() -> None:
    """RFC 3744 §8.1.2, but for a third entry with inherited ones, which no request may have."""
    found = acl.parse(
        b"""<?xml version="1.0" encoding="utf-8" ?>
        <D:acl xmlns:D="DAV:">
          <D:ace>
            <D:principal><D:href>http://www.example.com/users/esedlar</D:href></D:principal>
            <D:grant>
              <D:privilege><D:read/></D:privilege>
              <D:privilege><D:write/></D:privilege>
            </D:grant>
          </D:ace>
          <D:ace>
            <D:principal><D:property><D:owner/></D:property></D:principal>
            <D:grant>
              <D:privilege><D:read-acl/></D:privilege>
              <D:privilege><D:write-acl/></D:privilege>
            </D:grant>
          </D:ace>
          <D:ace>
            <D:principal><D:all/></D:principal>
            <D:grant><D:privilege><D:read/></D:privilege></D:grant>
          </D:ace>
        </D:acl>"""
    )
    assert found == [
        AskedAce("http://www.example.com/users/esedlar", False, Privilege.READ | Privilege.WRITE),  # noqa: FBT003
        AskedAce(Word.OWNER, False, Privilege.READ_ACL | Privilege.WRITE_ACL),  # noqa: FBT003
        AskedAce(Word.ALL, False, Privilege.READ),  # noqa: FBT003
    ]


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        ("<D:href> /a </D:href>", "/a"),
        ("<D:all/>", Word.ALL),
        ("<D:authenticated/>", Word.AUTHENTICATED),
        ("<D:unauthenticated/>", Word.UNAUTHENTICATED),
        ("<D:self/>", Word.SELF),
        ("<D:property><D:owner/></D:property>", Word.OWNER),
        ("<D:property><D:group/></D:property>", Word.PROPERTY),
        ("<D:property><D:owner/><D:group/></D:property>", Word.PROPERTY),
        ("<D:property/>", Word.PROPERTY),
        ("<x xmlns='urn:x'/><D:self/>", Word.SELF),
    ],
)
def test_principals(principal: str, who: str | Word) -> None:
    (found,) = acl.parse(body(f"<D:principal>{principal}</D:principal>{READ}"))
    assert found.who == who


@pytest.mark.parametrize(
    ("content", "expires_us"),
    [
        ("", Kept.KEPT),
        ("<C:expires>never</C:expires>", None),
        ("<C:expires> 2026-12-31T23:59:59Z </C:expires>", 1_798_761_599_000_000),
        ("<C:expires>2027-01-01T00:59:59+01:00</C:expires>", 1_798_761_599_000_000),
        ("<C:expires>1970-01-01T00:00:00.5Z</C:expires>", 500_000),
    ],
)
def test_the_end_of_an_entry(content: str, expires_us: int | Kept | None) -> None:
    (found,) = acl.parse(body(f"{BOB}{READ}{content}"))
    assert found.expires_us == expires_us


def test_the_filter_of_an_entry() -> None:
    kept, none, some = acl.parse(
        body(f"{BOB}{READ}", f"{BOB}{READ}<C:filter/>", f"{BOB}{READ}<C:filter>{WHERE}</C:filter>")
    )
    assert (kept.filter, none.filter, some.filter) == (Kept.KEPT, None, IsCollection())


def test_what_is_not_known_is_ignored() -> None:
    """RFC 4918 §17."""
    ace = f"{BOB}<D:grant><x xmlns='urn:x'/><D:privilege><C:folder/></D:privilege></D:grant><D:label>x</D:label>"
    (found,) = acl.parse(body(ace).replace(b"<D:ace>", b"<x xmlns='urn:x'/><D:ace>"))
    assert found.privileges == Privilege.FOLDER
    assert acl.parse(body()) == []


def test_denials_come_first() -> None:
    assert [one.denies for one in acl.parse(body(f"{BOB}{NO_READ}", f"{BOB}{NO_READ}", f"{BOB}{READ}"))] == [
        *(True, True, False)
    ]
    with pytest.raises(DenyAfterGrant):
        acl.parse(body(f"{BOB}{NO_READ}", f"{BOB}{READ}", f"{BOB}{NO_READ}"))


def test_as_many_entries_as_may_be() -> None:
    assert len(acl.parse(body(*[BOB + READ] * 1_000))) == 1_000 == MOST_ACES
    with pytest.raises(TooManyAces):
        acl.parse(body(*[BOB + READ] * 1_001))


def test_as_many_entries_as_may_be_are_written_back_as_they_were_read() -> None:
    """All privileges that contain no other, each by itself, but for one: so many names that no entry has more."""
    bits = int(Privilege.ALL & ~Privilege.UNLOCK & ~Privilege.ACCESS & ~Privilege.DELETE & ~Privilege.ADD_ITEM)
    assert len(acl.fewest(bits)) > 10
    entry = ShownAce("/dav/principals/users/bob/", denies=False, privileges=bits, expires_us=1_798_761_599_000_000)
    told = acl.render_acl([entry] * 1_000).replace(b"<D:acl", b"<D:acl" + ROOT_NAMESPACES, 1)
    assert [one.privileges for one in acl.parse(told)] == [bits] * 1_000


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", Malformed),
        (b"<a", Malformed),
        (b'<ace xmlns="DAV:"/>', Malformed),
        (b"<acl/>", Malformed),
        (body(""), Malformed),
        (body(BOB), Malformed),
        (body(READ), Malformed),
        (body(BOB + READ + NO_READ), Malformed),
        (body(BOB + READ + READ), Malformed),
        (body(BOB + BOB + READ), Malformed),
        (body(f"<D:principal><D:self/><D:all/></D:principal>{READ}"), Malformed),
        (body(f"<D:principal/>{READ}"), Malformed),
        (body(f"<D:principal><D:href/></D:principal>{READ}"), Malformed),
        (body(f"<D:principal><D:href>/a<b/></D:href></D:principal>{READ}"), Malformed),
        (body(f"<D:principal><x xmlns='urn:x'/></D:principal>{READ}"), Malformed),
        (body(f"{BOB}<D:grant/>"), Malformed),
        (body(f"{BOB}<D:grant><D:privilege/></D:grant>"), Malformed),
        (body(f"{BOB}<D:grant><D:privilege><D:read/><D:write/></D:privilege></D:grant>"), Malformed),
        (body(f"{BOB}<D:grant><D:privilege><D:copy/></D:privilege></D:grant>"), UnsupportedPrivilege),
        (body(f"{BOB}<D:grant><D:privilege><C:read/></D:privilege></D:grant>"), UnsupportedPrivilege),
        (body(f"<D:invert>{BOB}</D:invert>{READ}"), InvertedPrincipal),
        (body(f"{BOB}{READ}<D:protected/>"), ProtectedAce),
        (body(f"{BOB}{READ}<D:inherited><D:href>/</D:href></D:inherited>"), InheritedAce),
        *(
            (body(f"{BOB}{READ}<C:expires>{text}</C:expires>"), Malformed)
            for text in (
                "",
                "soon",
                "2026-12-31",
                "2026-12-31T23:59:59",
                "2026-13-31T23:59:59Z",
                "<x>never</x>",
                "NEVER",
            )
        ),
        (body(f"{BOB}{READ}<C:expires>never</C:expires><C:expires>never</C:expires>"), Malformed),
        (body(f"{BOB}{READ}<C:filter/><C:filter/>"), Malformed),
        (body(f"{BOB}{READ}<C:filter>{WHERE}{WHERE}</C:filter>"), UnsupportedFilter),
        (body(f"{BOB}{READ}<C:filter><C:max-age>P1D</C:max-age></C:filter>"), UnsupportedFilter),
        (body(f"{BOB}{READ}<C:filter><D:where/></C:filter>"), UnsupportedFilter),
        (body("<D:x/>" * 60_000), TooLarge),
    ],
)
def test_what_is_refused(content: bytes, error: type[DavstoreError]) -> None:
    with pytest.raises(error) as refused:
        acl.parse(content)
    assert type(refused.value) is error


def test_an_entry_as_it_is_told() -> None:
    """RFC 3744 §5.5: the principal, the privileges, and then whether it is protected or inherited."""
    told = acl.render_acl(
        [
            ShownAce(Word.OWNER, denies=False, privileges=Privilege.ALL, is_protected=True),
            ShownAce("/b&b/", denies=True, privileges=Privilege.READ | Privilege.UNLOCK, inherited="/dav/store/a/"),
            ShownAce(
                Word.SELF,
                denies=False,
                privileges=Privilege.COPY,
                expires_us=1_798_761_599_000_000,
                filter=IsCollection(),
            ),
        ]
    )
    assert told == (
        b"<D:acl>"
        b"<D:ace><D:principal><D:property><D:owner/></D:property></D:principal>"
        b"<D:grant><D:privilege><D:all/></D:privilege></D:grant><D:protected/></D:ace>"
        b"<D:ace><D:principal><D:href>/b&amp;b/</D:href></D:principal>"
        b"<D:deny><D:privilege><D:read/></D:privilege><D:privilege><D:unlock/></D:privilege></D:deny>"
        b"<D:inherited><D:href>/dav/store/a/</D:href></D:inherited></D:ace>"
        b"<D:ace><D:principal><D:self/></D:principal>"
        b"<D:grant><D:privilege><C:copy/></D:privilege></D:grant>"
        b"<C:expires>2026-12-31T23:59:59Z</C:expires>"
        b"<C:filter><D:where><D:is-collection/></D:where></C:filter></D:ace>"
        b"</D:acl>"
    )


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("D:all", ["D:all"]),
        ("C:folder", ["C:folder"]),
        ("D:read C:access C:list", ["D:read"]),
        ("D:read C:create-folder", ["D:read", "C:create-folder"]),
        ("C:list-filtered C:set-state", ["C:list-filtered", "C:set-state"]),
        ("D:bind D:write-acl C:copy", ["D:bind", "C:copy", "D:write-acl"]),
    ],
)
def test_privileges_are_told_by_few_names(asked: str, told: list[str]) -> None:
    """What was written reads back, and means the same."""
    names = [word.replace("D:", D).replace("C:", C) for word in asked.split()]
    bits = 0
    for name in names:
        bits |= PRIVILEGES[name]
    found = acl.fewest(bits)
    assert [name.replace(D, "D:").replace(C, "C:") for name in found] == told
    grant = "".join(f"<D:privilege>{element}</D:privilege>" for element in (f"<{name}/>" for name in told))
    assert acl.parse(body(f"{BOB}<D:grant>{grant}</D:grant>"))[0].privileges == bits


def test_the_privileges_that_are_supported() -> None:
    """RFC 3744 §5.3: each with a description in a language; §3.12: none contains itself."""
    root = element_of(acl.SUPPORTED_PRIVILEGE_SET)
    assert root.tag == f"{D}supported-privilege-set"
    (top,) = root
    tree = {path[-1]: path for path in paths(top)}
    assert tree[f"{C}list-filtered"] in (
        (f"{D}all", f"{D}read", f"{C}list", f"{C}list-filtered"),
        (f"{D}all", f"{C}folder", f"{C}list", f"{C}list-filtered"),
    )
    for contained in ("bind", "unbind", "write-properties", "write-content"):
        assert tree[D + contained] == (f"{D}all", f"{D}write", D + contained)
    assert all(len({*path}) == len(path) for path in paths(top))
    assert {path[-1] for path in paths(top)} == {*PRIVILEGES}


def paths(supported: etree._Element) -> list[tuple[str, ...]]:
    """Return the names from the top to each privilege of a `D:supported-privilege`."""
    privilege, description, *contained = supported
    assert (privilege.tag, description.tag) == (f"{D}privilege", f"{D}description")
    assert description.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
    assert description.text
    name = str(privilege[0].tag)
    assert all(one.tag == f"{D}supported-privilege" for one in contained)
    return [(name,), *((name, *path) for one in contained for path in paths(one))]


@pytest.mark.parametrize(
    ("bits", "told"),
    [
        (Privilege.ACCESS | Privilege.LIST_FILTERED, {f"{C}access", f"{C}list-filtered"}),
        (
            Privilege.READ | Privilege.CREATE_FOLDER,
            {
                f"{D}read",
                *(C + word for word in ("access", "copy", "list", "list-filtered", "create-folder", "folder")),
            },
        ),
        (Privilege.ALL, {*PRIVILEGES}),
        (0, set()),
    ],
)
def test_the_privileges_of_the_current_user(bits: int, told: set[str]) -> None:
    """RFC 3744 §5.4: aggregates and what they contain, each once."""
    root = element_of(acl.render_current_user_privilege_set(bits))
    assert root.tag == f"{D}current-user-privilege-set"
    assert all(one.tag == f"{D}privilege" and len(one) == 1 for one in root)
    found = [one[0].tag for one in root]
    assert len(found) == len({*found})
    assert {*found} == told


def test_the_restrictions() -> None:
    """RFC 3744 §5.6."""
    root = element_of(acl.ACL_RESTRICTIONS)
    assert root.tag == f"{D}acl-restrictions"
    assert {child.tag for child in root} == {f"{D}no-invert", f"{D}deny-before-grant"}


def test_privileges_that_lack() -> None:
    """RFC 3744 §7.1.1: one privilege for each resource, however many lack of one."""
    told = acl.render_lacks(
        [("/a&b", Privilege.DELETE), ("/", Privilege.UNBIND), ("/", Privilege.LIST_ALL), ("/", Privilege.READ)]
    )
    assert told == (
        b"<D:resource><D:href>/a&amp;b</D:href><D:privilege><C:delete/></D:privilege></D:resource>"
        b"<D:resource><D:href>/</D:href><D:privilege><D:unbind/></D:privilege></D:resource>"
        b"<D:resource><D:href>/</D:href><D:privilege><C:list/></D:privilege></D:resource>"
        b"<D:resource><D:href>/</D:href><D:privilege><D:read/></D:privilege></D:resource>"
    )
