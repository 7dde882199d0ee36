"""Transfer encodings (RFC 2045 §6), decoded as they come and leniently."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from davstore.errors import Malformed

_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_QUANTA: Final = re.compile(rb"(?:=*[^=]=*[^=]{3})*+")
_LAST: Final = re.compile(rb"=*[^=]=*[^=]{1,2}=")
"""Padding comes after two or three characters of a quantum; elsewhere it is a foreign character."""
_RUN: Final = re.compile(rb"==+")
"""One character says as much as many; they would be held, and read again with each block."""
_BLANKS_AT_END: Final = (b" \n", b"\t\n", b" \r", b"\t\r")
_LONGEST_LINE: Final = 64 * 1024
"""Longer lines are decoded in pieces."""


def decode(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the content of blocks in a transfer encoding; those that are unknown change nothing."""
    return _DECODERS.get(encoding, iter)(blocks)


def decode_strictly(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the content of blocks that a client sends to be stored; of base64 nothing is guessed.

    Raises:
        Malformed: base64 that is none, or that has no end.
    """
    return _strict_base64(blocks) if encoding == "base64" else decode(blocks, encoding)


def _strict_base64(blocks: Iterable[bytes]) -> Iterator[bytes]:
    held, is_over = b"", False
    for block in blocks:
        held += block.translate(None, b" \t\r\n")
        whole = len(held) // 4 * 4
        if is_over and held:
            raise Malformed("base64 behind its padding")
        if whole:
            try:
                decoded = binascii.a2b_base64(held[:whole], strict_mode=True)
            except binascii.Error as error:
                raise Malformed("not base64") from error
            is_over = held[whole - 1 : whole] == b"="
            yield decoded
        held = held[whole:]
    if held:
        raise Malformed("base64 without its end")


def _base64(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Foreign characters are passed over, padding may be missing, and ends the text where it is padding (§6.8)."""
    held = b""
    for block in blocks:
        held += block.translate(None, _NOT_BASE64)
        if b"==" in held:
            held = _RUN.sub(b"=", held)
        whole = len(held) // 4 * 4
        if b"=" in held and (match := _QUANTA.match(held)):
            if last := _LAST.match(held, match.end()):
                yield _quanta(held[: last.end()].replace(b"=", b""))
                return
            whole = match.end()
        if whole:
            yield binascii.a2b_base64(held[:whole].replace(b"=", b""))
            held = held[whole:]
    if held:
        yield _quanta(held.replace(b"=", b""))


def _quanta(text: bytes) -> bytes:
    """Decode text without its padding; a character that is left over is lost."""
    if len(text) % 4 == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def _quoted_printable(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blanks at the end of a line are not of the text (§6.7, rule 3); a `=` without a number stays."""
    held = b""
    for block in blocks:
        held += block
        stop = held.rfind(b"\n") + 1
        if not stop and len(held) > _LONGEST_LINE:
            stop = len(held.rstrip(b" \t\r")) or len(held)
            if b"=" in held[stop - 2 : stop]:
                stop = held.rfind(b"=", 0, stop) or stop
        if stop > 0:
            yield _unquoted(held[:stop])
            held = held[stop:]
    if held:
        yield _unquoted(held.rstrip(b" \t"))


def _unquoted(text: bytes) -> bytes:
    if any(blanks in text for blanks in _BLANKS_AT_END):
        text = b"\n".join(
            line[:-1].rstrip(b" \t") + b"\r" if line.endswith(b"\r") else line.rstrip(b" \t")
            for line in text.split(b"\n")
        )
    return binascii.a2b_qp(text)


def _uuencode(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines between `begin` and `end`; one that is broken is lost."""
    held, within = b"", False
    for block in blocks:
        *lines, held = (held + block).split(b"\n")
        pieces = []
        for line in lines:
            if not within:
                within = line.startswith(b"begin ")
            elif line.startswith(b"end"):
                within = False
            else:
                pieces.append(_line(line))
        held = held[-_LONGEST_LINE:]
        yield b"".join(pieces)


def _line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line.rstrip(b"\r"))
    except binascii.Error:
        return b""


_DECODERS: Final[dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]]] = {
    "base64": _base64,
    "quoted-printable": _quoted_printable,
    **dict.fromkeys(("uuencode", "x-uuencode", "uue", "x-uue"), _uuencode),
}
