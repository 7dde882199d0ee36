"""PROPPATCH: properties of a resource (RFC 4918 §9.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from davstore.engine import transaction
from davstore.engine.context import Context
from davstore.engine.deciding import decide
from davstore.engine.property_changes import (
    NO_VALUES,
    NOTHING_REFUSED,
    LiveValues,
    find_change,
    find_state_change,
    require_settable,
)
from davstore.engine.writer import Writer
from davstore.errors import DavstoreError, PropertiesRefused, QuotaExceeded
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.model.states import NO_CHANGE


class Patched(NamedTuple):
    """A resource, and the error for which none of its properties was changed; None when all were."""

    resource: Resource
    refusal: PropertiesRefused | QuotaExceeded | None = None


def patch_properties(
    context: Context,
    path: Path,
    changes: Sequence[tuple[str, bytes | None]],
    conditions: Preconditions = NONE,
    *,
    refused: Mapping[str, DavstoreError] = NOTHING_REFUSED,
    live: LiveValues = NO_VALUES,
) -> Patched:
    """Set (an element) and remove (None) dead properties in the order given, and live ones, all of them or none.

    A refusal is returned, for the answer to it names the resource.

    Raises:
        NotFound, PreconditionFailed, Locked.
    """
    found: list[Resource] = []
    sets_states = live.states and not (changes or refused or live.claimed) and live.modified_us is None
    act = "set states" if sets_states else None

    def work(writer: Writer) -> Resource:
        resource = decide(writer, "PROPPATCH", path, conditions, act=act).get()
        found.append(resource)
        require_settable(writer, resource, live, refused)
        state = find_state_change(writer, resource, live.states)
        change = find_change(writer, resource, changes)
        if change is None and state == NO_CHANGE and live.modified_us is None:
            return resource  # nothing changed: no change number
        return writer.alter(resource, change, modified_us=live.modified_us, state=state)

    try:
        return Patched(transaction.write(context, path, work))
    except (PropertiesRefused, QuotaExceeded) as error:
        return Patched(found[-1], error.with_traceback(None))  # it leads to frames that hold the error
