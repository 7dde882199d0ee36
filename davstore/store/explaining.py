"""Explain what a user may do with a resource, by the table and the entries that decide about requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from davstore.engine import reasons, rights
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.engine.reasons import Entries, Explained
from davstore.engine.sight import Sight
from davstore.errors import NotFound
from davstore.errors.rights import RecognizedPrincipal
from davstore.metadata import bindings, principals
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.paths import Path
from davstore.model.principals import Principal


def explain_access(
    context: Context, path: Path, user: str, methods: Sequence[str], conditions: Preconditions = NONE
) -> list[Explained]:
    """Return, for each of some methods of `reasons.ACTS`, whether a user may use it at a path, and why.

    Raises:
        NotFound, NeedPrivileges: as `D:acl` for the asker, who has to be let read entries. PreconditionFailed.
        RecognizedPrincipal: there is no such user.
    """

    def work(unit: Unit) -> list[Explained]:
        facts, place, _ = bindings.find(unit, path)
        rights.require(context, unit, facts, path, place, "read the ACL")
        require_list(context, unit, facts, conditions)
        known = principals.find_credentials(unit, user)
        if known is None:
            raise RecognizedPrincipal(user)
        whose = replace(context, asker=Principal(known.user))
        try:
            sight = rights.find_sight(whose, unit, facts)
        except NotFound:  # no entry names it
            sight = Sight(unit, facts, {})
        entries = None if sight is None else Entries(unit, facts, path, place, sight, now_us=context.now_us)
        return [reasons.explain(entries, path, place, method) for method in methods]

    return context.services.database.read(work)
