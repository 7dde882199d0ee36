"""Dates on the wire: RFC 9110 §5.6.7 and RFC 3339."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.protocol.http.dates import parse_http_date, render_http_date, render_iso_date

SECONDS = 784_111_777
"""The instant of the RFC's three examples."""


@pytest.mark.parametrize(
    "value",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_rfc9110_5_6_7_three_formats(value: str) -> None:
    assert parse_http_date(value) == SECONDS


def test_rfc9110_5_6_7_render() -> None:
    assert render_http_date(SECONDS) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert render_iso_date(SECONDS) == "1994-11-06T08:49:37Z"


def test_rfc9110_5_6_7_leap_second() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_http_date("Sun, 01 Jan 2017 00:00:00 GMT")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "yesterday",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 19940 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 99999 08:49:37 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
    ],
)
def test_rfc9110_13_1_3_what_is_no_date_is_ignored(value: str | None) -> None:
    assert parse_http_date(value) is None


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_every_second_of_the_years_1_to_9999(seconds: int) -> None:
    assert parse_http_date(render_http_date(seconds)) == seconds
    moment = datetime.datetime.fromisoformat(render_iso_date(seconds))
    assert moment - datetime.datetime.fromtimestamp(0, datetime.UTC) == datetime.timedelta(seconds=seconds)


@given(st.integers())
def test_no_number_is_too_large_to_render(seconds: int) -> None:
    assert len(render_http_date(seconds)) == 29
    assert len(render_iso_date(seconds)) == 20


@given(st.text())
def test_any_text_is_a_date_or_ignored(text: str) -> None:
    assert isinstance(parse_http_date(text), int | None)
