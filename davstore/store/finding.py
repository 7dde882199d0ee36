"""The principals that access control entries may name."""

from __future__ import annotations

from collections.abc import Collection

from davstore.metadata import memberships
from davstore.metadata.database import Database
from davstore.model.principals import NamedPrincipal


def list_named(database: Database, names: Collection[NamedPrincipal]) -> list[NamedPrincipal]:
    """Return those of some principals that are there, in their order."""
    known = database.look(lambda unit: memberships.find_ids(unit, names))
    return [one for one in names if one in known]
