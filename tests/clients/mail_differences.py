"""Messages that another program reads otherwise than davstore, by short name and fact or part, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FACTS: Final = {
    "an encoded word in an address, which RFC 2047 section 5 forbids, is decoded": (
        *("spam-1/00263.13f from_", "spam-1/00263.13f to", "spam-1/00320.20d from_", "spam-1/00320.20d to"),
        *("spam-1/00323.9e3 from_", "spam-1/00323.9e3 to", "spam-1/00324.6f3 from_", "spam-1/00324.6f3 to"),
    ),
    "a fact has no control characters": ("easy-ham-1/00714.16c cc",),
    "ISO-8859-1 is read as windows-1252, as browsers do": ("hard-ham-1/00149.f6f subject",),
    "an encoded word whose last character is cut is read as far as it goes": ("spam-1/00311.979 subject",),
}
FACTS_IN_DOVECOT: Final = {
    "an address with two @ is none to `email`, which reads the facts here": (
        *("spam-2/00038.906 to", "spam-2/00080.2dd from_"),
    ),
    "Dovecot reads no address behind the first that something follows": ("spam-2/00528.a7b to",),
    "Dovecot reads a group without its end by another rule": ("spam-2/00557.01f from_",),
}


def named(*tables: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the differences of tables."""
    return {name for table in tables for names in table.values() for name in names}
