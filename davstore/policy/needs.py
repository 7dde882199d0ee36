"""The one table of what each method needs: privileges on the resource at its URL, and on the collection above it.

A method has a row for a URL that is mapped and one for a URL that is not. COPY and MOVE have two URLs, with rows for
each; a MOVE within one collection is a renaming, and has others (RFC 3744 Appendix B, docs/sharing.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple

from davstore.model.acl import Privilege, Rights


class On(Enum):
    """The resources of a URL that needs are on."""

    RESOURCE = "resource"
    PARENT = "parent"


class Need(NamedTuple):
    """A privilege that a method needs.

    removes: it is granted by the privilege on the resource or `D:unbind` on the collection above, and denied by a deny
    of either. adds: for a collection it is `C:create-folder`. beneath: no entry beneath may deny it.
    """

    on: On
    privilege: Privilege
    removes: bool = False
    adds: bool = False
    beneath: bool = False


class Lack(NamedTuple):
    """A privilege that an asker lacks, on the resource of a URL or the collection above."""

    on: On
    privilege: Privilege


_ADD: Final = Need(On.PARENT, Privilege.ADD_ITEM, adds=True)
_REMOVE: Final = Need(On.RESOURCE, Privilege.DELETE, removes=True, beneath=True)
_ENTER: Final = Need(On.PARENT, Privilege.ACCESS)
_ACCESS: Final = Need(On.RESOURCE, Privilege.ACCESS)
_CONTENT: Final = Need(On.RESOURCE, Privilege.WRITE_CONTENT)
_PROPERTIES: Final = Need(On.RESOURCE, Privilege.WRITE_PROPERTIES)
Row = tuple[Need, ...]

MAPPED: Final[Mapping[str, Row]] = {
    "GET": (_ACCESS,),
    "PROPFIND": (_ACCESS,),
    "list": (_ACCESS, Need(On.RESOURCE, Privilege.LIST)),
    "PUT": (_CONTENT,),
    "MKCOL": (Need(On.PARENT, Privilege.CREATE_FOLDER),),
    "DELETE": (_REMOVE,),
    "PROPPATCH": (_PROPERTIES,),
    "set states": (Need(On.RESOURCE, Privilege.SET_STATE),),
    "POST": (_ACCESS,),
    "add": (Need(On.RESOURCE, Privilege.ADD_ITEM),),
    "LOCK": (_CONTENT,),
    "UNLOCK": (),
    "unlock for another": (Need(On.RESOURCE, Privilege.UNLOCK),),
    "read the ACL": (Need(On.RESOURCE, Privilege.READ_ACL),),
    "ACL": (Need(On.RESOURCE, Privilege.WRITE_ACL),),
    "COPY from": (Need(On.RESOURCE, Privilege.COPY, beneath=True),),
    "COPY to": (_ENTER, _ADD, _CONTENT, _PROPERTIES),
    "MOVE from": (Need(On.RESOURCE, Privilege.MOVE, removes=True),),
    "MOVE to": (_ADD, _REMOVE),
    "rename from": (Need(On.RESOURCE, Privilege.RENAME, removes=True),),
    "rename to": (_REMOVE,),
}
"""By method, for a URL that is mapped."""
UNMAPPED: Final[Mapping[str, Row]] = {
    "PUT": (_ADD,),
    "MKCOL": (Need(On.PARENT, Privilege.CREATE_FOLDER),),
    "LOCK": (_ADD,),
    "COPY to": (_ENTER, _ADD),
    "MOVE to": (_ADD,),
    "rename to": (),
}
"""By method, for a URL that is not mapped; a method without a row needs something to be there."""


REACHING: Final[Mapping[str, Privilege]] = {
    method: need.privilege | Privilege.UNBIND if need.removes else need.privilege
    for method, row in MAPPED.items()
    for need in row
    if need.beneath
}
"""The privileges that no entry beneath a collection may deny, by method: what is removed leaves its folder too."""


def list_needed(method: str, *, is_mapped: bool) -> Iterator[tuple[On, Privilege]]:
    """Yield what a method needs, held or not; of what removes both privileges that grant it."""
    for need in (MAPPED if is_mapped else UNMAPPED).get(method, ()):
        yield need.on, need.privilege
        if need.removes:
            yield On.PARENT, Privilege.UNBIND


def find_lacks(
    method: str, parent: Rights, resource: Rights | None, *, makes_collection: bool = False
) -> Iterator[Lack]:
    """Yield what an asker lacks with these rights; resource None: the URL is unmapped.

    makes_collection: a collection comes to the URL, or has another name from now on.
    """
    if resource is None:
        row, resource = UNMAPPED.get(method, ()), parent
    else:
        row = MAPPED[method]
    for need in row:
        privilege = Privilege.CREATE_FOLDER if need.adds and makes_collection else need.privilege
        if need.removes:
            yield from _find_lacks_to_remove(privilege, parent, resource)
        elif not (resource if need.on is On.RESOURCE else parent).has(privilege):
            yield Lack(need.on, privilege)
    added = Privilege.CREATE_FOLDER if makes_collection else Privilege.ADD_ITEM
    if method in ("rename from", "rename to") and parent.denied & added:
        yield Lack(On.PARENT, added)


def _find_lacks_to_remove(privilege: Privilege, parent: Rights, resource: Rights) -> Iterator[Lack]:
    either = resource.granted & privilege == privilege or parent.granted & Privilege.UNBIND
    if either and not (resource.denied & privilege or parent.denied & Privilege.UNBIND):
        return
    if not resource.has(privilege):
        yield Lack(On.RESOURCE, privilege)
    if not parent.has(Privilege.UNBIND):
        yield Lack(On.PARENT, Privilege.UNBIND)


def is_hidden(parent: Rights, resource: Rights) -> bool:
    """Tell whether an asker with these rights may not know of a resource: its name is as if unmapped."""
    if resource.has(Privilege.ACCESS):
        return False
    return not parent.has(Privilege.LIST) or resource.denied & Privilege.ACCESS != 0
