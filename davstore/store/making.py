"""MKCOL, also with properties (RFC 4918 §9.3, RFC 5689)."""

from __future__ import annotations

from collections.abc import Mapping

from davstore.engine import transaction
from davstore.engine.context import Context
from davstore.engine.deciding import decide
from davstore.engine.property_changes import NO_VALUES, NOTHING_REFUSED, LiveValues, find_change, require_settable
from davstore.engine.writer import NO_ELEMENTS, Writer
from davstore.errors import DavstoreError
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import Resource, ResourceType
from davstore.model.paths import Path


def make_collection(
    context: Context,
    path: Path,
    conditions: Preconditions = NONE,
    *,
    type_: ResourceType = ResourceType.COLLECTION,
    elements: Mapping[str, bytes] = NO_ELEMENTS,
    refused: Mapping[str, DavstoreError] = NOTHING_REFUSED,
    live: LiveValues = NO_VALUES,
) -> Resource:
    """Make an empty collection of a type with dead properties and live ones, or nothing.

    refused holds the properties that cannot be set at all; they are reported after everything else was checked.

    Raises:
        AlreadyExists, ParentMissing, NameNotAllowed, PreconditionFailed, Locked, PropertiesRefused, QuotaExceeded.
    """

    def work(writer: Writer) -> Resource:
        member = decide(writer, "MKCOL", path, conditions)
        require_settable(writer, None, live, refused)
        change = find_change(writer, None, list(elements.items()))
        written = NO_ELEMENTS if change is None else change.written
        return writer.make(member, type_=type_, modified_us=live.modified_us, elements=written)

    return transaction.write(context, path, work)
