"""Request targets, Destination and hrefs: RFC 3986, RFC 9112 §3.2, RFC 4918 §8.3 and §10.3, DECISIONS 1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.errors import DavstoreError, ForeignDestination, Malformed
from davstore.protocol.hrefs import Target, encode_segment, parse_destination, parse_target, render_href

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
    ],
)
def test_rfc9112_3_2_1_origin_form(raw: str, segments: tuple[str, ...], slash: bool, query: str) -> None:
    assert parse_target(raw) == Target(segments, slash, query)


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("http://example.org/a/b", ("a", "b")),
        ("HTTPS://example.org:8443/a", ("a",)),
        ("http://[::1]:8080/a", ("a",)),
        ("http://example.org", ()),
        ("http://example.org?q", ()),
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
        "//",
        "/a//b",
        "//host/path",
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
        "http://user@example.org/a",
        "http://exa mple/a",
        "/\u20ac",
    ],
)
def test_decisions_1_bad_targets_are_malformed(raw: str) -> None:
    with pytest.raises(Malformed):
        parse_target(raw)


@given(st.lists(names, max_size=5), st.booleans())
def test_rfc4918_8_3_hrefs_round_trip(segments: list[str], slash: bool) -> None:
    text = render_href(segments, slash)
    assert parse_target(text) == Target(tuple(segments), slash or not segments, "")
    assert not set(text) & set("<>&\"'")
    assert text.isascii()


@given(names)
def test_rfc3986_6_2_2_2_encoding_is_stable(name: str) -> None:
    once = encode_segment(name)
    (decoded,) = parse_target(f"/{once}").segments
    assert encode_segment(decoded) == once


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a-b_c.d~e", "a-b_c.d~e"),
        ("a%2Fb", "a%252Fb"),
        ("100% #1.txt", "100%25%20%231.txt"),
        ("x@y:z+(1)&'2'", "x%40y%3Az%2B%281%29%26%272%27"),
        ("é", "%C3%A9"),
        ("\ufffe", "%EF%BF%BE"),
    ],
)
def test_rfc3986_2_3_only_unreserved_stay(name: str, text: str) -> None:
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
    ],
)
def test_rfc4918_10_3_destination(value: str, host: str | None) -> None:
    assert parse_destination(value, host=host) == Target(("a", "b"), slash=False, query="")


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("http://other.org/a", "example.org"),
        ("http://example.org:81/a", "example.org"),
        ("http://example.org/a", "example.org:8080"),
        ("http://example.org/a", None),
        ("ftp://example.org/a", "example.org"),
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
        "//example.org/a",
        "/a#b",
        "http://example.org/a#b",
        "http://example.org/a/../b",
        "urn:x",
        "http://example.org/a%2Fb",
        "http://u@example.org/a",
        "http://[::1/a",
        "/a b",
        "http://example.org:80x/",
    ],
)
def test_rfc4918_8_3_bad_destinations_are_malformed(value: str) -> None:
    with pytest.raises(Malformed):
        parse_destination(value, host="example.org")


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
