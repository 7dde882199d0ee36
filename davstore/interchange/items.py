"""The values that pass between the forms of other programs and a store: what comes in, and what goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from davstore.model.states import NO_CHANGE, StateChange


class Stream(Protocol):
    """The bytes of an item. read returns b'' only at their true end, and raises Malformed when they are damaged."""

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes."""


class Item(NamedTuple):
    """A file or a message of a source.

    folder holds the names from the top of the source down. name is legal in a store; None: the item has no name of its
    own. length is None where it is not known before the end. where names the item to people, source_bytes is its share
    of the source. Times are microseconds since the epoch.
    """

    folder: tuple[str, ...]
    name: str | None
    where: str
    open: Callable[[], AbstractContextManager[Stream]]
    length: int | None
    source_bytes: int
    modified_us: int | None = None
    states: StateChange = NO_CHANGE


class Folder(NamedTuple):
    """A folder of a source, which may be empty."""

    folder: tuple[str, ...]
    where: str


class LeftOut(NamedTuple):
    """A part of a source that does not come along. is_control: another program's notes, no mail and no file."""

    where: str
    reason: str
    is_control: bool = False
    source_bytes: int = 0


Entry = Item | Folder | LeftOut


class Outgoing(NamedTuple):
    """A resource on its way out of a store. is_mail: it is a message, or calls itself one. flags is a sum of `Flag`."""

    folder: tuple[str, ...]
    name: str
    length: int
    etag: str
    modified_us: int
    flags: int
    keywords: tuple[str, ...]
    is_mail: bool
    pieces: Callable[[], Iterator[bytes]]
