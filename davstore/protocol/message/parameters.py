"""Fields with parameters, `Content-Type` and `Content-Disposition` (RFC 2045 §5.1, RFC 2183, RFC 2231)."""

from __future__ import annotations

import re
import urllib.parse
from functools import lru_cache
from typing import Final, NamedTuple

from davstore.protocol.message.words import decode_bytes, decode_field, one_line

_MOST_BYTES: Final = 4 * 1024
"""The rest of a field is not read."""
_PARAMETER: Final = re.compile(rb""";\s*([^\s=;]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)""", re.DOTALL)
_VALUE: Final = re.compile(rb"\s*([^\s;,()]+)")
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)
_MOST_SECTIONS: Final = 1_000


class Valued(NamedTuple):
    """A value in lower case, and its parameters by name in lower case, raw."""

    value: str
    parameters: dict[bytes, bytes]


@lru_cache(maxsize=128)  # asked more than once of each field, and most messages have the same few
def parse_parameters(raw: bytes) -> Valued:
    """Split a field; of parameters of one name the first counts. A value without quotes may hold blanks."""
    raw = raw[:_MOST_BYTES]
    match = _VALUE.match(raw)
    value = match[1].decode("latin-1").lower() if match else ""
    parameters: dict[bytes, bytes] = {}
    for name, text in _PARAMETER.findall(raw, match.end() if match else 0):
        if text.startswith(b'"') and len(text) > 1 and text.endswith(b'"'):
            text = _QUOTED_PAIR.sub(rb"\1", text[1:-1])
        else:
            text = text.strip(b' \t\r\n"')
        parameters.setdefault(name.lower(), text)
    return Valued(value, parameters)


def text_parameter(parameters: dict[bytes, bytes], name: bytes) -> str | None:
    """Return a parameter as text: its extended form (RFC 2231 §3, §4), else encoded words or raw characters."""
    if name + b"*" in parameters:
        return _extended([(parameters[name + b"*"], True)])
    sections = []
    for number in range(_MOST_SECTIONS):
        key = b"%b*%d" % (name, number)
        if key + b"*" in parameters:
            sections.append((parameters[key + b"*"], True))
        elif key in parameters:
            sections.append((parameters[key], False))
        else:
            break
    if sections:
        return _extended(sections)
    return decode_field(parameters[name]) if name in parameters else None


def _extended(sections: list[tuple[bytes, bool]]) -> str | None:
    """Join sections; the first names the charset of those that are percent-encoded."""
    charset = ""
    first, is_encoded = sections[0]
    if is_encoded and first.count(b"'") >= 2:
        declared, _, rest = first.split(b"'", 2)
        charset = declared.decode("latin-1")
        sections = [(rest, True), *sections[1:]]
    content = b"".join(urllib.parse.unquote_to_bytes(text) if encoded else text for text, encoded in sections)
    return one_line(decode_bytes(content, charset))
