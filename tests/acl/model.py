"""Rights by the words of RFC 3744 and of `docs/sharing.md` alone: an oracle that shares no code with davstore.

A store is a dictionary of folders and files; a path is a string such as `a/b`, the root is empty. Privileges have
their local names, for none is in two namespaces. All is slow and naive on purpose.

The standard and the description leave these readings; here they are taken so:

- The owner's protected entry comes first, then all denies, own and inherited, then all grants (RFC 3744 §6 leaves the
  order to the server). So a deny of a folder above stands over a grant of the member itself.
- An aggregate is each of the privileges in it (§3): one who is denied `set-state` has no `write-properties`.
- LOCK of an unmapped URL needs what PUT needs there: of `bind` the part that makes a file (Appendix B).
- `delete`, `move` and `rename` come also from `unbind` of the parent, and are denied by a deny of either (Appendix B).
  A refusal names each of the two that the asker does not hold, and may name the other.
- A COPY over something needs what a COPY to a new name needs, and `write-content` and `write-properties` of that.
- A MOVE within a folder needs no right to add, but a deny of that denies it (Appendix B), for it makes a name.
- Of COPY and MOVE the source is judged first; what lacks at the destination may be named too (§7.1.1).
- A listing without `list` tells the collection alone, PROPFIND and GET alike.
- PUT and all others that could make something are refused, at the name of something hidden, as if it were not there and
  the asker had no right to make it; LOCK too, else hidden and missing names could be told apart (§3). Nothing can be
  made in a folder that is hidden.
- OPTIONS tells an owner what could be made at a name that is not there; to others it is 404 there, as at a hidden one.
- A tree is copied or deleted if each member may be; a member in the way is named only if the tree itself is not.
- A 404 about the place of a new name may be a 409, as where there is no parent (RFC 4918 §9.7.1, §9.8.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

TREE = {
    "all": (
        *("read", "write", "unlock", "read-acl", "read-current-user-privilege-set", "write-acl"),
        *("share-reference", "read-log", "folder"),
    ),
    "read": ("access", "copy", "list"),
    "list": ("list-filtered",),
    "write": ("write-content", "write-properties", "bind", "unbind", "move", "rename", "delete"),
    "write-properties": ("set-state",),
    "bind": ("create-folder", "add-item"),
    "folder": ("create-folder", "list"),
}
"""The privileges in each aggregate."""
CONTAINERS = frozenset({"all", "read", "write", "bind", "folder"})
"""The aggregates that are nothing but what they contain."""
STANDARD = frozenset(
    {"all", "read", "write", "write-content", "write-properties", "bind", "unbind", "unlock"}
    | {"read-acl", "write-acl", "read-current-user-privilege-set"}
)
"""The privileges of RFC 3744; the others are davstore's."""
OF_COLLECTIONS = frozenset({"list", "list-filtered", "bind", "create-folder", "add-item", "unbind", "folder"})
"""The privileges that only a collection can give."""

LEAVING = frozenset({"delete", "move", "rename"})
"""The privileges on a member that `unbind` of its parent gives too."""

Lack = tuple[str, str]
"""The path of a resource, and the privilege on it that is missing."""


def closure(privilege: str) -> frozenset[str]:
    """Return a privilege and all that it contains."""
    return frozenset({privilege}).union(*map(closure, TREE.get(privilege, ())))


PRIVILEGES = tuple(sorted(closure("all")))


class Ace(NamedTuple):
    """An entry for `user:NAME`, `list:NAME`, `group:NAME`, `authenticated` or `owner`, that holds before `expires`."""

    who: str
    privileges: frozenset[str]
    deny: bool = False
    expires: float | None = None

    @property
    def names(self) -> frozenset[str]:
        """All that it grants or denies, aggregates too."""
        return frozenset().union(*map(closure, self.privileges))


class Store(NamedTuple):
    """The store of an owner at a time: whether each path is a folder, entries of paths, and the members of lists."""

    owner: str
    folders: Mapping[str, bool]
    aces: Mapping[str, Sequence[Ace]] = {}
    lists: Mapping[str, frozenset[str]] = {}
    now: float = 0


class Outcome(NamedTuple):
    """An answer: 200 for any success, 404, or 403 with what is lacking, and what may be named beside.

    `place`: the 404 is about the place of a new name. `rows` are those of a multistatus or a list.
    """

    status: int
    lacks: frozenset[Lack] = frozenset()
    also: frozenset[Lack] = frozenset()
    place: bool = False
    rows: Mapping[str, Outcome] | None = None


DONE, MISSING, NO_PLACE = Outcome(200), Outcome(404), Outcome(404, place=True)


def parent_of(path: str) -> str:
    """Return the path of the folder that holds a path."""
    return path.rpartition("/")[0]


def chain(path: str) -> list[str]:
    """Return a path and all folders above it, from it to the root."""
    return [path, *(chain(parent_of(path)) if path else ())]


class Rights:
    """The rights of one asker in a store."""

    def __init__(self, store: Store, asker: str) -> None:
        self.store, self.asker = store, asker
        self._groups = _groups_of(f"user:{asker}", store.lists)

    def _entries(self, path: str, *, deny: bool) -> list[Ace]:
        """Return the entries, own and inherited, that are about the asker now."""
        found = [ace for place in chain(path) for ace in self.store.aces.get(place, ())]
        return [ace for ace in found if ace.deny == deny and self._matches(ace) and not self._expired(ace)]

    def _matches(self, ace: Ace) -> bool:
        if ace.who == "owner":
            return self.asker == self.store.owner
        return ace.who in ("authenticated", f"user:{self.asker}") or ace.who in self._groups

    def _expired(self, ace: Ace) -> bool:
        return ace.expires is not None and ace.expires <= self.store.now

    def denied(self, privilege: str, path: str) -> bool:
        """Tell whether an entry denies a privilege, by its name or by that of an aggregate."""
        if self.asker == self.store.owner:
            return False
        return any(privilege in ace.names for ace in self._entries(path, deny=True))

    def holds(self, privilege: str, path: str) -> bool:
        """Tell whether the asker has a privilege on a path, and all that it contains."""
        if self.asker == self.store.owner:
            return True
        return all(self._granted(one, path) and not self.denied(one, path) for one in closure(privilege) - CONTAINERS)

    def _granted(self, privilege: str, path: str) -> bool:
        if any(privilege in ace.names for ace in self._entries(path, deny=False)):
            return True
        return privilege in LEAVING and path != "" and self.holds("unbind", parent_of(path))

    def hidden(self, path: str) -> bool:
        """Tell whether the asker may not even know of a path: nothing opens it, and no list shows it."""
        if self.holds("access", path):
            return False
        return self.denied("access", path) or not path or not self.holds("list", parent_of(path))

    def sees(self, path: str) -> bool:
        """Tell whether something is at a path and not hidden."""
        return path in self.store.folders and not self.hidden(path)

    def lacks(self, path: str, *privileges: str) -> set[Lack]:
        """Return the privileges on a path that the asker does not have."""
        return {(path, one) for one in privileges if not self.holds(one, path)}

    def lacks_leaving(self, privilege: str, path: str) -> set[Lack]:
        """Return the lack of a right to take a member away, from it or from its parent."""
        parent = parent_of(path)
        if self.holds(privilege, path) and not self.denied("unbind", parent):
            return set()
        return self.lacks(path, privilege) | self.lacks(parent, "unbind")

    def privilege_set(self, path: str) -> frozenset[str]:
        """Return the privileges that the asker holds, aggregates and what they contain (RFC 3744 §5.4)."""
        return frozenset(one for one in PRIVILEGES if self.holds(one, path))


def _groups_of(member: str, lists: Mapping[str, frozenset[str]]) -> set[str]:
    """Return the lists that a member is in, and those that these are in."""
    own = {name for name, members in lists.items() if member in members}
    return own.union(*(_groups_of(name, lists) for name in own))


READING = {
    **dict.fromkeys(("OPTIONS", "GET", "HEAD", "GET part", "PROPFIND 0", "expand-property"), ("access",)),
    "sync-collection": ("access", "list"),
    "PROPPATCH property": ("write-properties",),
    "PROPPATCH state": ("set-state",),
    "ACL": ("write-acl",),
    "UNLOCK": ("unlock",),
    "POST add": ("add-item",),
}
"""The methods whose rights are of the resource itself."""
PROPERTIES = {"PROPFIND acl": "read-acl", "PROPFIND privileges": "read-current-user-privilege-set"}
"""The questions for properties that have a privilege of their own, and that."""
MAKING = {"PUT": "add-item", "MKCOL": "create-folder", "LOCK": "add-item"}
"""The methods that change a resource, or make one where there is none: the right on it, and the one on its parent."""


def expected(store: Store, asker: str, method: str, path: str, to: str | Sequence[str] = "") -> Outcome:
    """Return the answer to a method at a path. `to` is the destination, or the paths that a body names."""
    rights = Rights(store, asker)
    if method in MAKING:
        return _make(rights, method, path)
    if not rights.sees(path):
        return DONE if method == "OPTIONS" and asker == store.owner else MISSING
    if method in READING:
        return _refuse_for(rights.lacks(path, *READING[method]))
    if method == "PROPPATCH both":
        return _refuse_for(rights.lacks(path, "write-properties"), {(path, "set-state")})
    if method == "DELETE":
        return _delete(rights, path)
    if method in ("COPY", "MOVE"):
        assert isinstance(to, str)
        return _transfer(rights, method, path, to)
    if lacks := rights.lacks(path, "access"):
        return _refuse_for(lacks)
    if method in PROPERTIES:
        return Outcome(200, rows={path: DONE if rights.holds(PROPERTIES[method], path) else Outcome(403)})
    if method.startswith(("PROPFIND", "GET")):
        return Outcome(200, rows=_listed(rights, path, deep=method == "PROPFIND infinity"))
    return Outcome(200, rows={one: _row(rights, method, one) for one in to})


def _refuse_for(lacks: set[Lack], also: Iterable[Lack] = ()) -> Outcome:
    return Outcome(403, frozenset(lacks), frozenset(also)) if lacks else DONE


def _make(rights: Rights, method: str, path: str) -> Outcome:
    """PUT, MKCOL and LOCK: of what is there, or of a new name."""
    parent, add = parent_of(path), MAKING[method]
    if rights.sees(path):
        return _refuse_for(rights.lacks(path, "write-content"))
    if rights.hidden(parent):
        return NO_PLACE
    return _refuse_for({(parent, add)} if path in rights.store.folders else rights.lacks(parent, add))


def _delete(rights: Rights, path: str) -> Outcome:
    """DELETE of a resource, or of a tree whose members may all be deleted."""
    for one in [path, *_beneath(rights, path)]:
        if lacks := rights.lacks_leaving("delete", one):
            return _refuse_for(lacks, _either("delete", one))
    return DONE


def _transfer(rights: Rights, method: str, path: str, to: str) -> Outcome:
    """COPY and MOVE: what the source needs, and what its new name needs."""
    parent, add = parent_of(to), "create-folder" if rights.store.folders[path] else "add-item"
    if method == "COPY":
        lacks, also = rights.lacks(path, "copy"), set()
        there = rights.lacks(parent, add, "access")
    else:
        within = parent == parent_of(path)
        leaving = "rename" if within else "move"
        lacks, also = rights.lacks_leaving(leaving, path), _either(leaving, path)
        there = set() if within and not rights.denied(add, parent) else rights.lacks(parent, add)
    if rights.sees(to) and method == "COPY":
        there |= rights.lacks(to, "write-content", "write-properties")
    elif rights.sees(to):
        there |= rights.lacks_leaving("delete", to)
        also |= _either("delete", to)
    elif rights.hidden(parent) and not lacks:
        return NO_PLACE
    elif to in rights.store.folders:
        there.add((parent, add))
    if method == "COPY" and not lacks | there:
        lacks = next(filter(None, (rights.lacks(one, "copy") for one in _beneath(rights, path))), set())
    return _refuse_for(lacks or there, there | also)


def _either(privilege: str, path: str) -> set[Lack]:
    return {(path, privilege), (parent_of(path), "unbind")}


def _beneath(rights: Rights, path: str) -> list[str]:
    return [one for one in sorted(rights.store.folders) if one.startswith(f"{path}/") and not rights.hidden(one)]


def _listed(rights: Rights, path: str, *, deep: bool) -> dict[str, Outcome]:
    """Return the rows of a listing: the collection, and its members if they may be listed."""
    rows = {path: DONE}
    if not rights.store.folders[path] or not rights.holds("list", path):
        return rows
    for one in rights.store.folders:
        if one and parent_of(one) == path and not rights.hidden(one):
            rows[one] = DONE if rights.holds("access", one) else Outcome(403)
            if deep and rows[one] == DONE:
                rows |= _listed(rights, one, deep=True)
    return rows


def _row(rights: Rights, method: str, path: str) -> Outcome:
    """Return the outcome of one resource that a body names."""
    if not rights.sees(path):
        return MISSING
    if method == "bulk-delete":
        return _delete(rights, path)
    return _refuse_for(rights.lacks(path, "access" if method == "multiget" else "set-state"))
