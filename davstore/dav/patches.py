"""What PROPPATCH and extended MKCOL change, sorted: dead properties, the few live ones that a client may set, and the
others, which are the server's (RFC 4918 §9.2.1, §15): davstore's namespace is its own, also what has no meaning yet.

Times are set as clients set them: rclone and Nextcloud write seconds to `lastmodified`, WinSCP an HTTP-date to
`getlastmodified`, Windows its own properties, which it reads back: so they are kept too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from davstore.dav.properties import PROTECTED
from davstore.engine.property_changes import LiveValues
from davstore.errors import ConflictingValue, DavstoreError, ProtectedProperty
from davstore.policy.preconditions import SECOND_US
from davstore.protocol.dav import names, owncloud, prop
from davstore.protocol.http.dates import parse_http_date

TIMES: Final = frozenset({names.LASTMODIFIED, names.GETLASTMODIFIED})
SETTABLE: Final = TIMES | {owncloud.CHECKSUMS}
"""Live properties that a client may set: the time, and the checksums if they are true."""
_WINDOWS_TIME: Final = "{urn:schemas-microsoft-com:}Win32LastModifiedTime"
_CLIENTS_OWN: Final = frozenset({names.DISPLAYNAME, "{DAV:}getcontentlanguage"})
"""What RFC 4918 gives to clients of its own namespace (§15.2, §15.3); the rest of it is for RFCs to come."""


class Patch(NamedTuple):
    """Changes of dead properties in the order given, values of live ones, and why others cannot be changed."""

    dead: list[tuple[str, bytes | None]]
    live: LiveValues
    refused: dict[str, DavstoreError]


def sort_changes(changes: Iterable[tuple[str, bytes | None]]) -> Patch:
    """Return what to do; of two values for one live property the last counts, as of dead ones."""
    dead: list[tuple[str, bytes | None]] = []
    refused: dict[str, DavstoreError] = {}
    modified: int | None = None
    claimed: dict[str, frozenset[str]] = {}
    for name, element in changes:
        if element is not None and name in SETTABLE:
            text = prop.text_of(element)
            time = _parse_time(text) if name in TIMES else None
            sums = frozenset() if name in TIMES else owncloud.parse_checksums(text)
            if time is None and not sums:
                refused[name] = ConflictingValue(name)
            modified = modified if time is None else time
            claimed |= {name: sums} if sums else {}
        elif name in PROTECTED or names.is_ours(name) or (element is not None and _is_reserved(name)):
            refused[name] = ProtectedProperty(name)
        else:
            dead.append((name, element))
            if element is not None and name == _WINDOWS_TIME:
                time = _parse_time(prop.text_of(element))
                modified = modified if time is None else time
    return Patch(dead, LiveValues(None if modified is None else modified * SECOND_US, claimed), refused)


def _is_reserved(name: str) -> bool:
    return names.split(name)[0] == names.DAV and name not in _CLIENTS_OWN


def _parse_time(text: str) -> int | None:
    """Return seconds since the epoch, from a number of them or from a date; None for anything else."""
    date = parse_http_date(text)
    return owncloud.find_seconds(text) if date is None else date
