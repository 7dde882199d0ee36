"""A part of a long listing: how the members are ordered, and where the part before ended."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Sort(enum.Enum):
    """The order of members; collections always come first, and equal members are ordered by name."""

    NAME = "name"
    SIZE = "size"
    TIME = "time"


class Mark(NamedTuple):
    """The last member of a page: the next page begins behind it, whether it is still there or not.

    value is its length or its time of modification in microseconds, as the page is sorted; nothing when by name.
    """

    is_collection: int
    value: int
    name: str


class Moment(NamedTuple):
    """The place of a message or a thread among others by time: its date, in microseconds, and its node."""

    at_us: int
    node_id: int
