"""The loaders of facets: ids in, values by node out, one statement each (or two)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from davstore.metadata.aces import list_acls
from davstore.metadata.answers import list_answers
from davstore.metadata.bodies import list_checksums
from davstore.metadata.conversations import list_conversations, list_participants, list_sessions, list_threads
from davstore.metadata.dispositions import list_dispositions
from davstore.metadata.locks import list_locks
from davstore.metadata.messages import list_messages, list_summaries
from davstore.metadata.properties import list_properties
from davstore.metadata.sessions import list_group_states
from davstore.metadata.states import list_keywords
from davstore.metadata.twins import list_originals
from davstore.metadata.unit import Unit
from davstore.model.facets import (
    ACL,
    ANSWERS,
    CHECKSUMS,
    CONVERSATION,
    DISPOSITIONS,
    GROUP_STATE,
    KEYWORDS,
    LOCKS,
    MESSAGE,
    NO_FACTS,
    ORIGINAL,
    PARTICIPANTS,
    PROPERTIES,
    SESSIONS,
    SUMMARY,
    THREAD,
    Facet,
    Facets,
    Facts,
)
from davstore.model.locks import Lock
from davstore.model.nodes import StoreFacts

Loader = Callable[[Unit, StoreFacts, Collection[int], int], Mapping[int, Any]]
"""Takes a store, nodes of it and the time; returns the values of those nodes that have one."""


def _list_locks(unit: Unit, store: StoreFacts, _node_ids: Collection[int], now_us: int) -> Mapping[int, Sequence[Lock]]:
    """Return all locks of the store: few, and those that reach a node may have been taken far above it."""
    found: defaultdict[int, list[Lock]] = defaultdict(list)
    for lock in list_locks(unit, store, now_us=now_us) if store.may_hold_locks else ():
        found[lock.node_id].append(lock)
    return found


LOADERS: Final[Mapping[Facet[Any], Loader]] = {
    PROPERTIES: lambda unit, store, node_ids, _now_us: list_properties(unit, store.id, node_ids),
    CHECKSUMS: lambda unit, store, node_ids, _now_us: list_checksums(unit, store.id, node_ids),
    LOCKS: _list_locks,
    MESSAGE: lambda unit, store, node_ids, _now_us: list_messages(unit, store.id, node_ids),
    SUMMARY: lambda unit, store, node_ids, _now_us: list_summaries(unit, store.id, node_ids),
    KEYWORDS: lambda unit, store, node_ids, _now_us: list_keywords(unit, store.id, node_ids),
    THREAD: lambda unit, store, node_ids, _now_us: list_threads(unit, store.id, node_ids),
    PARTICIPANTS: lambda unit, store, node_ids, _now_us: list_participants(unit, store.id, node_ids),
    CONVERSATION: lambda unit, store, node_ids, _now_us: list_conversations(unit, store.id, node_ids),
    GROUP_STATE: lambda unit, store, node_ids, _now_us: list_group_states(unit, store, node_ids),
    SESSIONS: lambda unit, store, node_ids, _now_us: list_sessions(unit, store, node_ids),
    ANSWERS: lambda unit, store, node_ids, _now_us: list_answers(unit, store, node_ids),
    ORIGINAL: lambda unit, store, node_ids, _now_us: list_originals(unit, store, node_ids),
    ACL: lambda unit, store, node_ids, now_us: list_acls(unit, store, node_ids, now_us=now_us),
    DISPOSITIONS: lambda unit, store, node_ids, _now_us: list_dispositions(unit, store.id, node_ids),
}


def load(unit: Unit, store: StoreFacts, facets: Facets, node_ids: Collection[int], *, now_us: int) -> Facts:
    """Return the facets that are asked for of nodes of a store.

    Raises:
        LimitNotSupported: they have more dead properties than one answer may hold.
    """
    if not facets or not node_ids:
        return NO_FACTS
    return Facts({facet: LOADERS[facet](unit, store, node_ids, now_us) for facet in facets})
