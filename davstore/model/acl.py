"""Access control lists (RFC 3744): privileges as bits, the tree that contains them, and entries.

A privilege that others are judged by is one bit; an aggregate is the bits of all that it contains (RFC 3744 §3.12). So
to hold a privilege is to hold every bit of its mask, and to be denied any of them is to be denied it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, IntFlag
from typing import Final, NamedTuple

from davstore.model.paths import Area
from davstore.model.principals import NamedPrincipal
from davstore.model.where import Where


class Privilege(IntFlag):
    """The bits of privileges, and the masks of aggregates. A mask is named for the privilege in `TREE`."""

    ACCESS = 1 << 0
    COPY = 1 << 1
    LIST_FILTERED = 1 << 2
    LIST_ALL = 1 << 3
    WRITE_CONTENT = 1 << 4
    SET_STATE = 1 << 5
    SET_PROPERTIES = 1 << 6
    CREATE_FOLDER = 1 << 7
    ADD_ITEM = 1 << 8
    UNBIND = 1 << 9
    MOVE = 1 << 10
    RENAME = 1 << 11
    DELETE = 1 << 12
    UNLOCK = 1 << 13
    READ_ACL = 1 << 14
    READ_OWN = 1 << 15
    WRITE_ACL = 1 << 16
    SHARE_REFERENCE = 1 << 17
    READ_LOG = 1 << 18

    LIST = LIST_FILTERED | LIST_ALL
    READ = ACCESS | COPY | LIST
    WRITE_PROPERTIES = SET_STATE | SET_PROPERTIES
    BIND = CREATE_FOLDER | ADD_ITEM
    FOLDER = CREATE_FOLDER | LIST
    WRITE = WRITE_CONTENT | WRITE_PROPERTIES | BIND | UNBIND | MOVE | RENAME | DELETE
    ALL = READ | WRITE | UNLOCK | READ_ACL | READ_OWN | WRITE_ACL | SHARE_REFERENCE | READ_LOG


NOTHING: Final = Privilege(0)


class Supported(NamedTuple):
    """A privilege that is supported: whether its name is in `DAV:`, its description, and those that it contains."""

    name: str
    privilege: Privilege
    description: str
    contains: tuple[Supported, ...] = ()
    is_dav: bool = False


_LIST: Final = Supported(
    "list",
    Privilege.LIST,
    "List the members of a collection",
    (Supported("list-filtered", Privilege.LIST_FILTERED, "List members within a filter"),),
)
_CREATE_FOLDER: Final = Supported("create-folder", Privilege.CREATE_FOLDER, "Make a collection in a collection")
TREE: Final = Supported(
    "all",
    Privilege.ALL,
    "Any operation",
    (
        Supported(
            "read",
            Privilege.READ,
            "Read, copy and list",
            (
                Supported("access", Privilege.ACCESS, "Open, and read properties"),
                Supported("copy", Privilege.COPY, "Copy to another place"),
                _LIST,
            ),
            is_dav=True,
        ),
        Supported(
            "write",
            Privilege.WRITE,
            "Change content, properties and members",
            (
                Supported("write-content", Privilege.WRITE_CONTENT, "Replace the content", is_dav=True),
                Supported(
                    "write-properties",
                    Privilege.WRITE_PROPERTIES,
                    "Set and remove properties",
                    (Supported("set-state", Privilege.SET_STATE, "Set states, such as seen, and keywords"),),
                    is_dav=True,
                ),
                Supported(
                    "bind",
                    Privilege.BIND,
                    "Add members to a collection",
                    (
                        _CREATE_FOLDER,
                        Supported("add-item", Privilege.ADD_ITEM, "Add a non-collection to a collection"),
                    ),
                    is_dav=True,
                ),
                Supported("unbind", Privilege.UNBIND, "Remove members from a collection", is_dav=True),
                Supported("move", Privilege.MOVE, "Move to another collection"),
                Supported("rename", Privilege.RENAME, "Rename within its collection"),
                Supported("delete", Privilege.DELETE, "Delete"),
            ),
            is_dav=True,
        ),
        Supported("unlock", Privilege.UNLOCK, "Remove the lock of another principal", is_dav=True),
        Supported("read-acl", Privilege.READ_ACL, "Read the access control list", is_dav=True),
        Supported(
            "read-current-user-privilege-set", Privilege.READ_OWN, "Read the privileges that one has", is_dav=True
        ),
        Supported("write-acl", Privilege.WRITE_ACL, "Change the access control list", is_dav=True),
        Supported("share-reference", Privilege.SHARE_REFERENCE, "Make a reference for others"),
        Supported("read-log", Privilege.READ_LOG, "Read the record of actions"),
        Supported("folder", Privilege.FOLDER, "Make collections and list members", (_CREATE_FOLDER, _LIST)),
    ),
    is_dav=True,
)
"""The privileges that are supported, none of them abstract. One may stand beneath several (RFC 3744 §3.12)."""


def each_supported(top: Supported = TREE) -> Iterator[Supported]:
    """Yield a privilege and all that it contains, the containing ones first."""
    yield top
    for one in top.contains:
        yield from each_supported(one)


AUTHENTICATED: Final = -1
"""The principals of an entry that are no rows: every user (RFC 3744 §5.5.1)."""
OWNER: Final = -2
"""The owner of the resource, as `DAV:property` names it."""
SELF: Final = -3
"""The principal that the resource is; resources of stores are none."""


class Ace(NamedTuple):
    """An entry: the number of a principal, and the privileges that it grants or denies.

    expires_us is the time from which on it does not hold, in microseconds; None: it holds for good. filter bounds the
    listings of its principal (`C:list-filtered`).
    """

    principal_id: int
    denies: bool
    privileges: int
    expires_us: int | None = None
    filter: Where | None = None

    def holds(self, now_us: int) -> bool:
        """Tell whether the entry has not expired."""
        return self.expires_us is None or now_us < self.expires_us


class Word(Enum):
    """The principals that a request may name otherwise than by href (RFC 3744 §5.5.1)."""

    ALL = "all"
    AUTHENTICATED = "authenticated"
    UNAUTHENTICATED = "unauthenticated"
    OWNER = "owner"
    SELF = "self"
    PROPERTY = "property"
    """A property other than `D:owner`."""


class Kept(Enum):
    """Said of a part of an entry that a request leaves out: a live entry alike keeps its own (docs/sharing.md)."""

    KEPT = "kept"


class AskedAce(NamedTuple):
    """An entry as a request has it. who is an href as it was sent, or a word; None: for good, or without a filter."""

    who: str | Word
    denies: bool
    privileges: int
    expires_us: int | Kept | None = Kept.KEPT
    filter: Where | Kept | None = Kept.KEPT


class KnownAce(NamedTuple):
    """An entry with its principal by name, and where it stands, if it is inherited: an area, and names in it."""

    who: NamedPrincipal | Word
    ace: Ace
    inherited: tuple[Area, tuple[str, ...]] | None = None


WORDS: Final = {AUTHENTICATED: Word.AUTHENTICATED, OWNER: Word.OWNER, SELF: Word.SELF}
"""The words of the principals that are no rows."""


class Rights(NamedTuple):
    """The bits that entries grant an asker on a resource and those that they deny; a deny wins."""

    granted: int
    denied: int = 0

    def has(self, privilege: int) -> bool:
        """Tell whether every bit of a privilege is granted, and none of them denied."""
        return self.granted & ~self.denied & privilege == privilege

    def with_(self, other: Rights) -> Rights:
        """Return what both grant and deny."""
        return Rights(self.granted | other.granted, self.denied | other.denied)


NONE: Final = Rights(0)
EVERYTHING: Final = Rights(int(Privilege.ALL))
"""Those of an owner: its protected entry comes before any that denies."""
