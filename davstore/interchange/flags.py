"""States as Maildir and mbox write them: letters, and keywords as IMAP has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from davstore.model.states import MOST_KEYWORDS, Flag, StateChange
from davstore.protocol.dav.names import FIRST_OF_NAME, MAX_PROPERTY_NAME_BYTES, REST_OF_NAME

MAILDIR_LETTERS: Final = {
    "D": Flag.DRAFT,
    "F": Flag.FLAGGED,
    "P": Flag.FORWARDED,
    "R": Flag.ANSWERED,
    "S": Flag.SEEN,
    "T": Flag.DELETED,
}
"""The flags of Maildir in the order in which a name has them; P is "passed"."""
STATUS_LETTERS: Final = {"R": Flag.SEEN}
X_STATUS_LETTERS: Final = {"A": Flag.ANSWERED, "F": Flag.FLAGGED, "T": Flag.DRAFT, "D": Flag.DELETED}
"""The letters of the fields `Status` and `X-Status` of mbox, as Dovecot and mutt write them."""
KEYWORDS: Final = {
    "$forwarded": Flag.FORWARDED,
    "forwarded": Flag.FORWARDED,
    "$mdnsent": Flag.READ_REPORT_SENT,
    "mdnsent": Flag.READ_REPORT_SENT,
}
"""Keywords of IMAP that are flags here (RFC 8621 §4.1.1, RFC 3503)."""

_FOREIGN: Final = re.compile(rf"^[^{FIRST_OF_NAME}]|(?<!^)[^{REST_OF_NAME}]|_(?=x[0-9A-F]{{4,6}}_)")
"""Characters that no element of XML has in its name, and the begin of an escape."""
_ESCAPE: Final = re.compile(r"_x([0-9A-F]{4,6})_")


def as_name(keyword: str) -> str:
    """Return a keyword of IMAP as one of a store: what no name in XML may hold is `_x0024_` and so on (ISO 9075-14)."""
    return _FOREIGN.sub(lambda match: f"_x{ord(match[0]):04X}_", keyword)


def as_keyword(name: str) -> str:
    """Return a keyword of a store as IMAP has it: the reverse of `as_name`."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if int(match[1], 16) < 0x110000 else match[0], name)


def find_states(letters: Iterable[str], meaning: dict[str, Flag], keywords: Sequence[str] = ()) -> StateChange:
    """Return the states that letters and keywords of IMAP mean; other letters mean nothing here."""
    flags, names = Flag(0), set[str]()
    for letter in letters:
        flags |= meaning.get(letter, Flag(0))
    for keyword in keywords:
        flag, name = KEYWORDS.get(keyword.lower()), as_name(keyword)
        if flag is not None:
            flags |= flag
        elif name and len(name.encode()) <= MAX_PROPERTY_NAME_BYTES and len(names) < MOST_KEYWORDS:
            names.add(name)
    return StateChange(set=int(flags), added=frozenset(names))


def letters_of(flags: int, meaning: dict[str, Flag]) -> str:
    """Return the letters for flags, in the order of the table."""
    return "".join(letter for letter, flag in meaning.items() if flags & flag)


def keywords_of(flags: int, names: Iterable[str], meaning: dict[str, Flag]) -> list[str]:
    """Return the keywords of IMAP for keywords of a store, and for the flags that the letters of meaning lack."""
    found = [as_keyword(name) for name in names]
    if flags & Flag.FORWARDED and Flag.FORWARDED not in meaning.values():
        found.append("$Forwarded")
    if flags & Flag.READ_REPORT_SENT:
        found.append("$MDNSent")
    return sorted(found)
