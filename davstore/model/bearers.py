"""The names of bearers, the networks that a device says it comes over: tokens (RFC 8941 §3.3.4) such as `wifi`."""

from __future__ import annotations

import re
from typing import Final

NAME: Final = r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*"


def is_bearer(word: str) -> bool:
    """Tell whether a word can be the name of a bearer."""
    return re.fullmatch(NAME, word) is not None
