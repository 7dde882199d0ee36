"""PROPPATCH: properties of a resource (RFC 4918 §9.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from davstore.engine import transaction
from davstore.engine.context import Context
from davstore.engine.deciding import Intent, decide
from davstore.engine.property_changes import NO_VALUES, NOTHING_REFUSED, LiveValues, find_change, require_settable
from davstore.engine.writer import Writer
from davstore.errors import DavstoreError
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource
from davstore.model.paths import Path


def patch_properties(
    context: Context,
    path: Path,
    changes: Sequence[tuple[str, bytes | None]],
    conditions: Preconditions = NONE,
    *,
    refused: Mapping[str, DavstoreError] = NOTHING_REFUSED,
    live: LiveValues = NO_VALUES,
) -> Resource:
    """Set (an element) and remove (None) dead properties in the order given, and live ones, all of them or none.

    Raises:
        NotFound, PreconditionFailed, Locked, PropertiesRefused, QuotaExceeded.
    """

    def work(writer: Writer) -> Resource:
        resource = decide(writer, Intent.PROPPATCH, path, conditions).get()
        require_settable(writer, resource, live, refused)
        if not changes and live == NO_VALUES:
            return resource  # and nobody has to hear of it
        return writer.alter(resource, find_change(writer, resource, changes), modified_us=live.modified_us)

    return transaction.write(context, path.store, work)
