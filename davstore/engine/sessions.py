"""The rule of session histories: each holds at most one session info object, in whatever way a second would come."""

from __future__ import annotations

from davstore.engine.writer import Member, Writer
from davstore.errors import SessionInfoUnique
from davstore.metadata import sessions
from davstore.model.nodes import ResourceType


def require_one_info(writer: Writer, member: Member, type_: int) -> None:
    """Raise SessionInfoUnique where a resource of a type would be the second session info of the session history.

    It costs nothing for any other type. In the place of the one that is there another may come.
    """
    if type_ != ResourceType.SESSION_INFO:
        return
    store_id, name = writer.ledger.store_id, member.path.name
    if sessions.has_session_info(writer.unit, store_id, member.parent_id, beside=name):
        raise SessionInfoUnique(name)
