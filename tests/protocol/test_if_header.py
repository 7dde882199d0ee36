"""The If header: RFC 4918 §10.4."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.errors import Malformed
from davstore.model.conditions import IfCondition
from davstore.protocol.dav.if_header import TaggedList, parse

LOCK = "urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2"


def token(text: str, *, negated: bool = False) -> IfCondition:
    return IfCondition(negated, text, None)


def etag(text: str | None, *, negated: bool = False) -> IfCondition:
    return IfCondition(negated, None, text)


def test_rfc4918_10_4_6_no_tag_production() -> None:
    assert parse(f'(<{LOCK}> ["I am an ETag"]) (["I am another ETag"])') == (
        TaggedList(None, (token(LOCK), etag("I am an ETag"))),
        TaggedList(None, (etag("I am another ETag"),)),
    )


def test_rfc4918_10_4_7_not() -> None:
    assert parse(f"(Not <{LOCK}> <urn:uuid:58f202ac-22cf-11d1-b12d-002035b29092>)") == (
        TaggedList(None, (token(LOCK, negated=True), token("urn:uuid:58f202ac-22cf-11d1-b12d-002035b29092"))),
    )


def test_rfc4918_10_4_8_always_true() -> None:
    assert parse(f"(<{LOCK}>) (Not <DAV:no-lock>)") == (
        TaggedList(None, (token(LOCK),)),
        TaggedList(None, (token("DAV:no-lock", negated=True),)),
    )


def test_rfc4918_10_4_9_tagged_list() -> None:
    assert parse(f'</resource1> (<{LOCK}> [W/"A"]) (["strong"])') == (
        TaggedList("/resource1", (token(LOCK), etag(None))),
        TaggedList("/resource1", (etag("strong"),)),
    )


def test_rfc4918_10_4_11_several_tags() -> None:
    assert parse('<http://a.example/x>(["1"])</y> ( not["2"] )') == (
        TaggedList("http://a.example/x", (etag("1"),)),
        TaggedList("/y", (etag("2", negated=True),)),
    )


def test_rfc6578_5_sync_token() -> None:
    text = "urn:davstore:sync:1.1.1.0123456789abcdef.-.842"
    assert parse(f"</dav/store/alice/f/> (<{text}>)") == (TaggedList("/dav/store/alice/f/", (token(text),)),)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "()",
        "( )",
        "(",
        ")",
        "(<a:b>",
        "<a:b>)",
        "</x>",
        "</x> </y> (<a:b>)",
        "(<a:b>) </x> (<c:d>)",
        "</x> (<a:b>) </y>",
        "(Not)",
        "(Not Not <a:b>)",
        "(Not (<a:b>))",
        "((<a:b>))",
        "(<a:b>) Not (<c:d>)",
        "Not (<a:b>)",
        "(</relative>)",
        "(<>)",
        "(<a b>)",
        "(<a:b)",
        "([etag])",
        '(["etag])',
        '(["etag"',
        '("etag")',
        '([w/"etag"])',
        "(<a:b>), (<c:d>)",
        "(Nota:b)",
        "*",
        "(<a:b>" + " " * 8192 + ")",
    ],
)
def test_rfc4918_10_4_2_bad_syntax(value: str) -> None:
    with pytest.raises(Malformed):
        parse(value)


def test_rfc4918_10_4_2_many_lists_in_one_pass() -> None:
    assert len(parse("(<a:b>)" * 1100)) == 1100


def render(lists: list[tuple[str | None, list[IfCondition]]]) -> str:
    parts = []
    for tag, conditions in lists:
        words = [
            ("Not " if negated else "") + (f"<{state}>" if state else f'["{opaque}"]' if opaque else '[W/"x"]')
            for negated, state, opaque in conditions
        ]
        parts.append((f"<{tag}> " if tag else "") + "(" + " ".join(words) + ")")
    return " ".join(parts)


conditions = st.builds(IfCondition, st.booleans(), st.from_regex(r"\A[a-z]+:[!-;=?-~]{1,9}\Z"), st.none()) | st.builds(
    IfCondition, st.booleans(), st.none(), st.none() | st.from_regex(r"\A[!#-~\x80-\xff]{1,9}\Z")
)


@given(
    st.lists(
        st.tuples(st.from_regex(r"\A/[!-;=?-~]{0,9}\Z"), st.lists(conditions, min_size=1, max_size=4)),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_rfc4918_10_4_2_round_trip(lists: list[tuple[str, list[IfCondition]]], tagged: bool) -> None:
    chosen = [(tag if tagged else None, items) for tag, items in lists]
    assert parse(render(chosen)) == tuple(TaggedList(tag, tuple(items)) for tag, items in chosen)


@given(st.text() | st.text(alphabet='()<>[]"W/Not :ab \t'))
def test_any_text_is_an_if_or_refused(text: str) -> None:
    with contextlib.suppress(Malformed):
        assert all(one.conditions for one in parse(text))
