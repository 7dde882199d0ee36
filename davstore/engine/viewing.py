"""The visibility of nodes to an asker who does not own the store, from its rights now and what is written of the past.

Rights are judged when the asker reports. What changed since its last report is written down first, each with a change
number of its own: so a grant, a revocation, an expiry and the edit of a list all look alike (docs/sync.md#rights).
"""

from __future__ import annotations

import itertools

from davstore.engine.context import Context
from davstore.engine.sight import Sight
from davstore.engine.writer import Writer
from davstore.metadata import viewers
from davstore.metadata.unit import Unit
from davstore.model.nodes import StoreFacts
from davstore.model.visibility import Hidden
from davstore.sync.visibility import Visibility


class Unsettled(Exception):
    """The rights of an asker have changed, and that has no change numbers yet."""


def find_settled(context: Context, unit: Unit, facts: StoreFacts, sight: Sight) -> Visibility:
    """Return the visibility of nodes to an asker. Raises Unsettled."""
    see = _find(context, unit, facts.id)
    if _judged(see, sight, facts.seq) != see.rows:
        raise Unsettled
    return see


def find_unsettled(context: Context, unit: Unit, facts: StoreFacts, sight: Sight) -> tuple[StoreFacts, Visibility]:
    """Return the visibility of nodes to an asker as `settle` would leave it, and the row of the store."""
    see = _find(context, unit, facts.id)
    rows = _judged(see, sight, facts.seq)
    newest = max((row.until or row.since for row in rows), default=0)
    return facts._replace(seq=max(facts.seq, newest)), Visibility(rows, seen=see.seen)


def settle(writer: Writer) -> None:
    """Write down how the rights of the asker changed."""
    sight, ledger = writer.sight(), writer.ledger
    if sight is None:
        return
    user_id = writer.context.principal.user.id
    see = _find(writer.context, writer.unit, ledger.store_id)
    rows = _judged(see, sight, ledger.seq)
    changed, begun = [row for row in rows if row not in see.rows], ledger.seq
    viewers.add_hidden(writer.unit, ledger.store_id, user_id, [row for row in changed if row.since > begun])
    viewers.end_hidden(writer.unit, ledger.store_id, user_id, [row for row in changed if row.since <= begun])
    for _ in changed:
        ledger.number()


def note_seen(writer: Writer, see: Visibility, seq: int) -> bool:
    """Write down that the asker is told of changes up to a number; False: its rights were judged anew meanwhile.

    What it is told would be of before, and what is hidden since then would count as never shown.
    """
    if _find(writer.context, writer.unit, writer.ledger.store_id).rows != see.rows:
        return False
    viewers.set_seen(writer.unit, writer.ledger.store_id, writer.context.principal.user.id, seq)
    return True


def _find(context: Context, unit: Unit, store_id: int) -> Visibility:
    user_id = context.principal.user.id
    seen = viewers.find_seen(unit, store_id, user_id)
    return Visibility(viewers.list_hidden(unit, store_id, user_id), seen=seen)


def _judged(see: Visibility, sight: Sight, seq: int) -> list[Hidden]:
    """Return the times out of sight as they are now; each that begins or ends takes a number behind seq.

    Beneath a collection that an asker may list, only what denies can hide: grants are inherited.
    """
    wanted = {(node_id, int(hides)) for node_id, hides in sight.hidden()}
    known = {(row.node_id, row.hides) for row in see.rows if row.until is None}
    numbers = itertools.count(seq + 1)
    rows = [
        row._replace(until=next(numbers)) if row.until is None and (row.node_id, row.hides) not in wanted else row
        for row in see.rows
    ]
    return rows + [Hidden(*one, see.seen, next(numbers)) for one in sorted(wanted - known)]
