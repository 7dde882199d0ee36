"""POST of an operation on many resources beneath a collection, in one unit: their states, or their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from davstore.engine import bulk, transaction
from davstore.engine.bulk import Choice, Targets
from davstore.engine.context import Context
from davstore.engine.deciding import decide
from davstore.engine.property_changes import NOTHING_REFUSED
from davstore.engine.room import require_within
from davstore.engine.writer import Writer
from davstore.errors import DavstoreError
from davstore.model.conditions import NONE, Preconditions
from davstore.model.nodes import StoreFacts
from davstore.model.paths import Area, Path
from davstore.model.states import StateChange, together


class Done(NamedTuple):
    """A choice for each resource, with the error of those that stayed as they were, and the store's row afterwards."""

    choices: list[Choice]
    facts: StoreFacts


_Told = tuple[list[Choice], Callable[[], StoreFacts]]


def update(
    context: Context,
    path: Path,
    targets: Targets,
    asked: Mapping[str, StateChange],
    conditions: Preconditions = NONE,
    *,
    refused: Mapping[str, DavstoreError] = NOTHING_REFUSED,
    strict: bool = False,
) -> Done:
    """Change states of many resources, of each all or none; strict: of all or of none.

    asked holds the changes by the names of properties, refused the properties that cannot be changed at all.

    Raises:
        NotFound, NoCollection, PreconditionFailed; TreeTooLarge: a view of too much.
    """

    def work(writer: Writer) -> _Told:
        collection = decide(writer, "POST", path, conditions)
        choices = bulk.choose(writer, collection, targets, "set states")
        choices = bulk.refuse_locked(writer, choices, conditions)
        choices, altered = bulk.find_altered(writer, choices, asked, refused)
        if strict:
            choices = bulk.all_or_none(choices)
        is_refused = strict and any(one.refusal is not None for one in choices)
        writer.alter_all([] if is_refused else altered, together(asked.values()))
        return choices, bulk.facts_at_end(writer)

    return _done(*transaction.write(context, path, work))


def delete(
    context: Context, path: Path, targets: Targets, conditions: Preconditions = NONE, *, strict: bool = False
) -> Done:
    """Delete many resources, each with all beneath it or not at all; strict: all or none.

    In the area of threads these are messages, and all messages of threads, wherever they lie in the area of the store.

    Raises:
        NotFound, NoCollection, PreconditionFailed; TreeTooLarge: they are too many, with all beneath them.
    """

    def work(writer: Writer) -> _Told:
        collection = decide(writer, "POST", path, conditions)
        choices = bulk.choose(writer, collection, targets, "DELETE")
        stakes = bulk.find_stakes(writer, choices)
        choices = bulk.refuse_locked(writer, choices, conditions, stakes)
        if strict:
            choices = bulk.all_or_none(choices)
        tops = bulk.find_tops(choices)
        if path.area is Area.THREADS:
            messages = {stake.node_id for top in tops for stake in stakes[top.node_id]}
            if messages:
                writer.unbind_nodes([*messages])
        else:
            require_within(writer, *tops)
            writer.unbind_all(tops)
        return choices, bulk.facts_at_end(writer)

    return _done(*transaction.write(context, path, work))


def _done(choices: list[Choice], facts: Callable[[], StoreFacts]) -> Done:
    return Done(choices, facts())
