"""COPY and MOVE within a store: all of a tree or nothing, in one unit (RFC 4918 §9.8, §9.9)."""

from __future__ import annotations

from typing import NamedTuple

from davstore.engine import transaction, trees
from davstore.engine.context import Context
from davstore.engine.deciding import decide_both
from davstore.engine.sessions import require_one_info
from davstore.engine.writer import Member, Writer
from davstore.model.conditions import NONE, Preconditions
from davstore.model.paths import Path


class Placed(NamedTuple):
    """Whether the destination was unmapped, and whether a collection came there."""

    created: bool
    is_collection: bool


def move(
    context: Context,
    source: Path,
    destination: Path,
    conditions: Preconditions = NONE,
    *,
    overwrite: bool,
    depth: int | None = None,
    modified_us: int | None = None,
) -> Placed:
    """Bind a resource, with all that lies beneath it, to another place.

    It keeps its modification time unless the client says when it was modified.

    Raises:
        NotFound, ParentMissing, NameNotAllowed, PreconditionFailed.
        Locked: a lock is in the way. Locks do not move: those of the source end (RFC 4918 §7.6).
        IsRoot: source or destination is the root.
        SourceIsDestination: one of the places lies in the other.
        ForeignDestination: the destination is in another store.
        SessionInfoUnique: it would be the second session info of a session history.
        Malformed: a collection, and a depth that is not infinity (None).
        TreeTooLarge: at the destination lies more than one request may take away. The moved tree has no bound.
    """

    def work(writer: Writer) -> Placed:
        old, new = decide_both(writer, "MOVE", source, destination, conditions, overwrite=overwrite, depth=depth)
        _require_one_info(writer, old, new)
        writer.rebind(old, new, modified_us=modified_us)
        return _placed(old, new)

    return transaction.write(context, source, work)


def copy(
    context: Context,
    source: Path,
    destination: Path,
    conditions: Preconditions = NONE,
    *,
    overwrite: bool,
    depth: int | None = None,
    modified_us: int | None = None,
) -> Placed:
    """Make new resources with the bodies and dead properties of others.

    Depth 0 copies a collection without its members. Bodies are shared, not copied, and charged again. The copies are
    modified now; when the client says when, the one at the destination was modified then.

    Raises:
        As move, and QuotaExceeded. Malformed: a collection, and depth 1.
    """

    def work(writer: Writer) -> Placed:
        old, new = decide_both(writer, "COPY", source, destination, conditions, overwrite=overwrite, depth=depth)
        require_one_info(writer, new, old.get().type)
        trees.copy(writer, old, new, recursive=depth is None, modified_us=modified_us)
        return _placed(old, new)

    return transaction.write(context, source, work)


def _require_one_info(writer: Writer, old: Member, new: Member) -> None:
    """Raise SessionInfoUnique for a session info that comes from elsewhere: a new name in its place is no second."""
    if old.parent_id != new.parent_id:
        require_one_info(writer, new, old.get().type)


def _placed(old: Member, new: Member) -> Placed:
    return Placed(new.resource is None, bool(old.get().is_collection))
