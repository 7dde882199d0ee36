"""DELETE: a resource with all beneath it, at once (RFC 4918 §9.6)."""

from __future__ import annotations

from davstore.engine import transaction
from davstore.engine.context import Context
from davstore.engine.deciding import decide
from davstore.engine.writer import Writer
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import Path


def delete(context: Context, path: Path, conditions: Preconditions = NONE, *, depth: int | None = None) -> Resource:
    """Delete a resource, or a collection with all that lies beneath it; return the deleted one.

    depth None is infinity.

    Raises:
        NotFound, PreconditionFailed, Locked, TreeTooLarge; IsRoot: the root of a store stays.
        Malformed: a collection, and another depth.
    """

    def work(writer: Writer) -> Resource:
        member = decide(writer, "DELETE", path, conditions, depth=depth)
        return writer.unbind(member)

    return transaction.write(context, path, work)
