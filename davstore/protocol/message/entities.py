"""Descriptions of entities from the fields of their header blocks (RFC 2045, RFC 2183)."""

from __future__ import annotations

import re
from typing import Final

from davstore.model.messages import MOST_PART_CHARACTERS, Part
from davstore.protocol.message.head import Fields, Head
from davstore.protocol.message.parameters import Valued, parse_parameters, text_parameter
from davstore.protocol.message.words import decode_field

_MEDIA_TYPE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,127}/[!#$%&'*+.^_`|~0-9a-z-]{1,127}")
"""Names of at most 127 characters (RFC 6838 §4.2)."""
_LONGEST_BOUNDARY: Final = 256
"""The rest of a longer one is not compared; RFC 2046 §5.1.1 allows 70."""
_NOTHING: Final = Valued("", {})


def first(fields: Fields, name: bytes) -> bytes | None:
    """Return the raw value of the first field of a name."""
    values = fields.get(name)
    return values[0] if values else None


def media_type_of(fields: Fields, default: str) -> str:
    """Return type and subtype in lower case; the default where none is declared or it is broken (RFC 2045 §5.2)."""
    raw = first(fields, b"content-type")
    declared = parse_parameters(raw).value if raw else ""
    return declared if _MEDIA_TYPE.fullmatch(declared) else default


def boundary_of(fields: Fields) -> bytes:
    """Return the beginning of the lines between parts, with the line break before it; empty: no boundary is named."""
    raw = first(fields, b"content-type") or b""
    boundary = parse_parameters(raw).parameters.get(b"boundary", b"").rstrip()
    return b"\n--" + boundary[:_LONGEST_BOUNDARY] if boundary else b""


def describe(head: Head, number: str, default: str) -> Part:
    """Return the part of a header block; its end is not known yet."""
    fields = head.fields
    raw = first(fields, b"content-type")
    declared = parse_parameters(raw) if raw else _NOTHING
    media_type = declared.value if _MEDIA_TYPE.fullmatch(declared.value) else default
    charset = text_parameter(declared.parameters, b"charset")
    encoding = first(fields, b"content-transfer-encoding")
    disposition = first(fields, b"content-disposition")
    placed = parse_parameters(disposition) if disposition else _NOTHING
    content_id = first(fields, b"content-id")
    identity = decode_field(content_id) if content_id else None
    filename = text_parameter(placed.parameters, b"filename") or text_parameter(declared.parameters, b"name")
    return Part(
        number=number,
        start=head.body,
        stop=head.body,
        media_type=media_type,
        content_type=_cut(decode_field(raw) if raw else None),
        charset=_cut(charset.lower() if charset else None),
        encoding=_cut(parse_parameters(encoding).value if encoding else None) or "7bit",
        disposition=_cut(placed.value),
        filename=_cut(filename),
        content_id=_cut(identity.strip("<> ") if identity else None),
    )


def _cut(text: str | None) -> str | None:
    return text[:MOST_PART_CHARACTERS] or None if text else None
