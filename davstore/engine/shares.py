"""Shares: the tops of all that others opened to an asker, over all stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from itertools import groupby

from davstore.engine.context import Context
from davstore.engine.rights import list_named
from davstore.engine.sight import rights_of
from davstore.metadata.shares import Held
from davstore.metadata.unit import Unit
from davstore.model.acl import AUTHENTICATED, NONE, Ace, Privilege, Rights


def list_shares(context: Context, unit: Unit) -> list[Held]:
    """Return what others opened to the asker: nodes with an entry that grants access to it, its groups or its lists.

    Those beneath others of these are left out, and those that it may not open after all, by store and node.
    """
    found: list[Held] = []
    for _, named in groupby(list_named(context, unit), key=lambda one: one.store_id):
        nodes = {one.node_id: one for one in named}
        own = {node_id: rights_of(one.entries) for node_id, one in nodes.items()}
        opened = [
            one
            for one in nodes.values()
            if _gives_access(one.entries) and _along((*one.above, one.node_id), own).has(Privilege.ACCESS)
        ]
        ids = {one.node_id for one in opened}
        found += [one for one in opened if ids.isdisjoint(one.above)]
    return found


def _along(way: Iterable[int], own: Mapping[int, Rights]) -> Rights:
    """Return the rights at the end of a chain of nodes."""
    return reduce(Rights.with_, [own[node_id] for node_id in way if node_id in own], NONE)


def _gives_access(entries: Iterable[Ace]) -> bool:
    """Tell whether an entry grants access, and not to everybody alike."""
    granting = [one for one in entries if not one.denies and one.principal_id != AUTHENTICATED]
    return any(one.privileges & Privilege.ACCESS for one in granting)
