"""The time of modification, as clients ask for it and set it.

rclone and Nextcloud write seconds to `lastmodified`, WinSCP an HTTP-date to `getlastmodified`. Windows writes
properties of its own and reads them back, so they are kept as dead ones too.
"""

from __future__ import annotations

from typing import Final

from davstore.dav.properties.live import STORED, Column, Live, Settable
from davstore.engine.property_changes import LiveValues
from davstore.policy.preconditions import SECOND_US
from davstore.protocol.dav import names
from davstore.protocol.http import owncloud
from davstore.protocol.http.dates import parse_http_date

WINDOWS: Final = "{urn:schemas-microsoft-com:}Win32LastModifiedTime"
"""A dead property that also sets the time of modification."""


def set_time(text: str) -> LiveValues | None:
    """Return the values that a number of seconds, or a date, sets; None for any other text."""
    seconds = parse_http_date(text)
    if seconds is None:
        seconds = owncloud.find_seconds(text)
    return None if seconds is None else LiveValues(modified_us=seconds * SECOND_US)


def _seconds(time_us: int | str) -> str:
    return str(int(time_us) // SECOND_US)


TIMES: Final = (
    Live(
        names.LASTMODIFIED,
        STORED,
        column=Column("modified_us", "<D:lastmodified>%s</D:lastmodified>", _seconds),
        set=Settable(set_time),
    ),
)
