"""Dates of mail: RFC 5322 §3.3, §4.3, and those that senders write in their place."""

from __future__ import annotations

import calendar
import datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.protocol.message.dates import parse_date

MOMENT = calendar.timegm((2015, 10, 30, 15, 26, 16)) * 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 30 Oct 2015 16:26:16 +0100",
        "30 Oct 2015 16:26:16 +0100",
        "Fri,30 Oct 2015 16:26:16 +0100 (CET)",
        "Fri, 30 Oct 2015 10:26:16 EST",
        "Fri, 30 Oct 15 15:26:16 GMT",
        "Fri, 30 Oct 2015 15:26:16 -0000",
        "Fri, 30 Oct 2015 15:26:16 XYZ",
        "Fri, 30 Oct 2015 15:26:16",
        "Fri Oct 30 15:26:16 2015",
        "30-Oct-2015 16:26:16 +0100",
        "ven., 30 10 2015 16:26:16.0 +0100",
        "Freitag, 30. Oktober 2015 16:26:16 +0100",
        "ven. 30 oct. 2015 16:26:16 +0100",
        "30.10.2015 16:26:16 +0100",
        "2015-10-30T16:26:16+01:00",
        "2015-10-30T15:26:16Z",
        "2015-10-30 16:26:16 +0100",
        "Fri, 30 Oct 2015 16:26:16 +01:00",
        "Fri, 30 Oct 2015 16:26:16 GMT+0100 (CET)",
        "Fri, 30 Oct 2015 10:56:16 UTC-04:30",
        "Fri, 30 Oct 2015 04:26:16 PM +0100",
        "30 Oct 2015 4:26:16 p.m. +0100",
    ],
)
def test_one_moment_in_many_forms(text: str) -> None:
    assert parse_date(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 30 Oct 2015 16:26:16 CET",
        "30 Oct 2015 17:26:16 CEST",
        "Fri, 30 Oct 2015 16:26:16 MET",
        "Fri, 30 Oct 2015 17:26:16 MET DST",
        "Fri, 30 Oct 2015 16:26:16 MEZ",
        "Fri, 30 Oct 2015 16:26:16 BST",
        "Fri, 30 Oct 2015 16:26:16 WEST",
        "Fri, 30 Oct 2015 17:26:16 EET",
        "Fri, 30 Oct 2015 18:26:16 EEST",
        "Sat, 31 Oct 2015 00:26:16 JST",
        "Sat, 31 Oct 2015 04:26:16 NZDT",
        "Fri, 30 Oct 2015 05:26:16 HST",
        "Fri Oct 30 16:26:16 CET 2015",
        "Fri, 30 Oct 2015 4:26:16 PM CET",
        "2015-10-30 16:26:16 CET",
        "30. října 2015 16:26:16 CET",
        "Fri, 30 Oct 2015 15:26:16 IST",
        "Fri, 30 Oct 2015 15:26:16 MSK",
        "Fri, 30 Oct 2015 15:26:16 CETI",
        "Fri, 30 Oct 2015 15:26:16 +0000 CET",
    ],
)
def test_zones_by_name_that_mean_one_thing(text: str) -> None:
    assert parse_date(text) == MOMENT


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("7 juil. 2015 10:00:00", 7),
        ("7 juin 2015 10:00:00", 6),
        ("7 févr. 2015 10:00:00", 2),
        ("7 März 2015 10:00:00", 3),
        ("wt., 7 lip 2015 10:00:00 +0000", None),
        ("7 lipca 2015 10:00:00", 7),
        ("7. lipnja 2015. 10:00:00", 6),
        ("7. července 2015 v 10:00:00", 7),
        ("7. června 2015 10:00:00", 6),
        ("7. srpna 2015 10:00:00", 8),
        ("7. srpnja 2015. 10:00:00", 7),
        ("7 srp 2015 10:00:00", None),
        ("7 listopada 2015 10:00:00", None),
        ("7. listopadu 2015 10:00:00", 11),
        ("pon., 7 wrz 2015 10:00:00 +0000", 9),
        ("7 PAŹDZIERNIKA 2015 10:00:00", 10),
        ("7. oktobra 2015 10:00:00", 10),
        ("7 октября 2015 г. 10:00:00", 10),
        ("7 мая 2015 г., 10:00:00", 5),
        ("7 травня 2015 р. 10:00:00", 5),
        ("7 липня 2015 р. о 10:00:00", 7),
        ("7. јун 2015. 10:00:00", 6),
        ("7 Φεβρουαρίου 2015 10:00:00", 2),
        ("7 Ιουν 2015 10:00:00", 6),
        ("7 Ιουλίου 2015 στις 10:00:00 π.μ.", 7),
        ("07 Ağustos 2015 Çarşamba 10:00:00", 8),
        ("7 KASIM 2015 10:00:00", 11),
        ("7 Şub 2015 10:00:00", 2),
        ("7 marrask. 2015 10:00:00", None),
        ("7 Meitheamh 2015 10:00:00", None),
    ],
)
def test_months_of_other_languages(text: str, month: int | None) -> None:
    assert parse_date(text) == (month and calendar.timegm((2015, month, 7, 10, 0, 0)) * 1_000_000)


def test_an_afternoon_in_greek() -> None:
    assert parse_date("30 Οκτωβρίου 2015 3:26:16 μ.μ.") == parse_date("30 Οκτ 2015 3:26:16 μμ") == MOMENT


def test_the_leap_second_is_the_next_one() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 +0000") == parse_date("Sun, 1 Jan 2017 00:00:00 +0000")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "30/10/2015 16:26:16",
        "Fri, 30 Oct 2015",
        "Fri, 30 Oct 1904 16:26:16 +0100",
        "Fri, 30 Oct 2115 16:26:16 +0100",
        "Fri, 41 Oct 2015 16:26:16 +0100",
        "Fri, 30 Oct 2015 25:26:16 +0100",
        "Fri, 30 Oct 2015 16:61:16 +0100",
        "30 13 2015 16:26:16 +0100",
        "Mon, 31 Feb 2015 16:26:16 +0100",
        "²0 Oct 2015 16:26:16 +0100",
        ",",
        " ",
    ],
)
def test_what_cannot_be_read_is_not_guessed(text: str) -> None:
    assert parse_date(text) is None


@given(
    st.integers(86_400, calendar.timegm((2099, 12, 30, 0, 0, 0))),
    st.integers(-14 * 60, 14 * 60),
)
def test_what_the_library_writes_is_read(seconds: int, minutes: int) -> None:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone(datetime.timedelta(minutes=minutes)))
    assert parse_date(format_datetime(moment)) == seconds * 1_000_000
    assert parse_date(moment.isoformat()) == seconds * 1_000_000
