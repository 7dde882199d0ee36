"""Messages that another program reads otherwise than davstore, by short name and fact or part, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FACTS: Final = {
    "an encoded word in an address, which RFC 2047 section 5 forbids, is decoded": (
        *("spam-1/00263.13f from_", "spam-1/00263.13f to", "spam-1/00320.20d from_", "spam-1/00320.20d to"),
        *("spam-1/00323.9e3 from_", "spam-1/00323.9e3 to", "spam-1/00324.6f3 from_", "spam-1/00324.6f3 to"),
    ),
    "an hour has AM or PM, which `email` and Dovecot pass over, and the zone behind it": (
        *("crypto/encrypted-signed.eml date", "spam-2/00039.129 date", "spam-2/00059.d73 date"),
        *("spam-2/00063.98d date", "spam-2/00075.f1c date", "spam-2/00078.f31 date", "spam-2/00079.7a1 date"),
        *("spam-2/00091.7b4 date", "spam-2/00535.6f0 date", "spam-2/01321.f32 date"),
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
STRUCTURES: Final = {
    "its boundary lines are not those that were named: one part here, the text before them in Dovecot": (
        *(f"spam-1/00467.5b7 1 {what}" for what in ("media_type", "charset", "encoding")),
        *(f"spam-2/01214.973 1 {what}" for what in ("media_type", "charset", "encoding")),
    ),
    "Dovecot heeds no transfer encoding without a MIME-Version": (
        *("easy-ham-2/01317.7fc 1 encoding", "spam-2/00016.4fb 1 encoding", "spam-2/00056.64a 1 encoding"),
        *("spam-2/00068.299 1 encoding", "spam-2/00148.a64 1 encoding"),
    ),
    "a type with a blank for its semicolon has no name in Dovecot": (
        *("spam-2/00204.4cf 1 charset", "spam-2/00204.4cf 1 media_type"),
    ),
    "a name with a blank and without quotes ends at it in Dovecot": ("spam-2/01359.dea 2 filename",),
}
CONTENTS: Final = {
    "its boundary lines are not those that were named: all of it here, the text before them in Dovecot": (
        *("spam-1/00467.5b7 1", "spam-2/01214.973 1"),
    ),
    "Dovecot refuses its quoted-printable, as broken escapes are, and `quopri` keeps them otherwise": (
        *("spam-2/00164.272 1", "spam-2/00276.a87 1"),
    ),
}


def named(*tables: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the differences of tables."""
    return {name for table in tables for names in table.values() for name in names}
