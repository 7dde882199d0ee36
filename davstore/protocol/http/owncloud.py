"""OwnCloud's headers of PUT, which rclone, desktop clients and others use: a time and a checksum."""

from __future__ import annotations

import re
from typing import Final

from davstore.errors import Malformed

SUM: Final = re.compile(r"([A-Za-z0-9]{1,16}):([0-9A-Fa-f]{1,128})")
"""A checksum: its algorithm and its digest in hex."""
_SECONDS: Final = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]*))?")
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999, which an HTTP-date can hold."""


def parse_mtime(value: str | None) -> int | None:
    """Return the modification time of `X-OC-Mtime` in whole seconds since the epoch.

    None without the header, and for a value that is no time or out of range, which is no reason to refuse the file.
    """
    return None if value is None else find_seconds(value.strip(" \t"))


def find_seconds(text: str) -> int | None:
    """Return whole seconds since the epoch, or before it; None for text that is no time of the years 1 to 9999."""
    match = _SECONDS.fullmatch(text)
    if match is None:
        return None
    seconds = int(match[2])
    if match[1]:
        seconds = -seconds - bool((match[3] or "").strip("0"))
    return seconds if _FIRST <= seconds <= _LAST else None


def parse_checksum(value: str | None) -> tuple[str, str] | None:
    """Return the algorithm of `OC-Checksum`, as hashlib names it, and the digest in lower-case hex.

    Raises:
        Malformed: not `ALGORITHM:hex`.
    """
    if value is None:
        return None
    match = SUM.fullmatch(value.strip(" \t"))
    if match is None:
        raise Malformed("OC-Checksum is not ALGORITHM:hex")
    return match[1].lower(), match[2].lower()
