"""Multipart bodies (RFC 2046 §5.1), whatever the pieces are that they come in."""

from __future__ import annotations

import io

import pytest

from davstore.errors import Malformed, TooLarge
from davstore.protocol.http.multipart import each_part, is_set
from davstore.protocol.message.transfer import decode_strictly

TYPE = "multipart/mixed; boundary=b"
BODY = (
    b"preamble\r\n--b\r\nA: x\r\n y\r\nB:\t\xe4 \r\n\r\nhello\r\n--bx\r\n\r\r\n--b \t\r\n\r\n--b\r\n\r\n\r\n"
    b"--b\nC: 2\nc: 3\n\nline\nfeeds\n--b--  \r\n--b\r\nepilogue"
)
PARTS = [({"a": "x y", "b": "ä"}, b"hello\r\n--bx\r\n\r"), ({}, b""), ({}, b""), ({"c": "2"}, b"line\nfeeds")]


class Pieces:
    """A body that comes in pieces of so many bytes."""

    def __init__(self, body: bytes, size: int) -> None:
        self._source, self._size = io.BytesIO(body), size

    def read(self, size: int, /) -> bytes:
        """Return the next piece."""
        return self._source.read(min(size, self._size))


def parse(body: bytes, size: int = 1_000, content_type: str = TYPE) -> list[tuple[dict[str, str], bytes]]:
    """Return fields and content of each part."""
    return [(dict(part.fields), b"".join(part.content)) for part in each_part(Pieces(body, size), content_type)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_parts_are_what_stands_between_the_boundaries(size: int) -> None:
    """The line end in front of a boundary belongs to it; what is only like one is content (§5.1.1)."""
    assert parse(BODY, size) == PARTS


@pytest.mark.parametrize("size", [1, 1_000])
def test_a_body_without_its_closing_boundary_is_refused(size: int) -> None:
    """Wherever it is cut."""
    end = BODY.index(b"--b--") + len(b"--b--")
    for length in range(end):
        with pytest.raises(Malformed):
            parse(BODY[:length], size)
    assert parse(BODY[:end], size) == PARTS


def test_the_boundary_is_a_parameter() -> None:
    """Quoted or not, in any case of its name; without one there are no parts."""
    for content_type in ('Multipart/Related; type=x; Boundary="b"', "multipart/mixed;boundary=b;start=x"):
        assert is_set(content_type)
        assert len(parse(BODY, 5, content_type)) == 4
    for content_type in ("multipart/mixed", 'multipart/mixed; boundary=""', "multipart/mixed; boundary=" + "x" * 71):
        with pytest.raises(Malformed):
            parse(BODY, 5, content_type)
    assert not any(map(is_set, (None, "multipart/form-data; boundary=b", "multipart/relatedly", "text/plain")))


def test_what_is_not_taken_is_passed_over() -> None:
    """The next part begins behind it."""
    cut = each_part(Pieces(b"--b\r\n\r\nx", 4), TYPE)
    with pytest.raises(Malformed):
        list(next(cut).content)
    with pytest.raises(Malformed):
        next(cut)
    assert [part.fields.get("c") for part in each_part(Pieces(BODY, 4), TYPE)] == [None, None, None, "2"]


def test_parts_and_their_headers_have_bounds() -> None:
    """1,000 parts, 16 KiB of header; a line of it that is no field is refused."""
    assert len(parse(b"--b\r\n\r\n" * 1_000 + b"--b--")) == 1_000
    with pytest.raises(TooLarge):
        parse(b"--b\r\n\r\n" * 1_001 + b"--b--")
    with pytest.raises(TooLarge):
        parse(b"--b\r\nA: " + b"x" * 17_000 + b"\r\n\r\n--b--")
    with pytest.raises(TooLarge):
        parse((b"--b\r\nA: " + b"x" * 16_000 + b"\r\n\r\n") * 66 + b"--b--")
    with pytest.raises(Malformed):
        parse(b"--b\r\nno field\r\n\r\n--b--")


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_base64_is_taken_to_the_letter(size: int) -> None:
    """RFC 2045 §6.8: what is missing or foreign is an error, for it is to be stored."""

    def decoded(text: bytes) -> bytes:
        return b"".join(decode_strictly((text[at : at + size] for at in range(0, len(text), size)), "base64"))

    assert decoded(b"aGVs\r\nbG8g\r\nd29ybGQ=\r\n") == b"hello world"
    for text in (b"aGVsbG8", b"aGVs*bG8=", b"aGVsbG8=aGVs", b"=", b"a==="):
        with pytest.raises(Malformed):
            decoded(text)
