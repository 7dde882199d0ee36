"""The place of a delivery: the collection that it is filed in, which the first one makes, and the member there."""

from __future__ import annotations

from davstore.engine.deciding import decide
from davstore.engine.writer import Member, Writer
from davstore.errors import AlreadyExists, ParentMissing
from davstore.metadata import places, sessions
from davstore.model.conditions import Preconditions
from davstore.model.messages import MessageFacts
from davstore.model.paths import Path
from davstore.policy import filing


def find_folder(writer: Writer, root: Path, message: MessageFacts | None) -> Path:
    """Return the collection for a message, or for what is none: its session history, else a folder by what it is."""
    session = None if message is None else _find_session(writer, root, message)
    return root.child(filing.find_folder(message)) if session is None else session


def decide_place(writer: Writer, path: Path, conditions: Preconditions) -> Member:
    """Return the member that a delivery may become. Its collection is made where it is not there.

    Raises:
        ParentMissing: a file has the name of the collection. Locked, PreconditionFailed, NameNotAllowed.
    """
    try:
        return decide(writer, "file a delivery", path, conditions)
    except ParentMissing:
        _make_folder(writer, path.parent, conditions)
    return decide(writer, "file a delivery", path, conditions)


def _make_folder(writer: Writer, path: Path, conditions: Preconditions) -> None:
    try:
        member = decide(writer, "make its folder", path, conditions)
    except AlreadyExists as error:
        raise ParentMissing(path.name) from error
    writer.make(member)


def _find_session(writer: Writer, root: Path, message: MessageFacts) -> Path | None:
    """Return the session history of a message; None: it is of no session, or there is none."""
    if message.conversation_id is None or message.contribution_id is None:
        return None
    unit, facts = writer.unit, writer.ledger.facts
    found = sessions.find_sessions(unit, facts.id, [message.conversation_id])
    histories = [one.node_id for one in found if one.contribution_id == message.contribution_id]
    there = places.list_in_store(unit, facts, histories[:1])
    return root._replace(names=there[histories[0]].names) if there else None
