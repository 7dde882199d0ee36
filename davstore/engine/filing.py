"""The collection that a delivery is filed in, which the first one makes."""

from __future__ import annotations

from davstore.engine.deciding import decide, resolve
from davstore.engine.writer import Writer
from davstore.errors import ParentMissing
from davstore.metadata import sessions, ways
from davstore.model.conditions import Preconditions
from davstore.model.messages import MessageFacts
from davstore.model.paths import Path
from davstore.policy import filing


def find_folder(writer: Writer, root: Path, message: MessageFacts | None, conditions: Preconditions) -> Path:
    """Return the collection for a message, or for what is none: its session history, else a folder by what it is.

    Raises:
        ParentMissing: a file has the name of the folder. Locked: the folder is not there, and may not be made.
    """
    session = None if message is None else _find_session(writer, root, message)
    if session is not None:
        return session
    folder = root.child(filing.find_folder(message))
    there = resolve(writer, folder, delivers=True).resource
    if there is None:
        writer.make(decide(writer, "make its folder", folder, conditions))
    elif not there.is_collection:
        raise ParentMissing(folder.name)
    return folder


def _find_session(writer: Writer, root: Path, message: MessageFacts) -> Path | None:
    """Return the session history of a message; None: it is of no session, or there is none."""
    if message.conversation_id is None or message.contribution_id is None:
        return None
    unit, facts = writer.unit, writer.ledger.facts
    for one in sessions.find_sessions(unit, facts.id, [message.conversation_id]):
        if one.contribution_id == message.contribution_id and (names := ways.find_names(unit, facts, one.node_id)):
            return root._replace(names=names)
    return None
