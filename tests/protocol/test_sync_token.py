"""The sync token: RFC 6578 §3.2, docs/sync.md#tokens."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.errors import InvalidSyncToken
from davstore.model.changes import Position, SyncToken
from davstore.protocol.dav.sync_token import parse, render

SCOPE = "0123456789abcdef"
numbers = st.integers(0, 2**63 - 1)
hashes = st.from_regex(r"\A[0-9a-f]{16}\Z")


@st.composite
def tokens(draw: st.DrawFn) -> SyncToken:
    number = draw(numbers)
    position = draw(
        st.none()
        | st.builds(
            Position,
            st.just(number),
            st.integers(0, 10**24 - 1),
            numbers,
            numbers,
            st.sampled_from(["0", "1", "-"]) | hashes,
        )
    )
    return SyncToken(draw(numbers), draw(numbers), draw(hashes), number, draw(st.just("-") | hashes), position)


def test_complete() -> None:
    token = SyncToken(store_id=7, epoch=1, scope=SCOPE, number=842)
    assert render(token) == f"urn:davstore:sync:1.7.1.{SCOPE}.-.842"
    assert parse(f"urn:davstore:sync:1.7.1.{SCOPE}.-.842") == token


def test_truncated() -> None:
    at = Position(number=842, tie=3, changed=840, base=800, relisting="1")
    token = SyncToken(7, 1, SCOPE, 842, view=SCOPE, position=at)
    assert render(token) == f"urn:davstore:sync:1.7.1.{SCOPE}.{SCOPE}.842.3.840.800.1"
    assert parse(render(token)) == token


@given(tokens())
def test_rfc6578_3_2_round_trip_and_uri(token: SyncToken) -> None:
    text = render(token)
    assert parse(text) == token
    assert re.fullmatch(r"[a-z]+:[A-Za-z0-9:.-]+", text)


@given(tokens(), st.data())
def test_a_garbled_token_is_never_another_spelling(token: SyncToken, data: st.DataObject) -> None:
    text = render(token)
    position = data.draw(st.integers(0, len(text)))
    garbled = text[:position] + data.draw(st.text(max_size=2)) + text[position + data.draw(st.integers(0, 2)) :]
    with contextlib.suppress(InvalidSyncToken):
        assert render(parse(garbled)) == garbled


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "http://example.com/ns/sync/1234",
        f"urn:davstore:sync:2.7.1.{SCOPE}.-.842",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.0842",
        f"urn:davstore:sync:1.07.1.{SCOPE}.-.842",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.+842",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.84_2",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.٨",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.842\n",
        f" urn:davstore:sync:1.7.1.{SCOPE}.-.842",
        f"URN:davstore:sync:1.7.1.{SCOPE}.-.842",
        f"urn:davstore:sync:1.7.1.{SCOPE.upper()}.-.842",
        f"urn:davstore:sync:1.7.1.{SCOPE[:-1]}.-.842",
        f"urn:davstore:sync:1.7.1.{SCOPE}..842",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.{2**63}",
        f"urn:davstore:sync:1.{2**63}.1.{SCOPE}.-.842",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.842.3",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.842.3.840.800",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.842.3.840.800.2",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.842.3.840.{2**63}.0",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.842.{10**24}.840.800.0",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-.842.3.840.800.0.0",
        f"urn:davstore:sync:1.7.1.{SCOPE}.-." + "9" * 100_000,
    ],
)
def test_rfc6578_3_2_anything_else_is_invalid(text: str) -> None:
    with pytest.raises(InvalidSyncToken):
        parse(text)


@given(st.text())
def test_any_text_is_a_token_or_refused(text: str) -> None:
    with pytest.raises(InvalidSyncToken):
        parse(text)
