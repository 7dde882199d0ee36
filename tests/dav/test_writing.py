"""PUT, DELETE, MKCOL, COPY and MOVE: RFC 4918 §9.3-9.9, RFC 5689, RFC 4331."""

from __future__ import annotations

from pathlib import Path

import pytest

from davstore.model.limits import Limits
from tests.dav.client import HOME, Client, D, prop_body, setting
from tests.dav.test_locks import info

EXCLUSIVE = b"""<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>
<D:locktype><D:write/></D:locktype></D:lockinfo>"""
NASTY = [
    "a%252Fb",
    "100%25%20%231.txt",
    "%F0%9F%90%99",
    "x" * 255,
    "dot.",
    "%22%27%3C%3E%26",
    "e%CC%81",
    "%C3%A9",
    "a:b*c",
]


def test_put_makes_and_replaces(dav: Client) -> None:
    made = dav("PUT", "a", b"one")
    assert (made.status, made.headers["Content-Length"]) == (201, "0")
    replaced = dav("PUT", "a", b"two")
    assert replaced.status == 204
    assert made.headers["ETag"] != replaced.headers["ETag"]
    assert dav("GET", "a").headers["Last-Modified"] == replaced.headers["Last-Modified"]


def test_equal_bytes_have_equal_strong_tags(dav: Client) -> None:
    etag = dav.put("a", b"one")
    dav.put("a", b"two")
    assert dav.put("a", b"one") == etag == dav.put("b", b"one")
    assert etag.startswith('"')


@pytest.mark.parametrize("inline_bytes", [4, 1000])
def test_a_chunked_body_is_stored_whole(tmp_path: Path, inline_bytes: int) -> None:
    dav = Client(tmp_path, limits=Limits(inline_bytes=inline_bytes))
    assert dav("PUT", "a", b"hello world", chunked=True).status == 201
    assert dav("GET", "a").body == b"hello world"
    dav.close()


@pytest.mark.parametrize("inline_bytes", [4, 1000])
def test_a_short_body_is_never_acknowledged(tmp_path: Path, inline_bytes: int) -> None:
    dav = Client(tmp_path, limits=Limits(inline_bytes=inline_bytes))
    assert dav("PUT", "a", b"hello", Content_Length="1000").status == 400
    assert dav.names() == []
    dav.put("a", b"old")
    assert dav("PUT", "a", b"hello", Content_Length="1000").status == 400
    assert dav("GET", "a").body == b"old"
    dav.close()


def test_put_where_it_cannot_be(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("a")
    assert dav("PUT", "no/a").status == 409
    assert dav("PUT", "a/b").status == 409
    for path in ("c", "c/", "new/", ""):
        answer = dav("PUT", path)
        assert answer.status == 405
        assert "PUT" not in answer.headers["Allow"]
    answer = dav("PUT", "x" * 256)
    assert (answer.status, answer.condition) == (403, f"{D}name-allowed")


def test_put_of_a_part_or_a_coding(dav: Client) -> None:
    assert dav("PUT", "a", b"x", Content_Range="bytes 0-0/1").status == 400
    assert dav("PUT", "a", b"x", Content_Encoding="gzip").status == 415
    assert dav("PUT", "a", b"x", Content_Type="x" * 256).status == 400
    assert dav.names() == []


def test_put_keeps_dead_properties_and_resource_id(dav: Client) -> None:
    dav.put("a", b"one")
    dav.patch("a", setting("<x:p>1</x:p>"))
    before = dav.find("a", f"{D}resource-id", "{urn:x}p")
    dav.put("a", b"two")
    after = dav.find("a", f"{D}resource-id", "{urn:x}p")
    assert before.body == after.body
    assert after.text(f"{HOME}/a", "{urn:x}p") == "1"


def test_last_modified_only_rises(dav: Client) -> None:
    dav.put("a", b"one")
    dav.now_us -= 3_600_000_000
    dav.put("a", b"two")
    dav.now_us += 3_600_000_000
    assert dav("GET", "a").headers["Last-Modified"] == "Fri, 15 Jan 2027 08:00:00 GMT"


@pytest.mark.parametrize("name", NASTY)
def test_names_survive(dav: Client, name: str) -> None:
    dav.mkcol("c")
    dav.put(name, b"here")
    (href,) = (href for href in dav("PROPFIND", "", Depth="1").hrefs() if href not in (f"{HOME}/", f"{HOME}/c/"))
    assert dav("GET", href).body == b"here"
    assert dav("MOVE", name, Destination=f"{HOME}/c/{name}").status == 201
    inside = href.replace(HOME, f"{HOME}/c")
    assert inside in dav.sync().hrefs()
    assert dav("MOVE", inside, Destination=f"http://dav.example{href}").status == 201
    assert dav("GET", name).body == b"here"


# DELETE


def test_delete_takes_the_whole_tree(dav: Client) -> None:
    dav.mkcol("c", "c/d")
    dav.put("c/d/a")
    assert dav("DELETE", "c").status == 204
    for path in ("c", "c/d", "c/d/a"):
        assert dav("GET", path).status == 404
    assert dav("DELETE", "c").status == 404


@pytest.mark.parametrize("depth", ["0", "1", "2", "x"])
def test_rfc4918_9_6_1_of_a_collection_delete_and_move_know_one_depth(dav: Client, depth: str) -> None:
    dav.mkcol("c")
    assert dav("DELETE", "c", Depth=depth).status == 400
    assert dav("MOVE", "c", Depth=depth, Destination=f"{HOME}/d").status == 400
    assert dav.names() == ["c/"]
    assert dav("DELETE", "c", Depth="infinity").status == 204


@pytest.mark.parametrize("depth", ["0", "1", "infinity"])
def test_rfc4918_9_6_1_of_a_file_a_depth_says_nothing(dav: Client, depth: str) -> None:
    dav.put("a")
    assert dav("COPY", "a", Depth=depth, Destination=f"{HOME}/b").status == 201
    assert dav("MOVE", "a", Depth=depth, Destination=f"{HOME}/c").status == 201
    assert dav("DELETE", "b", Depth=depth).status == 204
    assert dav("DELETE", "missing", Depth=depth).status == 404
    assert dav("DELETE", "c", Depth="2").status == 400
    assert dav.names() == ["c"]


def test_the_root_stays(dav: Client) -> None:
    for method in ("DELETE", "MOVE"):
        answer = dav(method, "", Destination=f"{HOME}/c")
        assert answer.status in (403, 405), method
    assert dav("MKCOL", "").status == 405


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "COPY", "MOVE", "OPTIONS"])
def test_a_body_that_nobody_defined(dav: Client, method: str) -> None:
    dav.put("a")
    for chunked in (False, True):
        assert dav(method, "a", b"<x/>", chunked=chunked, Destination=f"{HOME}/b").status == 415
    assert dav.names() == ["a"]


# MKCOL


def test_mkcol(dav: Client) -> None:
    dav.put("a")
    assert dav("MKCOL", "c/").status == 201
    again = dav("MKCOL", "c")
    assert again.status == 405
    assert "PROPFIND" in again.headers["Allow"]
    assert dav("MKCOL", "a").status == 405
    assert dav("MKCOL", "x/y").status == 409
    assert dav("MKCOL", "b", b"junk", Content_Type="text/plain").status == 415
    assert dav("MKCOL", "b", b"junk", Content_Type="text/plain", chunked=True).status == 415
    assert dav("MKCOL", "b", b"junk").status == 415
    assert dav("MKCOL", "b", b"<junk", Content_Type="text/xml").status == 400
    assert dav("MKCOL", "b", b"<junk/>", Content_Type="text/xml").status == 400
    assert dav.names() == ["a", "c/"]


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/xml", "httpd/unix-directory"])
def test_no_bytes_are_no_body(dav: Client, media_type: str | None) -> None:
    """Some programs announce a body in chunks, or a type of it, and send none."""
    typed = {} if media_type is None else {"Content_Type": media_type}
    assert dav("MKCOL", "chunked", chunked=True, **typed).status == 201
    assert dav("MKCOL", "sized", Content_Length="0", **typed).status == 201
    dav.put("a", chunked=True)
    to = {"Destination": f"{HOME}/b"}
    for method, status in (("GET", 200), ("HEAD", 200), ("OPTIONS", 200), ("COPY", 201), ("DELETE", 204)):
        assert dav(method, "a", chunked=True, **to, **typed).status == status, method
    assert dav("MOVE", "b", chunked=True, Destination=f"{HOME}/c", **typed).status == 201
    assert dav("PROPFIND", "c", chunked=True, Depth="0", **typed).prop(f"{HOME}/c", f"{D}getetag") is not None
    token = dav("LOCK", "c", info()).headers["Lock-Token"]
    assert dav("LOCK", "c", chunked=True, If=f"({token})", **typed).status == 200
    assert dav("UNLOCK", "c", chunked=True, Lock_Token=token, **typed).status == 204


def mkcol_body(properties: str, types: str = "<D:collection/>") -> str:
    return (
        '<D:mkcol xmlns:D="DAV:" xmlns:x="urn:x"><D:set><D:prop>'
        f"<D:resourcetype>{types}</D:resourcetype>{properties}</D:prop></D:set></D:mkcol>"
    )


def test_extended_mkcol_sets_properties(dav: Client) -> None:
    body = mkcol_body("<D:displayname>Name</D:displayname><x:p><x:q/></x:p>")
    assert dav("MKCOL", "c", body, Content_Type="application/xml; charset=utf-8").status == 201
    found = dav.find("c", f"{D}displayname", "{urn:x}p")
    assert found.text(f"{HOME}/c/", f"{D}displayname") == "Name"
    assert found.prop(f"{HOME}/c/", "{urn:x}p")[0].tag == "{urn:x}q"


def test_extended_mkcol_is_all_or_nothing(dav: Client) -> None:
    body = mkcol_body("<D:displayname>Name</D:displayname><D:getetag>x</D:getetag>")
    answer = dav("MKCOL", "c", body, Content_Type="application/xml")
    assert answer.status == 403
    assert answer.xml.tag == f"{D}mkcol-response"
    fates = {
        str(element.tag): propstat.findtext(f"{D}status")
        for propstat in answer.xml
        for element in propstat.find(f"{D}prop")
    }
    assert fates == {
        f"{D}getetag": "HTTP/1.1 403 Forbidden",
        f"{D}displayname": "HTTP/1.1 424 Failed Dependency",
    }
    assert answer.xml.find(f".//{D}error/{D}cannot-modify-protected-property") is not None
    assert dav.names() == []


def test_other_types_of_collections_are_not_made(dav: Client) -> None:
    for types in ("<D:collection/><x:addressbook/>", "<x:addressbook/>", ""):
        answer = dav("MKCOL", "c", mkcol_body("", types), Content_Type="text/xml")
        assert (answer.status, answer.condition) == (403, f"{D}valid-resourcetype")


# COPY and MOVE


def test_copy_and_move_tell_whether_the_destination_was_there(dav: Client) -> None:
    dav.put("a", b"a")
    dav.put("b", b"b")
    assert dav("COPY", "a", Destination=f"{HOME}/c").status == 201
    assert dav("COPY", "a", Destination=f"{HOME}/b").status == 204
    assert dav("GET", "b").body == b"a"
    assert dav("MOVE", "c", Destination=f"{HOME}/d").status == 201
    assert dav("MOVE", "d", Destination=f"{HOME}/b").status == 204
    assert dav.names() == ["a", "b"]


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_where_copy_and_move_cannot_go(dav: Client, method: str) -> None:
    dav.mkcol("c", "c/d")
    dav.put("a")
    for source, destination, status in (
        ("c", f"{HOME}/c", 403),
        ("c", f"{HOME}/c/", 403),
        ("c", f"{HOME}/c/d/e", 403),
        ("c/d", f"{HOME}/c", 403),
        ("a", f"{HOME}/no/a", 409),
        ("a", f"{HOME}/a/b", 409),
        ("missing", f"{HOME}/b", 404),
        ("a", f"http://other.example{HOME}/b", 502),
        ("a", f"http://dav.example:81{HOME}/b", 502),
        ("a", "ftp://dav.example/b", 502),
        ("a", "/dav/store/bob/a", 502),
        ("a", "/dav/store/nobody/a", 502),
        ("a", "/dav/principals/x", 502),
        ("a", f"{HOME}/b#x", 400),
        ("a", "b", 400),
        ("a", f"{HOME}/b#f", 400),
        ("a", f"{HOME}/../b", 400),
        ("a", f"{HOME}/b%", 400),
        ("a", f"{HOME}/b%2Fc", 400),
        ("a", f"{HOME}/%FF", 400),
        ("a", "", 400),
        ("a", None, 400),
    ):
        answer = dav(method, source, Destination=destination)
        assert answer.status == status, (source, destination, answer)
    assert dav.names() == ["a", "c/"]
    assert dav.names("c/") == ["d/"]


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    "destination",
    [
        f"http://alice:secret@dav.example{HOME}/c/b",
        f"http://alice@dav.example:80{HOME}/c/b",
        f"https://al%40ice:s%3Acr:et@DAV.example{HOME}/c/b",
        f"{HOME}//c///b",
        f"http://dav.example/{HOME}/c/b",
        "/dav//store/alice/c/b",
    ],
)
def test_destinations_as_file_managers_spell_them(dav: Client, method: str, destination: str) -> None:
    """Userinfo says how to sign in, not where (RFC 3986 §3.2.1); several slashes are as one."""
    dav.mkcol("c")
    dav.put("a")
    assert dav(method, "a", Destination=destination).status == 201
    assert dav.names("c/") == ["b"]
    there = f"http://alice:secret@dav.example{HOME}//c/b"
    assert dav("DELETE", "c//b", If=f'<{there}> (["no such tag"])').status == 412
    etag = dav("HEAD", there).headers["ETag"]
    assert dav("DELETE", "c//b", If=f"<{there}> ([{etag}])").status == 204


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_overwrite(dav: Client, method: str) -> None:
    dav.put("a", b"a")
    dav.put("b", b"b")
    assert dav(method, "a", Destination=f"{HOME}/b", Overwrite="F").status == 412
    assert dav(method, "a", Destination=f"{HOME}/b", Overwrite="x").status == 400
    assert dav("GET", "b").body == b"b"
    assert dav(method, "a", Destination=f"{HOME}/new", Overwrite="F").status == 201
    assert dav("COPY", "new", Destination=f"{HOME}/b", Overwrite="t").status == 204


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_collection_that_is_overwritten_is_not_merged(dav: Client, method: str) -> None:
    dav.mkcol("c", "d")
    dav.put("c/new")
    dav.put("d/old")
    assert dav(method, "c", Destination=f"{HOME}/d").status == 204
    assert dav.names("d/") == ["new"]


def test_copy_depth(dav: Client) -> None:
    dav.mkcol("c")
    dav.put("c/a")
    dav.patch("c", setting("<x:p>1</x:p>"))
    assert dav("COPY", "c", Destination=f"{HOME}/d", Depth="1").status == 400
    assert dav("COPY", "c", Destination=f"{HOME}/shallow", Depth="0").status == 201
    assert dav.names("shallow/") == []
    assert dav.find("shallow", "{urn:x}p").text(f"{HOME}/shallow/", "{urn:x}p") == "1"
    assert dav("COPY", "c", Destination=f"{HOME}/deep").status == 201
    assert dav.names("deep/") == ["a"]
    assert dav("COPY", "c", Destination=f"{HOME}/c/inside", Depth="0").status == 201
    assert (dav.names("c/"), dav.names("c/inside/")) == (["a", "inside/"], [])


def test_what_a_copy_and_a_move_keep(dav: Client) -> None:
    dav.put("a")
    dav.patch("a", setting("<x:p>1</x:p>"))
    asked = ("{urn:x}p", f"{D}resource-id", f"{D}creationdate")
    first = dav.find("a", *asked).props(f"{HOME}/a")
    dav.now_us += 5_000_000
    dav("COPY", "a", Destination=f"{HOME}/b")
    dav("MOVE", "a", Destination=f"{HOME}/c")
    copied = dav.find("b", *asked).props(f"{HOME}/b")
    moved = dav.find("c", *asked).props(f"{HOME}/c")
    text = {name: "".join(element.itertext()) for name, element in first.items()}
    assert {name: "".join(element.itertext()) for name, element in moved.items()} == text
    assert "".join(copied["{urn:x}p"].itertext()) == "1"
    for name in asked[1:]:
        assert "".join(copied[name].itertext()) != text[name]


# Quota (RFC 4331)


def test_quota(tmp_path: Path) -> None:
    dav = Client(tmp_path, quota_bytes=100)
    dav.put("a", b"x" * 90)
    answer = dav("PUT", "b", b"x" * 20)
    assert (answer.status, answer.condition) == (507, f"{D}quota-not-exceeded")
    quota = answer.xml[1]
    assert (quota.tag, dict(quota.attrib)) == (
        "{urn:davstore:cpm}quota",
        {"used": "90", "limit": "100", "needed": "20"},
    )
    assert dav("COPY", "a", Destination=f"{HOME}/b").status == 507
    assert dav.put("a", b"y" * 90)
    too_long, other = (
        "<D:set><D:prop><x:p>long enough</x:p></D:prop></D:set>",
        "<D:remove><D:prop><x:q/></D:prop></D:remove>",
    )
    answer = dav.patch("a", too_long, other)
    assert answer.status == 207  # RFC 4918 §9.2
    assert [list(answer.props(f"{HOME}/a", status)) for status in (507, 424)] == [["{urn:x}p"], ["{urn:x}q"]]
    assert answer.xml.find(f".//{D}quota-not-exceeded") is not None
    answer = dav("PROPFIND", "", prop_body(f"{D}quota-used-bytes", f"{D}quota-available-bytes"), Depth="0")
    assert answer.text(f"{HOME}/", f"{D}quota-used-bytes") == "90"
    assert answer.text(f"{HOME}/", f"{D}quota-available-bytes") == "10"
    assert dav("DELETE", "a").status == 204
    dav.close()


def test_rfc5689_3_properties_over_quota_make_no_collection(tmp_path: Path) -> None:
    dav = Client(tmp_path, quota_bytes=100)
    body = (
        '<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype><D:collection/></D:resourcetype>'
        f"<D:displayname>{'x' * 100}</D:displayname></D:prop></D:set></D:mkcol>"
    )
    answer = dav("MKCOL", "c", body, Content_Type="application/xml")
    assert (answer.status, answer.xml.tag) == (507, f"{D}mkcol-response")
    assert answer.xml.findtext(f"{D}propstat/{D}status") == "HTTP/1.1 507 Insufficient Storage"
    assert answer.xml.find(f"{D}propstat/{D}prop/{D}displayname") is not None
    assert answer.xml.find(f"{D}propstat/{D}error/{D}quota-not-exceeded") is not None
    assert dav.names() == []
    dav.close()


def test_a_tree_is_taken_only_where_all_of_it_has_a_url(dav: Client) -> None:
    """A target has at most 1,000 segments, three of them before the names."""
    high, low = "/".join("a" * 520), "/".join("b" * 476)
    for name, depth in (("a", 520), ("b", 476)):
        dav.mkcol(*("/".join(name * count) for count in range(1, depth + 1)))
    dav.put(f"{low}/file", b"deep")
    assert dav("MOVE", "b/", Destination=f"{HOME}/{high}/b/").status == 201
    assert dav("GET", f"{high}/{low}/file").body == b"deep"
    assert dav("MOVE", f"{high}/b/", Destination=f"{HOME}/b/").status == 201
    dav.mkcol(f"{low}/b")
    assert dav("COPY", "b/", Destination=f"{HOME}/{high}/b/").status == 201  # its deepest collection has nothing in it
    assert dav("DELETE", f"{high}/b/").status == 204
    dav.put(f"{low}/b/file")
    for method in ("MOVE", "COPY"):
        answer = dav(method, "b/", Destination=f"{HOME}/{high}/b/")
        assert (answer.status, answer.condition) == (403, "{urn:davstore:cpm}tree-within-limits"), method
    assert dav.names() == ["a/", "b/"]
    assert dav.names(high) == []
    assert dav("MOVE", "b/", Destination=f"{HOME}/c/").status == 201


def test_a_tree_beyond_the_limit_is_refused_whole(tmp_path: Path) -> None:
    dav = Client(tmp_path, limits=Limits(tree_nodes=3))
    for name in ("t", "u"):
        dav("MKCOL", name)
    for name in ("t/a", "t/b", "t/c", "u/a", "x"):
        dav.put(name, b"")
    for method, place, destination in (
        ("DELETE", "t", ""),
        ("COPY", "t", "new"),
        ("MOVE", "x", "t"),
        ("COPY", "x", "t"),
    ):
        answer = dav(method, place, Destination=f"{HOME}/{destination}")
        assert (answer.status, answer.condition) == (403, "{urn:davstore:cpm}tree-within-limits"), method
    assert dav("MOVE", "t", Destination=f"{HOME}/new").status == 201
    assert dav("DELETE", "u").status == 204
    assert dav.names() == ["new/", "x"]
    dav.close()


def test_names_beyond_the_free_ones_are_in_the_figure_that_refuses(tmp_path: Path) -> None:
    """RFC 4331 §3, §4: 1,002 names and a byte are charged as 513 bytes, and the available bytes are those that fit."""
    dav = Client(tmp_path, quota_bytes=600)
    dav("MKCOL", "t")
    for number in range(24):
        dav.put(f"t/{number}", b"")
    for number in range(39):
        assert dav("COPY", "t", Destination=f"{HOME}/{number}").status == 201
    dav("MKCOL", "c")
    dav.put("one", b"1")
    told = dav("PROPFIND", "", prop_body(f"{D}quota-used-bytes", f"{D}quota-available-bytes"), Depth="0")
    figures = [told.text(f"{HOME}/", f"{D}quota-{name}-bytes") for name in ("used", "available")]
    assert figures == ["513", "87"]
    for method, place, body in (("PUT", "new", b""), ("MKCOL", "new", b""), ("LOCK", "new", EXCLUSIVE)):
        answer = dav(method, place, body)
        assert (answer.status, answer.condition) == (507, f"{D}quota-not-exceeded"), method
        assert dict(answer.xml[1].attrib) == {"used": "513", "limit": "600", "needed": "256"}
    assert dav("PUT", "one", b"1" * 88).status == 204
    assert dav("PUT", "one", b"1" * 89).status == 507
    assert dav("DELETE", "t").status == 204
    dav.close()


@pytest.mark.parametrize(
    ("sent", "kept"), [("text/x-notes", "text/x-notes"), ("application/octet-stream", "text/markdown")]
)
def test_a_body_without_a_type_keeps_the_one_that_is_there(dav: Client, sent: str, kept: str) -> None:
    """RFC 9110 §8.3: that no type is sent says nothing; a type that says nothing gives way to the name's."""
    dav.put("notes.md", b"one", Content_Type=sent)
    dav.put("notes.md", b"two")
    assert dav("GET", "notes.md").headers["Content-Type"].partition(";")[0] == kept
    dav.put("notes.md", b"three", Content_Type="text/html")
    assert dav("GET", "notes.md").headers["Content-Type"] == "text/html"
