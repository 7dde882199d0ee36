"""Depth, Overwrite, Content-Length, entity tags: RFC 4918 §10, RFC 9110."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.errors import DavstoreError, Malformed, TooLarge
from davstore.model.conditions import ETagList
from davstore.protocol.http import headers, integrity, owncloud, prefer, ranges
from davstore.protocol.http.headers import parse_depth, parse_etags


def test_rfc4918_10_2_depth() -> None:
    assert parse_depth("0", default=None) == 0
    assert parse_depth(" 1 ", default=None) == 1
    assert parse_depth("Infinity", default=0) is None
    assert parse_depth(None, default=0) == 0
    assert parse_depth(None, default=None) is None


@pytest.mark.parametrize("value", ["", "2", "-1", "00", "1,noroot", "infinite", "0, 0", "٠"])
def test_rfc4918_10_2_bad_depth(value: str) -> None:
    with pytest.raises(Malformed):
        parse_depth(value, default=0)


def test_rfc4918_10_6_overwrite() -> None:
    assert headers.parse_overwrite(None)
    assert headers.parse_overwrite("T")
    assert not headers.parse_overwrite("F")
    for value in ("", "true", "T,F"):
        with pytest.raises(Malformed):
            headers.parse_overwrite(value)


def test_rfc9110_8_6_content_length() -> None:
    assert headers.parse_content_length(None) is None
    assert headers.parse_content_length("0") == 0
    assert headers.parse_content_length("007") == 7
    for value in ("", "+5", "-1", "0_5", "0x5", "5, 5", " 5", "٥", "1e3"):
        with pytest.raises(Malformed):
            headers.parse_content_length(value)
    for value in (str(2**63), "9" * 10_000):
        with pytest.raises(TooLarge):
            headers.parse_content_length(value)


@pytest.mark.parametrize(
    ("value", "strong", "weak"),
    [
        ('"xyzzy"', {"xyzzy"}, set()),
        ('"xyzzy", W/"r2d2xxxx", "c3piozzzz"', {"xyzzy", "c3piozzzz"}, {"r2d2xxxx"}),
        ('""', {""}, set()),
        ('"a,b","c d"'.replace("c d", "c,,d"), {"a,b", "c,,d"}, set()),
        ('"\xe9\xff"', {"\xe9\xff"}, set()),
        (' , "a" ,, "b",', {"a", "b"}, set()),
        ('W/"\\"', set(), {"\\"}),
        ('NoteApp-48213, "a", W/"b"x, "c" "d", W/"e"', {"a"}, {"e"}),
        ('"a, "b"', {"b"}, set()),
        ('"a",*', {"a"}, set()),
    ],
)
def test_rfc9110_13_1_entity_tags(value: str, strong: set[str], weak: set[str]) -> None:
    assert parse_etags(value) == ETagList(any=False, strong=frozenset(strong), weak=frozenset(weak))


def test_rfc9110_13_1_any_and_none() -> None:
    assert parse_etags(" * ") == ETagList(any=True)
    assert parse_etags(None) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "xyzzy",
        '"a',
        'a"',
        "'a'",
        'w/"a"',
        'W/ "a"',
        '"a" "b"',
        '"a"; "b"',
        "*, *",
        '"a b"',
        '"a\x7f"',
        '"Ā"',
        '"a"b',
        "NoteApp-48213",
        "**",
    ],
)
def test_rfc9110_8_8_3_what_is_no_entity_tag_equals_none(value: str) -> None:
    assert parse_etags(value) == ETagList(any=False)


@pytest.mark.parametrize("text", ['"' * 200_000, '",' * 100_000, 'W/"a' * 100_000, " \t" * 100_000 + "x"])
def test_a_long_list_of_entity_tags_takes_linear_time(text: str) -> None:
    begun = time.process_time()
    parse_etags(text)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "parse",
    [
        lambda text: parse_depth(text, default=0),
        headers.parse_overwrite,
        headers.parse_content_length,
        parse_etags,
        lambda text: ranges.parse_ranges(text, length=7),
        lambda text: ranges.parse_ranges(f"bytes={text}", length=7),
        lambda text: ranges.range_applies(text, etag="x"),
        integrity.parse_digests,
        lambda text: integrity.parse_digests(f"sha-512={text}"),
        integrity.wants_digest,
        owncloud.parse_checksum,
        owncloud.parse_mtime,
        prefer.parse_prefer,
    ],
)
@given(text=st.text() | st.text(alphabet='0123456789-=,"W/* \t'))
def test_any_text_is_a_header_or_refused(parse: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(DavstoreError):
        parse(text)
