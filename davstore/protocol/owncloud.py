"""What OwnCloud added to PUT and PROPFIND, and rclone, the desktop clients and others speak: times and checksums."""

from __future__ import annotations

import re
from typing import Final

from davstore.errors import Malformed
from davstore.protocol.elements import element, text_element

CHECKSUMS: Final = "{http://owncloud.org/ns}checksums"
_CHECKSUM: Final = "{http://owncloud.org/ns}checksum"
_SECONDS: Final = re.compile(r"([0-9]{1,12})(?:\.[0-9]*)?")
_SUM: Final = re.compile(r"([A-Za-z0-9]{1,16}):([0-9A-Fa-f]{1,128})")


def parse_mtime(value: str | None) -> int | None:
    """Return the modification time of `X-OC-Mtime` in whole seconds since the epoch; None without the header.

    Raises:
        Malformed: not a number of seconds, or a time that no HTTP-date can tell.
    """
    if value is None:
        return None
    match = _SECONDS.fullmatch(value.strip(" \t"))
    if match is None or int(match[1]) >= 253_402_300_800:  # the year 10000
        raise Malformed("X-OC-Mtime is no time")
    return int(match[1])


def parse_checksum(value: str | None) -> tuple[str, str] | None:
    """Return the algorithm of `OC-Checksum`, as hashlib names it, and the digest in lower-case hex.

    Raises:
        Malformed: not `ALGORITHM:hex`.
    """
    if value is None:
        return None
    match = _SUM.fullmatch(value.strip(" \t"))
    if match is None:
        raise Malformed("OC-Checksum is not ALGORITHM:hex")
    return match[1].lower(), match[2].lower()


def render_checksums(text: str) -> bytes:
    """Return the property `oc:checksums` of a body with checksums."""
    return element(CHECKSUMS, text_element(_CHECKSUM, text))
