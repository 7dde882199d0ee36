"""Lists of users: principals that hold others (RFC 3744 §4.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, delete, insert, literal_column, or_, select, update

from davstore.metadata import aces, memberships, principals, viewers
from davstore.metadata.statements import Statement, Write, among, array
from davstore.metadata.tables import LIST, list_, membership, principal
from davstore.metadata.unit import Unit
from davstore.model.principals import NamedPrincipal, PrincipalList

_is_list = principal.c.kind == literal_column(str(LIST))
_LISTS = Statement(
    select(principal.c.id, principal.c.name, list_.c.kind, list_.c.displayname)
    .select_from(principal.join(list_, list_.c.principal_id == principal.c.id))
    .where(_is_list, principal.c.owner_id == bindparam("user_id"))
    .order_by(principal.c.name),
    PrincipalList,
)
_MEMBERS = Statement[tuple[int, int]](
    select(membership.c.list_id, membership.c.member_id)
    .where(among(membership.c.list_id, bindparam("ids")))
    .order_by(membership.c.list_id, membership.c.member_id)
)
_NESTED = Statement[tuple[int, int]](
    select(membership.c.list_id, membership.c.member_id)
    .select_from(membership.join(principal, principal.c.id == membership.c.member_id))
    .where(among(membership.c.list_id, bindparam("ids")), _is_list)
)
_ADD = Write(insert(list_).values({column.name: bindparam(column.name) for column in list_.c}))
_LABEL = Write(
    update(list_)
    .where(list_.c.principal_id == bindparam("of"))
    .values(kind=bindparam("kind"), displayname=bindparam("displayname"))
)
_EMPTY = Write(delete(membership).where(membership.c.list_id == bindparam("list_id")))
_HOLD = Write(insert(membership).values(list_id=bindparam("list_id"), member_id=bindparam("member_id")))
_ids: ColumnElement[Any] = bindparam("ids")
_LEAVE = Write(delete(membership).where(or_(among(membership.c.list_id, _ids), among(membership.c.member_id, _ids))))
_REMOVE_ROWS = Write(delete(list_).where(among(list_.c.principal_id, _ids)))
_REMOVE_PRINCIPALS = Write(delete(principal).where(among(principal.c.id, _ids), _is_list))


class Nesting(NamedTuple):
    """A list that is a member of another."""

    list_id: int
    member_id: int


def list_lists(unit: Unit, user_id: int) -> list[PrincipalList]:
    """Return the lists of a user by name."""
    return unit.all(_LISTS, {"user_id": user_id})


def list_members(unit: Unit, list_ids: Collection[int]) -> dict[int, list[NamedPrincipal]]:
    """Return the members of lists, with two statements."""
    rows = unit.all(_MEMBERS, {"ids": array(list_ids)})
    names = memberships.find_names(unit, {member_id for _, member_id in rows})
    found: dict[int, list[NamedPrincipal]] = {list_id: [] for list_id in list_ids}
    for list_id, member_id in rows:
        found[list_id].append(names[member_id])
    return found


def list_nestings(unit: Unit, list_ids: Collection[int]) -> list[Nesting]:
    """Return the lists that are members of some lists."""
    return [Nesting(*row) for row in unit.all(_NESTED, {"ids": array(list_ids)})]


def add_list(unit: Unit, user_id: int, name: str) -> PrincipalList:
    """Write a new list of a user, without members. The caller has checked that the name is free."""
    added = PrincipalList(principals.add_principal(unit, LIST, name, owner_id=user_id), name)
    unit.run(_ADD, {"principal_id": added.id, "kind": added.kind, "displayname": added.displayname})
    return added


def set_labels(unit: Unit, found: PrincipalList) -> None:
    """Write the kind and the name for people of a list."""
    unit.run(_LABEL, {"of": found.id, "kind": found.kind, "displayname": found.displayname})


def set_members(unit: Unit, list_id: int, member_ids: Iterable[int]) -> None:
    """Replace the members of a list."""
    unit.run(_EMPTY, {"list_id": list_id})
    unit.many(_HOLD, [{"list_id": list_id, "member_id": member_id} for member_id in member_ids])


def remove_list(unit: Unit, list_id: int) -> None:
    """End a list, with the access control entries that name it: another principal may get its number."""
    _forget(unit, [list_id], [list_id])


def remove_user(unit: Unit, user_id: int) -> None:
    """End the lists of a user, and take it out of those of others, with all that names these in stores."""
    viewers.forget(unit, user_id)
    list_ids = [one.id for one in list_lists(unit, user_id)]
    _forget(unit, list_ids, [user_id, *list_ids])


def _forget(unit: Unit, list_ids: Collection[int], ids: Collection[int]) -> None:
    aces.forget(unit, ids)
    unit.run(_LEAVE, {"ids": array(ids)})
    unit.run(_REMOVE_ROWS, {"ids": array(list_ids)})
    unit.run(_REMOVE_PRINCIPALS, {"ids": array(list_ids)})
