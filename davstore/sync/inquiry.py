"""The question that a report answers, as a value that its stages share."""

from __future__ import annotations

from dataclasses import dataclass

from davstore.metadata.changed_members import Form
from davstore.metadata.unit import Unit
from davstore.model.changes import Level, Position
from davstore.model.nodes import StoreFacts
from davstore.sync.ancestry import Ancestry
from davstore.sync.lenses import Lens
from davstore.sync.scopes import Scope
from davstore.sync.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A device at a position that asks about a scope, in one snapshot.

    wanted rows are read, perhaps more: none is fetched long before. form is that of the members that are there, changed
    that of those which changed by themselves: it may leave out those that a change of view tells nothing of.
    ancestry keeps the collections that the stages look up. lens is the view, before the one before,
    where the run tells the difference.
    """

    unit: Unit
    facts: StoreFacts
    scope: Scope
    see: Visibility
    level: Level
    start: Position
    wanted: int
    form: Form
    changed: Form
    ancestry: Ancestry
    lens: Lens
    before: Lens | None
