"""POST to the place where members are added to a collection: the server names the new one (RFC 5995 §3)."""

from __future__ import annotations

from davstore.engine import transaction
from davstore.engine.context import Context
from davstore.engine.deciding import decide_addition
from davstore.engine.naming import find_free, find_name
from davstore.engine.receiving import Incoming, receive
from davstore.engine.sessions import require_one_info
from davstore.engine.writer import Writer
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import Path


def add_member(
    context: Context,
    collection: Path,
    body: Incoming,
    conditions: Preconditions = NONE,
    *,
    suggested: str = "",
    modified_us: int | None = None,
) -> Resource:
    """Store a body whole as a new member of a collection, which is named as suggested as far as that is free.

    Raises:
        As `decide_addition`. Malformed: the body is cut short, or not what its integrity fields say; nothing is stored.
        SessionInfoUnique: it would be the second one of a session history.
        QuotaExceeded, DiskFull: no room.
    """

    def check(writer: Writer) -> int:
        decide_addition(writer, collection, conditions)
        return 0

    def work(writer: Writer) -> Resource:
        place = decide_addition(writer, collection, conditions)
        name, media_type = find_name(suggested, received, body.media_type)
        member = find_free(writer, collection, place, name)
        require_one_info(writer, member, received.type)
        return writer.make(member, received, content_type=media_type, modified_us=modified_us)

    with receive(context, collection, body, check) as received:
        return transaction.write(context, collection, work)
