"""Range and If-Range: RFC 9110 §13.1.5, §14."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.errors import RangeNotSatisfiable
from davstore.protocol.http.ranges import ByteRange, parse_ranges, range_applies


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-499", [ByteRange(0, 500)]),
        ("bytes=500-999", [ByteRange(500, 1000)]),
        ("bytes=9500-", [ByteRange(9500, 10000)]),
        ("bytes=-500", [ByteRange(9500, 10000)]),
        ("bytes=0-0", [ByteRange(0, 1)]),
        ("bytes=-1", [ByteRange(9999, 10000)]),
        ("BYTES=0-99999", [ByteRange(0, 10000)]),
        ("bytes=-99999", [ByteRange(0, 10000)]),
        ("bytes=0-" + "9" * 5000, [ByteRange(0, 10000)]),
        ("bytes=-" + "9" * 5000, [ByteRange(0, 10000)]),
        ("bytes=" + "0" * 5000 + "1-1", [ByteRange(1, 2)]),
        (None, None),
        ("", None),
        ("bytes", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=a-b", None),
        ("bytes=1.5-2", None),
        ("lines=1-2", None),
        ("bytes=+1-2", None),
        ("bytes=٣-٤", None),
        ("bytes=0-0,-1", [ByteRange(0, 1), ByteRange(9999, 10000)]),
        ("bytes= 0-0 ,\t, 5-5", [ByteRange(0, 1), ByteRange(5, 6)]),
        ("bytes=500-600,601-999", [ByteRange(500, 1000)]),
        ("bytes=500-700,601-999", [ByteRange(500, 1000)]),
        ("bytes=9000-,0-0,-1", [ByteRange(9000, 10000), ByteRange(0, 1)]),
        ("bytes=50-59,10-19,0-9", [ByteRange(50, 60), ByteRange(0, 20)]),
        ("bytes=0-9,20000-", [ByteRange(0, 10)]),
        ("bytes=0-9,5-2", None),
        ("bytes=0-9;20-29", None),
        (
            "bytes=" + ",".join(f"{start}-{start}" for start in range(0, 32, 2)),
            [ByteRange(s, s + 1) for s in range(0, 32, 2)],
        ),
        ("bytes=" + "0-9," * 16 + "0-9", None),
    ],
)
def test_rfc9110_14_1_2_ranges_of_ten_thousand_bytes(value: str | None, expected: list[ByteRange] | None) -> None:
    assert parse_ranges(value, length=10_000) == expected


@pytest.mark.parametrize(
    "value", ["bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=" + "9" * 5000 + "-", "bytes=-0,10000-"]
)
def test_rfc9110_15_5_17_unsatisfiable(value: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_ranges(value, length=10_000)
    assert caught.value.length_bytes == 10_000


def test_rfc9110_14_4_no_range_of_nothing() -> None:
    assert parse_ranges("bytes=0-", length=0) is None
    assert parse_ranges("bytes=-5", length=0) is None


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_rfc9110_14_1_2_range_is_the_slice(first: int, last: int, length: int) -> None:
    content = bytes(range(length))
    for value, expected in (
        (f"bytes={first}-{last}", content[first : last + 1] if first <= last else None),
        (f"bytes={first}-", content[first:]),
        (f"bytes=-{last}", content[max(length - last, 0) :]),
    ):
        try:
            found = parse_ranges(value, length=length)
        except RangeNotSatisfiable:
            assert not expected
        else:
            assert found is None or [content[one.start : one.stop] for one in found] == [expected]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), min_size=1, max_size=16))
def test_rfc9110_15_3_7_2_what_was_asked_for_comes_once(asked: list[list[int]]) -> None:
    found = parse_ranges("bytes=" + ",".join(f"{first}-{last}" for first, last in asked), length=100)
    assert found is not None
    sent = [place for one in found for place in range(*one)]
    assert len(sent) == len(set(sent))
    assert set(sent) == {place for first, last in asked for place in range(first, last + 1)}


def test_rfc9110_13_1_5_if_range() -> None:
    assert range_applies(None, etag="a")
    assert range_applies('"a"', etag="a")
    assert not range_applies('W/"a"', etag="a")
    assert not range_applies('"b"', etag="a")
    assert not range_applies("a", etag="a")
    assert not range_applies('"a"', etag=None)
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert not range_applies(date, etag="a")  # no strong validator
    assert range_applies(f" {date}", etag="a", modified=784_111_777)
    for other in (date.replace("37", "38"), date.replace("37", "36"), "", "784111777", f'"{date}"', "a, b"):
        assert not range_applies(other, etag="a", modified=784_111_777)
    assert not range_applies('"b"', etag="a", modified=784_111_777)
