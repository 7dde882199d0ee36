"""Participants from the fields that name them, as RFC 5322 §3.4 writes them, and URIs (RFC 3862) as they stand."""

from __future__ import annotations

import time

import pytest

from davstore.model.threads import find_participants


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"Ann <ann@bank.example>" <eve@evil.example>', [("eve@evil.example", "Ann <ann@bank.example>")]),
        (r'"A \"q\" <b>" <e@e.net>', [("e@e.net", 'A "q" <b>')]),
        ("Bob (at <work@e.net>) <bob@e.net>", [("bob@e.net", "Bob (at <work@e.net>)")]),
        ("ann@e.net (Ann, of old)", [("ann@e.net", "Ann, of old")]),
        ("undisclosed-recipients:;", []),
        ("Undisclosed recipients: ;, bob@e.net", [("bob@e.net", "")]),
        ("Friends: Ann <ann@e.net>, bob@e.net;", [("ann@e.net", "Ann"), ("bob@e.net", "")]),
        ("tel:+4930, <sip:a@e.net;user=phone>", [("tel:+4930", ""), ("sip:a@e.net;user=phone", "")]),
        ('"Last, First" <a@e.net>, <b@e.net>', [("a@e.net", "Last, First"), ("b@e.net", "")]),
        ('"never closed <a@e.net>', [('"never closed <a@e.net>', "")]),
        ("Ann <ann@e.net, bob@e.net", [("Ann", ""), ("ann@e.net", ""), ("bob@e.net", "")]),
        ("Ann (never closed <a@e.net>", [("a@e.net", "Ann (never closed")]),
    ],
)
def test_fields_name_participants(text: str, expected: list[tuple[str, str]]) -> None:
    assert find_participants([text]) == expected


@pytest.mark.parametrize("piece", ["(a)", '"b"', '"\\', "<", "a<", '"', "(", "a (b) ", ";", " ", "<>", ","])
def test_a_field_that_is_hostile_costs_no_more_than_its_length(piece: str) -> None:
    """Each in less than 0.1 s; what tries each beginning up to the end takes 4 s and more."""
    field = piece * (65_535 // len(piece))
    began = time.process_time()
    find_participants([field])
    assert time.process_time() - began < 1
