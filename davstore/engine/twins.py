"""The recognition of a message that is delivered again, by whichever way: its twin is there already.

Both have one identity (`policy.threading`) and carry the same. What has one identity and carries something else is
another message, which is kept too.
"""

from __future__ import annotations

import contextlib

from davstore.engine.entities import carry_the_same
from davstore.engine.writer import Writer
from davstore.errors import CorruptBlob
from davstore.metadata import places, twins
from davstore.metadata.bodies import Received
from davstore.model.messages import Links
from davstore.model.nodes import Resource
from davstore.policy.threading import THREADED, identities_near


def find_twin(writer: Writer, received: Received) -> Resource | None:
    """Return the twin of a body; None: it has none. A deleted message is none's."""
    facts, stored = received.message, received.stored
    if facts is None or received.type not in THREADED:
        return None
    date_us = writer.context.now_us if facts.date_us is None else facts.date_us
    links = Links(stored.sha256, date_us, *[getattr(facts, field) for field in Links._fields[2:]])
    unit, store = writer.unit, writer.ledger.facts
    for node_id, other in twins.list_candidates(unit, store.id, identities_near(links), stored.sha256):
        with contextlib.suppress(CorruptBlob):
            if carry_the_same(writer, stored, other):
                return places.list_in_store(unit, store, [node_id]).get(node_id)
    return None
