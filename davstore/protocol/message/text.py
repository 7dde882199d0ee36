"""Text from bytes of unknown care, as facts hold it."""

from __future__ import annotations

import re
from typing import Final

from davstore.model.messages import MOST_FACT_CHARACTERS

_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


def decode(raw: bytes) -> str:
    """Return the characters of raw: UTF-8, else windows-1252, which undeclared 8-bit text most often is."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def fact(text: str) -> str | None:
    """Return text as a fact: one line without what XML cannot hold, cut to the cap; None: nothing is left."""
    return _UNFIT.sub(" ", text[: 2 * MOST_FACT_CHARACTERS]).strip()[:MOST_FACT_CHARACTERS].rstrip() or None
