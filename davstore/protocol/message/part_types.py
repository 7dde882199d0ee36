"""The media type under which a part of a message is sent: as it was declared where HTTP can say the same."""

from __future__ import annotations

import re
from typing import Final

from davstore.model.messages import Part
from davstore.protocol.http.media_types import UNKNOWN_TYPE

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TYPE: Final = rf"{_WORD}/{_WORD}"
_QUOTED: Final = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"'
_DECLARED: Final = re.compile(rf"{_TYPE}(?: *; *{_WORD}=(?:{_WORD}|{_QUOTED}))*[ ;]*")
"""A Content-Type that HTTP shares with MIME (RFC 9110 §8.3.1, RFC 2045 §5.1): no comment, no character beyond ASCII."""
_BEGINNING: Final = re.compile(rf"{_TYPE}(?=[ ;]|$)")
_MOST_CHARACTERS: Final = 255
"""As many as a PUT may send; a longer declaration loses its parameters."""


def content_type_of(part: Part) -> str:
    """Return the Content-Type of a part.

    Parameters that cannot be read are left out, but for the charset. A part whose type cannot be read is of an unknown
    type.
    """
    declared = None if part.content_type is None else part.content_type.replace("\t", " ").strip(" ")
    if declared is not None and _BEGINNING.match(declared) is None:
        return UNKNOWN_TYPE
    if declared is not None and len(declared) <= _MOST_CHARACTERS and _DECLARED.fullmatch(declared):
        return declared.rstrip("; ")
    plain = part.media_type if declared is None else _kind(declared)
    if re.fullmatch(_TYPE, plain) is None or len(plain) > _MOST_CHARACTERS // 2:
        return UNKNOWN_TYPE
    charset = part.charset
    is_told = charset is not None and len(charset) <= _MOST_CHARACTERS // 4 and re.fullmatch(_WORD, charset)
    return f"{plain}; charset={charset}" if is_told else plain


def _kind(declared: str) -> str:
    return declared.partition(";")[0].split()[0]
