"""The query of a URL: RFC 3986 §3.4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.protocol.http.queries import names_sub_resource, parse_query


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
