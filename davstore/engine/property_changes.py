"""Changes by PROPPATCH and extended MKCOL: dead properties, states, and the few other live ones that a client may set.

A request changes all of them or none (RFC 4918 §9.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from davstore.engine.writer import PropertyChange, Writer
from davstore.errors import ConflictingValue, DavstoreError, PropertiesRefused, ProtectedProperty, Unprocessable
from davstore.metadata import bodies, properties, states
from davstore.model.nodes import Resource
from davstore.model.states import MOST_KEYWORDS, NO_CHANGE, StateChange, together

NOTHING_REFUSED: Final[Mapping[str, DavstoreError]] = MappingProxyType({})
PROPERTY_BYTES: Final = 1 << 20
"""The dead properties of one resource: a listing of it has to hold them all."""


class LiveValues(NamedTuple):
    """Values of live properties that a client set: when the resource was modified, its checksums, and its states.

    claimed maps the name of a property to the checksums that it claims for the body, as `oc:checksums` has them; states
    maps the name of each state to its change.
    """

    modified_us: int | None = None
    claimed: Mapping[str, frozenset[str]] = MappingProxyType({})
    states: Mapping[str, StateChange] = MappingProxyType({})


NO_VALUES: Final = LiveValues()


def require_settable(
    writer: Writer, resource: Resource | None, live: LiveValues, refused: Mapping[str, DavstoreError]
) -> None:
    """Raise PropertiesRefused for those refused before, and for what the resource (None: a new collection) lacks.

    A body may lack checksums that are claimed; a collection has no states.
    """
    false: dict[str, DavstoreError] = {}
    if live.claimed:
        ids = [] if resource is None else [resource.node_id]
        kept = " ".join(bodies.list_checksums(writer.unit, writer.ledger.store_id, ids).values()).split(" ")
        false = {name: ConflictingValue(name) for name, claimed in live.claimed.items() if not claimed.issubset(kept)}
    if resource is None or resource.is_collection:
        false |= {name: ProtectedProperty(name) for name in live.states}
    if refused or false:
        raise PropertiesRefused({**refused, **false})


def find_change(
    writer: Writer, resource: Resource | None, changes: Sequence[tuple[str, bytes | None]]
) -> PropertyChange | None:
    """Return how to set (an element) and remove (None) dead properties in the order given; None: nothing is asked.

    Raises:
        PropertiesRefused: the resource would have too many.
    """
    if not changes:
        return None
    old: Mapping[str, bytes] = {}
    if resource is not None:
        old = properties.list_properties(writer.unit, writer.ledger.store_id, [resource.node_id]).get(
            resource.node_id, {}
        )
    wanted: dict[str, bytes | None] = {**old, **dict(changes)}
    new = {name: element for name, element in wanted.items() if element is not None}
    new_bytes = sum(map(len, new.values()))
    if len(new) > writer.context.services.limits.properties_per_node or new_bytes > PROPERTY_BYTES:
        raise PropertiesRefused({name: Unprocessable("too many properties") for name, _ in changes})
    return PropertyChange(
        removed=[name for name, element in old.items() if new.get(name) != element],
        written={name: element for name, element in new.items() if old.get(name) != element},
        old_bytes=sum(map(len, old.values())),
        new_bytes=new_bytes,
    )


def find_state_change(writer: Writer, resource: Resource, asked: Mapping[str, StateChange]) -> StateChange:
    """Return what the changes that are asked for, by the names of properties, change in the states of a resource.

    Raises:
        PropertiesRefused: it would have too many keywords.
    """
    if not asked:
        return NO_CHANGE
    wanted = together(asked.values())
    has: frozenset[str] = frozenset()
    if wanted.added or wanted.dropped:
        found = states.list_keywords(writer.unit, writer.ledger.store_id, [resource.node_id])
        has = frozenset(found.get(resource.node_id, ()))
    added, dropped = wanted.added - has, wanted.dropped & has
    if added and len(has) + len(added) - len(dropped) > MOST_KEYWORDS:
        raise PropertiesRefused(
            {name: Unprocessable("too many keywords") for name, change in asked.items() if change.added}
        )
    return StateChange(wanted.set & ~resource.flags, wanted.clear & resource.flags, added, dropped)
