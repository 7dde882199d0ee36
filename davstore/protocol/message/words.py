"""Text of header fields: encoded words (RFC 2047), raw 8-bit, and the charsets that either names."""

from __future__ import annotations

import binascii
import codecs
import re
from encodings.aliases import aliases
from typing import Final

from davstore.model.messages import MOST_FACT_CHARACTERS

_NO_CHARSETS: Final = {
    *("base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"),
    *("mbcs", "idna", "punycode", "raw_unicode_escape", "unicode_escape", "undefined"),
}
_MEANT: Final = {
    **dict.fromkeys(("ascii", "latin_1"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    "big5": "cp950",
    "euc_kr": "cp949",
    "iso8859_9": "cp1254",
    "shift_jis": "cp932",
}
"""What senders mean who name a smaller set; text that keeps to the smaller one reads the same."""
_CODECS: Final[dict[str, str]] = {
    name.replace("_", ""): _MEANT.get(codec, codec)
    for name, codec in {**aliases, **{codec: codec for codec in aliases.values()}}.items()
    if codec not in _NO_CHARSETS
} | {
    **dict.fromkeys(("iso88598i", "iso88598e"), "iso8859_8"),
    **dict.fromkeys(("tis620", "windows874", "cp874"), "cp874"),
    "koi8u": "koi8_u",
    "unicode11utf7": "utf_7",
    "xgbk": "gb18030",
    "xmacroman": "mac_roman",
    "xsjis": "cp932",
}
"""Codecs by name without punctuation. A table, as codecs remembers every name that it was ever asked for."""
_PUNCTUATION: Final = re.compile("[^a-z0-9]+")

_WORD: Final = re.compile(rb"=\?([!->@-~]{1,64})\?([BbQq])\?([^?]*(?:\?(?!=)[^?]*){0,3})\?=")
"""Leniently with blanks and a few question marks in it; more of them would make it slow where no word ends."""
_ESCAPE: Final = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_CONTROL: Final = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_UNFIT: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]+")
_SPECIAL: Final = re.compile(r'[()<>\[\]:;@\\,"]')
_LEADING: Final = re.compile(r"[\"\\]")


def find_codec(charset: str) -> str | None:
    """Return the codec for the name of a charset; None: it is unknown."""
    return _CODECS.get(_PUNCTUATION.sub("", charset[:64].lower().partition("*")[0]))


def decode_bytes(raw: bytes, charset: str | None = None, *, is_cut: bool = False) -> str:
    """Return the characters of raw in the declared charset, else in UTF-8, else as far as the declared one goes.

    Bytes of no charset, and those that were said to be UTF-8, are windows-1252 then. is_cut: the last character may not
    be whole, and is left out then.
    """
    codec = find_codec(charset) if charset else None
    last = "cp1252" if codec in (None, "utf_8") else codec
    for one, errors in ((codec, "strict"), ("utf-8", "strict"), (last, "replace")):
        if one is not None:
            try:
                return codecs.getincrementaldecoder(one)(errors).decode(raw) if is_cut else raw.decode(one, errors)
            except (UnicodeError, LookupError):
                continue
    return raw.decode("cp1252", "replace")


def one_line(text: str) -> str | None:
    """Return text as a fact: one line without controls and what XML 1.0 forbids, cut; None: nothing is left."""
    text = text[:MOST_FACT_CHARACTERS]
    if text.isascii():  # else split would take blanks that do not break for others
        text = " ".join(text.split())
    if not text.isprintable() or not text.isascii():
        text = _CONTROL.sub(" ", _UNFIT.sub("", text)).strip(" ")
    return text or None


def decode_field(raw: bytes, *, phrases: bool = False) -> str | None:
    """Return the value of a field as a fact: encoded words decoded, else UTF-8 or windows-1252.

    phrases: the field has addresses, so a decoded name that could be read as syntax is quoted (RFC 5322 §3.2.4). A word
    that is broken, or of an unknown charset, stands as it was sent.
    """
    raw = raw[:MOST_FACT_CHARACTERS]
    if b"=?" not in raw:
        is_cut = len(raw) == MOST_FACT_CHARACTERS
        return one_line(raw.decode("ascii") if raw.isascii() else decode_bytes(raw, is_cut=is_cut))
    pieces: list[str] = []
    end, quotes = 0, 0
    for start, stop, text in _decoded_words(raw):
        between = decode_bytes(raw[end:start])
        quotes += between.count('"')
        pieces.append(between)
        pieces.append(_as_phrase(text, inside=quotes % 2 == 1) if phrases else text)
        end = stop
    pieces.append(decode_bytes(raw[end:]))
    return one_line("".join(pieces))


def _decoded_words(raw: bytes) -> list[tuple[int, int, str]]:
    """Return runs of adjacent encoded words (§6.2): start, end, text. Two of a charset may split a character."""
    runs: list[tuple[int, int, str, bytes, bytes]] = []
    for match in _WORD.finditer(raw):
        codec = find_codec(match[1].decode("ascii"))
        content = _content(match[2], match[3])
        if codec is None or content is None:
            continue
        if runs and not raw[runs[-1][1] : match.start()].strip():
            start, _, before, charset, held = runs.pop()
            if charset == match[1].lower():
                runs.append((start, match.end(), before, charset, held + content))
            else:
                before += decode_bytes(held, charset.decode())
                runs.append((start, match.end(), before, match[1].lower(), content))
        else:
            runs.append((match.start(), match.end(), "", match[1].lower(), content))
    return [(start, stop, before + decode_bytes(held, charset.decode())) for start, stop, before, charset, held in runs]


def _content(encoding: bytes, text: bytes) -> bytes | None:
    """Return the bytes of an encoded word; None: it is broken."""
    if encoding in b"Qq":
        return _ESCAPE.sub(lambda it: bytes((int(it[1], 16),)), text.replace(b"_", b" "))
    text = text.translate(None, _NOT_BASE64)
    if len(text) % 4 == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def _as_phrase(text: str, *, inside: bool) -> str:
    if inside:
        return _LEADING.sub(r"\\\g<0>", text)
    return '"' + _LEADING.sub(r"\\\g<0>", text) + '"' if _SPECIAL.search(text) else text
