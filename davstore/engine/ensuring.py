"""Collections that are made on the way to a member, as far as they are not there."""

from __future__ import annotations

from collections.abc import Container

from davstore.engine.deciding import decide
from davstore.engine.writer import Writer
from davstore.errors import AlreadyExists, TreeTooLarge
from davstore.metadata import bindings
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import ResourceType
from davstore.model.paths import Path
from davstore.protocol.urls import MAX_NAMES


def ensure_collection(
    writer: Writer,
    home: Path,
    known: set[Path],
    *,
    sessions: Container[Path] = (),
    submitted: Preconditions = NONE,
) -> None:
    """Make a collection and those above it, as far as they are not there; known are those that are.

    Those among sessions become session histories. Of submitted only the lock tokens count.

    Raises:
        AlreadyExists: a file has the name of one. Locked, NameNotAllowed, TreeTooLarge.
    """
    if home in known:
        return
    if len(home.names) >= MAX_NAMES:
        raise TreeTooLarge("it lies too deep")
    for count in range(len(home.names) + 1):
        path = home._replace(names=home.names[:count])
        if path not in known:
            there = bindings.resolve(writer.unit, writer.ledger.facts, path).resource
            if there is None:
                member = decide(writer, "MKCOL", path, submitted=submitted)
                type_ = ResourceType.SESSION_HISTORY if path in sessions else ResourceType.COLLECTION
                writer.make(member, type_=type_)
            elif not there.is_collection:
                raise AlreadyExists(path.name)
            known.add(path)
