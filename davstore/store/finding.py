"""The principals that access control entries may name."""

from __future__ import annotations

from collections.abc import Collection

from davstore.engine.context import Context
from davstore.metadata import memberships
from davstore.model.principals import NamedPrincipal


def list_named(context: Context, names: Collection[NamedPrincipal]) -> list[NamedPrincipal]:
    """Return those of some principals that are there, in their order."""
    known = context.services.database.look(lambda unit: memberships.find_ids(unit, names))
    return [one for one in names if one in known]
