"""The three trees of a device (local, remote, agreed), with one kind of key.

A path is the names from the synchronised root down, as the server spells them, joined by `/`; the root itself is ''
and is never a row. No name holds a `/`: paths that cannot be spelled so are held back before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from davstore.client.states import NO_STATES, States
from davstore.model.states import StateChange


class Stamp(NamedTuple):
    """The stat of a local file: while it is the same, the file need not be read. Times are nanoseconds."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int


class Local(NamedTuple):
    """A file or folder as the scan saw it. digest is the SHA-256 of a file in hex, hashed_ns when it was taken."""

    folder: bool
    digest: str
    stamp: Stamp
    hashed_ns: int


class Remote(NamedTuple):
    """A file or folder as last reported by the server. etag is the entity tag with its quotes, '' for a folder.

    own: this device put it there, and no report has shown it since.
    """

    folder: bool
    etag: str
    length: int = 0
    resource_id: str = ""
    states: States = NO_STATES
    own: bool = False


REMOTE_FOLDER = Remote(folder=True, etag="")


class Agreed(NamedTuple):
    """The entry of both sides when they last were the same."""

    folder: bool
    etag: str
    digest: str
    stamp: Stamp
    hashed_ns: int
    resource_id: str = ""


Entry = TypeVar("Entry")


def parent_of(path: str) -> str:
    """Return the path of the folder that holds path; '' is the root."""
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    """Return the last name of path."""
    return path.rpartition("/")[2]


def join(folder: str, name: str) -> str:
    """Return the path of a member of folder."""
    return f"{folder}/{name}" if folder else name


class Tree(Generic[Entry]):
    """A mapping from path to entry that also knows the members of each folder."""

    def __init__(self, rows: dict[str, Entry] | None = None) -> None:
        self.rows: dict[str, Entry] = {}
        self._members: dict[str, set[str]] = {}
        for path, entry in (rows or {}).items():
            self.put(path, entry)

    def get(self, path: str) -> Entry | None:
        """Return the entry at path, or None."""
        return self.rows.get(path)

    def put(self, path: str, entry: Entry) -> None:
        """Set the entry at path."""
        if path not in self.rows:
            self._members.setdefault(parent_of(path), set()).add(path)
        self.rows[path] = entry

    def drop(self, path: str) -> None:
        """Remove the entry at path, if there is one, and nothing beneath it."""
        if self.rows.pop(path, None) is not None:
            members = self._members[parent_of(path)]
            members.discard(path)
            if not members:
                del self._members[parent_of(path)]

    def walk(self, path: str) -> Iterator[str]:
        """Yield path, if it is a row, and all paths beneath it, each before its members."""
        waiting = [path] if path in self.rows else self.members(path)[::-1]
        while waiting:
            found = waiting.pop()
            yield found
            waiting += reversed(self.members(found))

    def members(self, path: str) -> list[str]:
        """Return the paths directly beneath path, by name."""
        return sorted(self._members.get(path, ()))


@dataclass
class Trees:
    """Everything a plan is made from.

    held: places, with all beneath them, that no plan may touch now: what cannot be synchronised, what failed, and
    what must be asked about again. apart: what could not be moved: a folder goes file by file, a file is sent anew.
    wishes: changes of states for the server, by path. outside: places that the server has and does not show to this
    device, with all beneath them. narrowed: there may be more of these than were told. taken: places outside that
    cannot be written, because the server has something else there. lost: folders outside that are not there after all.
    list_only: no bodies are taken from the server. computed: the server alone says what is where, and takes states and
    deletions only.
    """

    agreed: Tree[Agreed] = field(default_factory=lambda: Tree[Agreed]())
    local: Tree[Local] = field(default_factory=lambda: Tree[Local]())
    remote: Tree[Remote] = field(default_factory=lambda: Tree[Remote]())
    held: set[str] = field(default_factory=set)
    apart: set[str] = field(default_factory=set)
    wishes: dict[str, StateChange] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)
    narrowed: bool = False
    taken: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    list_only: bool = False
    computed: bool = False

    def is_held(self, path: str) -> bool:
        """Tell whether path or a folder above it is held."""
        return is_covered(path, self.held)

    def is_outside(self, path: str) -> bool:
        """Tell whether path or a folder above it is not shown to this device."""
        return is_covered(path, self.outside)


def is_covered(path: str, tops: set[str]) -> bool:
    """Tell whether path or a folder above it is among tops."""
    if not tops:
        return False
    while path:
        if path in tops:
            return True
        path = parent_of(path)
    return "" in tops
