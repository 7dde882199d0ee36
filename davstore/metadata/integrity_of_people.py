"""Rows of principals that contradict each other: one statement for each kind of damage."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, and_, exists, or_, select

from davstore.metadata.statements import Statement
from davstore.metadata.tables import (
    DEVICE,
    LIST,
    SERVICE,
    USER,
    device,
    list_,
    membership,
    principal,
    service,
    store,
    user,
)

Found = Statement[tuple[int | str]]
_holder = principal.alias("holder")


def _principals(kind: int, *damaged: ColumnElement[bool]) -> Found:
    return Found(select(principal.c.name).where(principal.c.kind == kind, *damaged))


def _rows(table: FromClause, column: ColumnElement[Any], *damaged: ColumnElement[bool]) -> Found:
    return Found(select(column).select_from(table).where(*damaged))


def _is_principal(column: ColumnElement[Any], kind: int) -> ColumnElement[bool]:
    return exists().where(principal.c.id == column, principal.c.kind == kind)


_is_own = exists().where(
    principal.c.id == membership.c.member_id,
    _holder.c.id == membership.c.list_id,
    or_(principal.c.kind == USER, and_(principal.c.kind == LIST, principal.c.owner_id == _holder.c.owner_id)),
)
DAMAGE: Final[dict[str, Found]] = {
    "user without its principal": _rows(user, user.c.principal_id, ~_is_principal(user.c.principal_id, USER)),
    "user without its store": _rows(
        user.join(principal, principal.c.id == user.c.principal_id),
        principal.c.name,
        ~exists().where(store.c.id == user.c.store_id, store.c.owner == principal.c.name),
    ),
    "principal without its user": _principals(USER, ~exists().where(user.c.principal_id == principal.c.id)),
    "principal without its device": _principals(DEVICE, ~exists().where(device.c.principal_id == principal.c.id)),
    "device without its principal": _rows(device, device.c.id, ~_is_principal(device.c.principal_id, DEVICE)),
    "principal without its service": _principals(SERVICE, ~exists().where(service.c.principal_id == principal.c.id)),
    "service without its principal": _rows(service, service.c.id, ~_is_principal(service.c.principal_id, SERVICE)),
    "principal without its list": _principals(LIST, ~exists().where(list_.c.principal_id == principal.c.id)),
    "list without its principal": _rows(list_, list_.c.principal_id, ~_is_principal(list_.c.principal_id, LIST)),
    "device of no user": _principals(DEVICE, ~exists().where(user.c.principal_id == principal.c.owner_id)),
    "list of no user": _principals(LIST, ~exists().where(user.c.principal_id == principal.c.owner_id)),
    "member of no list": _rows(membership, membership.c.member_id, ~_is_principal(membership.c.list_id, LIST)),
    "member of a list that it cannot be in": _rows(
        membership, membership.c.list_id, _is_principal(membership.c.list_id, LIST), ~_is_own
    ),
}
