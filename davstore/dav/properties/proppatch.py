"""The changes of a PROPPATCH or an extended MKCOL, sorted (RFC 4918 §9.2.1, §15).

There are dead properties, the few live ones that a client may set, and protected ones. All names of davstore's own
namespace are protected, also those that have no meaning yet; those of the namespace of keywords are keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from davstore.dav.kinds import Kind
from davstore.dav.properties import LIVE_OF, PROTECTED, find_settable
from davstore.dav.properties.times import WINDOWS, set_time
from davstore.engine.property_changes import NO_VALUES, LiveValues
from davstore.errors import ConflictingValue, DavstoreError, ProtectedProperty, RequestError
from davstore.model.rules import Rule
from davstore.protocol.dav import names, prop

_CLIENTS_OWN: Final = frozenset({names.DISPLAYNAME, "{DAV:}getcontentlanguage"})
"""Names of the namespace `DAV:` that belong to clients (RFC 4918 §15.2, §15.3); the rest is for RFCs to come."""


class Patch(NamedTuple):
    """Changes of dead properties in the order given, values of live ones, and why others cannot be changed."""

    dead: list[tuple[str, bytes | None]]
    live: LiveValues
    refused: dict[str, DavstoreError]


def sort_changes(changes: Iterable[tuple[str, bytes | None]]) -> Patch:
    """Return the changes by sort; of two values for one live property the last counts, as of dead ones."""
    dead: list[tuple[str, bytes | None]] = []
    refused: dict[str, DavstoreError] = {}
    live = NO_VALUES
    for name, element in changes:
        settable = find_settable(name)
        if settable is not None and (element is not None or settable.removed is not None):
            value = settable.removed if element is None else settable.parse(prop.text_of(element))
            if value is None:
                refused[name] = ConflictingValue(name)
            live = _merge(live, value)
        elif name in PROTECTED or names.is_ours(name) or (element is not None and _is_reserved(name)):
            refused[name] = ProtectedProperty(name)
        else:
            dead.append((name, element))
            if element is not None and name == WINDOWS:
                live = _merge(live, set_time(prop.text_of(element)))
    return Patch(dead, live, refused)


class PrincipalPatch(NamedTuple):
    """Changes of a principal: the preferences in the order given, and why other properties cannot be changed."""

    preferences: list[Rule | None]
    refused: dict[str, DavstoreError]


def sort_changes_of_principal(
    changes: Iterable[tuple[str, bytes | None]], read: Callable[[bytes], Rule | None]
) -> PrincipalPatch:
    """Return the changes of a principal by sort: it has no dead properties. read reads a preference."""
    refused: dict[str, DavstoreError] = {}
    preferences: list[Rule | None] = []
    for name, element in changes:
        if name == names.SYNC_PREFERENCES:
            try:
                preferences.append(None if element is None else read(element))
            except RequestError as error:
                refused[name] = error
        elif element is not None or name in LIVE_OF[Kind.PRINCIPAL] or names.is_ours(name):
            refused[name] = ProtectedProperty(name)
    return PrincipalPatch(preferences, refused)


def _merge(live: LiveValues, value: LiveValues | None) -> LiveValues:
    if value is None:
        return live
    modified_us = live.modified_us if value.modified_us is None else value.modified_us
    return LiveValues(modified_us, {**live.claimed, **value.claimed}, {**live.states, **value.states})


def _is_reserved(name: str) -> bool:
    return names.split(name)[0] == names.DAV and name not in _CLIENTS_OWN
