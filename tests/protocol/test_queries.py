"""The query of a URL: RFC 3986 §3.4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.protocol.http.queries import find_part_number, names_sub_resource, parse_query, part_query


@pytest.mark.parametrize("query", ["part=2", "preview=256", "add", "add=", "v=1&part=2", "part=2&%zz", "%70art=2"])
def test_ours_counts_whatever_else_there_is(query: str) -> None:
    assert names_sub_resource(query)


@pytest.mark.parametrize(
    "query", ["", "v=123", "_=1690000000", "token", "&", "=", "%", "%ff=%zz", "PART=2", "apart=2", "x=part", "part;v=1"]
)
def test_every_other_is_ignored(query: str) -> None:
    assert not names_sub_resource(query)


def test_names_and_values_are_decoded() -> None:
    assert parse_query("after=0.1.a+%C3%A9&sort") == [("after", "0.1.a é"), ("sort", "")]


@given(st.text(st.characters(max_codepoint=255)))
def test_no_query_fails(query: str) -> None:
    parse_query(query)


@pytest.mark.parametrize("number", ["1", "2.1", "10.20.30", "9" * 10_000, "1." * 1_000 + "1"])
def test_a_part_has_one_spelling(number: str) -> None:
    assert find_part_number(part_query(number)[1:]) == number
    assert find_part_number(f"v=1&%70art={number}&x") == number


@pytest.mark.parametrize(
    "query",
    [
        *(
            "",
            "part",
            "part=",
            "part=0",
            "part=01",
            "part=1.",
            "part=.1",
            "part=1..2",
            "part=1.0",
            "part=-1",
            "part=1+",
        ),
        *(
            "part=1%00",
            "part=%D9%A1",
            "part=%B2",
            "part=1&part=1",
            "part=1&preview=2",
            "add&part=1",
            "preview=1",
            "Part=1",
        ),
        "part=" + "1." * 8_000,
    ],
)
def test_every_other_number_is_none(query: str) -> None:
    assert find_part_number(query) is None
