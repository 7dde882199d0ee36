"""Transfer encodings: RFC 2045 §6.7, §6.8."""

from __future__ import annotations

import base64
import binascii
import quopri
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.protocol.message.transfer import decode


def read(encoding: str, *blocks: bytes) -> bytes:
    return b"".join(decode(blocks, encoding))


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"aGVsbG8=", b"hello"),
        (b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aG!V*s bG-8=", b"hello"),
        (b"aGVsbG8=\n--\nfooter of a list", b"hello"),
        (b"=aGVs=bG8=", b"hello"),
        (b"aGVsb", b"hel"),
        (b"", b""),
        (b"====", b""),
    ],
)
def test_base64(raw: bytes, content: bytes) -> None:
    assert read("base64", raw) == content


def test_padding_without_end_is_not_held() -> None:
    alive: list[int] = []

    def blocks() -> Iterator[bytes]:
        yield b"A"
        for _ in range(100):
            yield b"=" * 65_536
            alive.append(len(decoder.gi_frame.f_locals["held"]))

    decoder: Any = decode(blocks(), "base64")
    assert b"".join(decoder) == b""
    assert max(alive) <= 8


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (
            b"Now's the time =\r\nfor all folk to come=\r\n to the aid",
            b"Now's the time for all folk to come to the aid",
        ),
        (b"a=3Db", b"a=b"),
        (b"a=c3=bc", b"a\xc3\xbc"),
        (b"a \t\r\nb", b"a\r\nb"),
        (b"a= \t\r\nb", b"ab"),
        (b"a=\nb", b"ab"),
        (b"a=20\nb", b"a \nb"),
        (b"a=XYb", b"a=XYb"),
        (b"a=", b"a"),
        (b"a  ", b"a"),
        (b"a_b", b"a_b"),
    ],
)
def test_quoted_printable(raw: bytes, content: bytes) -> None:
    assert read("quoted-printable", raw) == content


@given(st.binary(max_size=300), st.integers(1, 70))
def test_what_the_library_writes_is_read_in_blocks_of_any_size(content: bytes, size: int) -> None:
    def blocks(raw: bytes) -> Iterator[bytes]:
        return (raw[start : start + size] for start in range(0, len(raw), size))

    lines = [binascii.b2a_uu(content[start : start + 45]) for start in range(0, len(content), 45)]
    uu = b"".join((b"begin 644 x\n", *lines, b"`\nend\n"))
    text = quopri.encodestring(content.replace(b"\r", b""), quotetabs=True)
    assert b"".join(decode(blocks(base64.encodebytes(content)), "base64")) == content
    assert b"".join(decode(blocks(uu), "x-uuencode")) == content
    assert b"".join(decode(blocks(content), "binary")) == content
    assert b"".join(decode(blocks(text), "quoted-printable")) == content.replace(b"\r", b"")
