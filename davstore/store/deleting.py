"""DELETE: a resource with all beneath it, at once (RFC 4918 §9.6)."""

from __future__ import annotations

from davstore.engine import transaction
from davstore.engine.context import Context
from davstore.engine.deciding import decide, decide_on_messages
from davstore.engine.writer import Writer
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import Area, Path


def delete(context: Context, path: Path, conditions: Preconditions = NONE, *, depth: int | None = None) -> Resource:
    """Delete a resource, or a collection with all that lies beneath it; return the deleted one.

    In the area of threads that is a message, or all messages of a thread, wherever they lie in the area of the store.
    depth None is infinity.

    Raises:
        NotFound, PreconditionFailed, Locked, TreeTooLarge; IsRoot: the root of a store stays.
        Malformed: a collection, and another depth.
    """

    def work(writer: Writer) -> Resource:
        member = decide(writer, "DELETE", path, conditions, depth=depth)
        if path.area is Area.THREADS:
            writer.unbind_nodes(decide_on_messages(writer, member, conditions))
            return member.get()
        return writer.unbind(member)

    return transaction.write(context, path, work)
