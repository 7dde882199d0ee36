"""Request targets, Destination and hrefs: RFC 3986, RFC 9112 §3.2, RFC 4918 §8.3 and §10.3, ADR 20."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.errors import DavstoreError, ForeignDestination, Malformed
from davstore.protocol.dav.elements import escape
from davstore.protocol.dav.hrefs import (
    Spelling,
    Target,
    decode_href,
    encode_segment,
    encode_segment_for_xml,
    for_xml,
    parse_destination,
    parse_target,
    render_href,
)

# Every name a segment can carry: no slash, no controls, not a dot segment, nothing UTF-8 cannot spell.
names = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="/\x7f" + "".join(map(chr, range(32)))), min_size=1
).filter(lambda name: name not in (".", ".."))


@pytest.mark.parametrize(
    ("raw", "segments", "slash", "query"),
    [
        ("/", (), True, ""),
        ("/dav/store/alice/", ("dav", "store", "alice"), True, ""),
        ("/dav/store/alice/x.txt", ("dav", "store", "alice", "x.txt"), False, ""),
        ("/a%252Fb", ("a%2Fb",), False, ""),
        ("/100%25%20%231.txt", ("100% #1.txt",), False, ""),
        ("/%F0%9F%98%80", ("😀",), False, ""),
        ("/\xf0\x9f\x98\x80", ("😀",), False, ""),
        ("/trailing.", ("trailing.",), False, ""),
        ("/...", ("...",), False, ""),
        ("/a;v=1,2:3@x", ("a;v=1,2:3@x",), False, ""),
        ("/a%5Cb", ("a\\b",), False, ""),
        ("/%41%7e", ("A~",), False, ""),
        ("/%3F?part=2?x/y", ("?",), False, "part=2?x/y"),
        ("/?q", (), True, "q"),
        ("//", (), True, ""),
        ("/a//b", ("a", "b"), False, ""),
        ("//a///b////?q//x", ("a", "b"), True, "q//x"),
    ],
)
def test_rfc9112_3_2_1_origin_form(raw: str, segments: tuple[str, ...], slash: bool, query: str) -> None:
    assert parse_target(raw)[:3] == (segments, slash, query)


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("http://example.org/a/b", ("a", "b")),
        ("HTTPS://example.org:8443/a", ("a",)),
        ("http://[::1]:8080/a", ("a",)),
        ("http://example.org", ()),
        ("http://example.org?q", ()),
        ("http://alice:secret@example.org/a", ("a",)),
        ("http://alice@[::1]:8080/a", ("a",)),
    ],
)
def test_rfc9112_3_2_2_absolute_form(raw: str, segments: tuple[str, ...]) -> None:
    assert parse_target(raw).segments == segments


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "*",
        "a/b",
        "?x",
        "/a/./b",
        "/a/../b",
        "/..",
        "/.",
        "/%2e%2e/x",
        "/%2E",
        "/.%2e/",
        "/a%2Fb",
        "/a%2fb",
        "/%00",
        "/a%0Ab",
        "/a%1F",
        "/%7F",
        "/a\x00b",
        "/a b",
        "/a\tb",
        "/a#b",
        "/%FF",
        "/%C0%AF",
        "/%ED%A0%80",
        "/\xff",
        "/%",
        "/%4",
        "/%zz",
        "/%+1",
        "/" + "a" * 16 * 1024,
        "ftp://example.org/a",
        "http:///a",
        "http://user@/a",
        "http://exa mple/a",
        "/\u20ac",
    ],
)
def test_bad_targets_are_malformed(raw: str) -> None:
    with pytest.raises(Malformed):
        parse_target(raw)


@given(st.lists(names, max_size=5), st.booleans())
def test_rfc4918_8_3_hrefs_round_trip(segments: list[str], slash: bool) -> None:
    text = render_href(segments, slash)
    assert parse_target(text)[:3] == (tuple(segments), slash or not segments, "")
    assert for_xml(text) == escape(text)
    assert text.isascii()


@given(names)
def test_rfc3986_6_2_2_2_encoding_is_stable(name: str) -> None:
    once = encode_segment(name)
    (decoded,) = parse_target(f"/{once}").segments
    assert decoded == name
    assert encode_segment(decoded) == once
    assert encode_segment_for_xml(name).encode() == escape(once)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a-b_c.d~e", "a-b_c.d~e"),
        ("a%2Fb", "a%252Fb"),
        ("100% #1.txt", "100%25%20%231.txt"),
        ("anna@example.org", "anna@example.org"),
        ("R&D", "R&D"),
        ("!$&'()*+,;=:@", "!$&'()*+,;=:@"),
        ('<a>"b"[c]{d}|^`\\', "%3Ca%3E%22b%22%5Bc%5D%7Bd%7D%7C%5E%60%5C"),
        ("why?", "why%3F"),
        ("é", "%C3%A9"),
        ("\ufffe", "%EF%BF%BE"),
    ],
)
def test_rfc3986_3_3_what_a_segment_may_hold_stays(name: str, text: str) -> None:
    assert encode_segment(name) == text


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("/a/b", None),
        ("http://example.org/a/b", "example.org"),
        ("http://example.org:80/a/b", "EXAMPLE.org"),
        ("https://example.org/a/b", "example.org:443"),
        ("https://example.org/a/b", "example.org"),
        ("http://127.0.0.1:8080/a/b", "127.0.0.1:8080"),
        (" http://[::1]:8080/a/b ", "[::1]:8080"),
        ("http://alice:secret@example.org/a/b", "example.org"),
        ("http://alice@example.org:8080/a/b", "example.org:8080"),
        ("http://@example.org/a/b", "example.org"),
        ("http://alice%40home:p@ss@[::1]/a/b", "[::1]"),
    ],
)
def test_rfc4918_10_3_destination(value: str, host: str | None) -> None:
    assert parse_destination(value, host=host) == Target(("a", "b"), slash=False, query="", spelled=("a", "b"))


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("http://other.org/a", "example.org"),
        ("http://example.org:81/a", "example.org"),
        ("http://example.org/a", "example.org:8080"),
        ("http://example.org/a", None),
        ("ftp://example.org/a", "example.org"),
        ("http://example.org@other.org/a", "example.org"),
        ("http://example.org:80@other.org/a", "example.org"),
        ("http://alice:secret@example.org:81/a", "example.org"),
    ],
)
def test_rfc4918_9_8_5_destination_elsewhere(value: str, host: str | None) -> None:
    with pytest.raises(ForeignDestination):
        parse_destination(value, host=host)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a/b",
        "../b",
        "/a#b",
        "http://example.org/a#b",
        "http://example.org/a/../b",
        "urn:x",
        "http://example.org/a%2Fb",
        "http://u@/a",
        "http://[::1/a",
        "/a b",
        "http://example.org:80x/",
    ],
)
def test_rfc4918_8_3_bad_destinations_are_malformed(value: str) -> None:
    with pytest.raises(Malformed):
        parse_destination(value, host="example.org")


@pytest.mark.parametrize(
    ("raw", "names", "href"),
    [
        ("/dav/anna%40example.org/x", ("dav", "anna@example.org", "x", "y@z"), "/dav/anna%40example.org/x/y@z/"),
        ("/dav/anna@example.org/x", ("dav", "anna@example.org", "x"), "/dav/anna@example.org/x/"),
        ("/%64av/%c3%a9/R%26D/?q", ("dav", "é", "R&D", "é"), "/%64av/%c3%a9/R%26D/%C3%A9/"),
        ("//dav///a%2Cb//", ("dav", "a,b"), "/dav/a%2Cb/"),
        ("/dav/\xc3\xa9%20<&>", ("dav", "é <&>"), "/dav/%C3%A9%20%3C&%3E/"),
        ("/dav/a%40b/c%40d", ("dav", "a@b", "e@f"), "/dav/a%40b/e@f/"),
        ("/dav/a%40b/c", ("dav", "x", "a@b"), "/dav/x/a@b/"),
        ("/dav/a%40b", ("dav",), "/dav/"),
        ("/", (), "/"),
    ],
)
def test_rfc4918_8_3_hrefs_begin_as_the_request_uri(raw: str, names: tuple[str, ...], href: str) -> None:
    assert Spelling(parse_target(raw)).href(names, slash=True) == href
    behind = Spelling(parse_target(raw), parse_target("//my%40files/"))
    assert behind.href(names, slash=True) == f"/my%40files{href}"


@given(st.text() | st.text(st.characters(max_codepoint=0xFF)), st.none() | st.text())
def test_any_text_is_a_target_or_refused(text: str, host: str | None) -> None:
    for call in (
        lambda: parse_target(text),
        lambda: parse_target(f"/{text}"),
        lambda: parse_destination(text, host=host),
        lambda: parse_destination(f"http://{text}/", host=host),
    ):
        try:
            target = call()
        except DavstoreError:
            continue
        assert not {"", ".", ".."} & set(target.segments)
        assert not any("/" in name or "\0" in name for name in target.segments)


@pytest.mark.parametrize(
    ("href", "segments"),
    [
        ("/files/a%20b/", [b"files", b"a b"]),
        ("http://example.org:8080/files/%C3%A9", [b"files", "é".encode()]),
        ("/files/é b%2", [b"files", "é b%2".encode()]),  # not escaped as RFC 3986 wants it
        ("/files/%FF", [b"files", b"\xff"]),
        ("/", []),
    ],
)
def test_hrefs_of_other_servers_are_read_as_octets(href: str, segments: list[bytes]) -> None:
    assert decode_href(href) == segments
