"""ACL: the access control entries of a resource (RFC 3744 §8.1)."""

from __future__ import annotations

from collections.abc import Sequence

from davstore.engine import rights, transaction
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.engine.deciding import decide
from davstore.engine.entries import Who, replace_entries
from davstore.engine.writer import Writer
from davstore.errors import NotFound
from davstore.metadata import aces, bindings
from davstore.metadata.unit import Unit
from davstore.model.acl import AskedAce, KnownAce
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import Path


def set_acl(
    context: Context, path: Path, asked: Sequence[tuple[Who, AskedAce]], conditions: Preconditions = NONE
) -> Resource:
    """Replace the own entries of a resource by others, each with the principal that it names.

    An entry that leaves out its expiry or its filter keeps that of a live one alike (docs/sharing.md).

    Raises:
        NotFound, NeedPrivileges, PreconditionFailed, Locked; AllowedPrincipal: no entry may be for a principal.
        RecognizedPrincipal: one is not there. ExpiryInFuture: an entry has expired.
    """

    def work(writer: Writer) -> Resource:
        resource = decide(writer, "ACL", path, conditions).get()
        return replace_entries(writer, path, resource, asked)

    return transaction.write(context, path, work)


def list_aces(context: Context, path: Path, conditions: Preconditions = NONE) -> list[KnownAce]:
    """Return the entries that hold for a resource, its own before those that it inherits.

    Raises:
        NotFound, NeedPrivileges, PreconditionFailed.
    """

    def work(unit: Unit) -> list[KnownAce]:
        facts, place, _ = bindings.find(unit, path)
        rights.require(context, unit, facts, path, place, "read the ACL")
        require_list(context, unit, facts, conditions)
        if place.resource is None:
            raise NotFound(path.name)
        node_id = place.resource.node_id
        return aces.list_acls(unit, facts, [node_id], now_us=context.now_us).get(node_id, [])

    return context.services.database.read(work)
