"""Principals by name and by number, and the groups and lists that hold one (RFC 3744 §4.3, §4.4)."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, literal_column, null, select, union_all

from davstore.metadata.statements import InsertOrNothing, Statement, Write, among, among_texts, array
from davstore.metadata.tables import GROUP, LIST, USER, membership, principal
from davstore.metadata.unit import Unit
from davstore.model.principals import NamedPrincipal, PrincipalKind

_KINDS: Final = {USER: PrincipalKind.USER, GROUP: PrincipalKind.GROUP, LIST: PrincipalKind.LIST}


class _Row(NamedTuple):
    id: int
    kind: int
    name: str
    owner: str | None

    def named(self) -> NamedPrincipal:
        return NamedPrincipal(_KINDS[self.kind], self.name, self.owner)


_owner = principal.alias("owner")


def _is(column: ColumnElement[Any], kind: int) -> ColumnElement[bool]:
    return column == literal_column(str(kind))


def _by_name(kind: int, names: str) -> Select[Any]:
    named = _is(principal.c.kind, kind), among_texts(principal.c.name, bindparam(names))
    return select(principal.c.id, principal.c.kind, principal.c.name, null().label("owner")).where(*named)


_lists = (
    select(principal.c.id, principal.c.kind, principal.c.name, _owner.c.name)
    .select_from(_owner.join(principal, principal.c.owner_id == _owner.c.id))
    .where(
        *(_is(_owner.c.kind, USER), among_texts(_owner.c.name, bindparam("owners"))),
        *(_is(principal.c.kind, LIST), among_texts(principal.c.name, bindparam("lists"))),
    )
)
_NAMED = Statement(union_all(_by_name(USER, "users"), _by_name(GROUP, "groups"), _lists), _Row)
_NUMBERED = Statement(
    select(principal.c.id, principal.c.kind, principal.c.name, _owner.c.name)
    .select_from(principal.outerjoin(_owner, _owner.c.id == principal.c.owner_id))
    .where(among(principal.c.id, bindparam("ids")), principal.c.kind.in_(map(literal_column, map(str, _KINDS)))),
    _Row,
)
_ADD_GROUP = Write(InsertOrNothing(principal).values(kind=GROUP, name=bindparam("name"), owner_id=null()).inline())

_first = union_all(
    select(bindparam("me", type_=BigInteger).label("id")),
    select(principal.c.id).where(_is(principal.c.kind, GROUP), among_texts(principal.c.name, bindparam("groups"))),
).subquery()
_mine = select(_first.c.id).cte("mine", recursive=True)
_mine = _mine.union(select(membership.c.list_id).where(membership.c.member_id == _mine.c.id))
MY_PRINCIPALS: Final = select(_mine.c.id)
"""The numbers of a user, of the groups that it is in, and of the lists that hold any of these, at any depth.

Its parameters are me, the number of the user, and groups, the names of its groups as a JSON array.
"""


def find_ids(unit: Unit, names: Collection[NamedPrincipal]) -> dict[NamedPrincipal, int]:
    """Return the numbers of principals, without those that are not there."""
    lists = [one for one in names if one.kind is PrincipalKind.LIST]
    rows = unit.all(
        _NAMED,
        {
            "users": json.dumps([one.name for one in names if one.kind is PrincipalKind.USER]),
            "groups": json.dumps([one.name for one in names if one.kind is PrincipalKind.GROUP]),
            "owners": json.dumps([one.owner for one in lists]),
            "lists": json.dumps([one.name for one in lists]),
        },
    )
    wanted = set(names)
    return {named: row.id for row in rows if (named := row.named()) in wanted}


def find_names(unit: Unit, ids: Collection[int]) -> dict[int, NamedPrincipal]:
    """Return the names of users, groups and lists by their numbers, without those that are not there."""
    return {row.id: row.named() for row in unit.all(_NUMBERED, {"ids": array(ids)})}


def add_groups(unit: Unit, names: Collection[str]) -> None:
    """Give numbers to those of the provider's groups that have none."""
    unit.many(_ADD_GROUP, [{"name": name} for name in names])
