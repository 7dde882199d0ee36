"""Resources beneath a collection, and parts of messages, that a client names: with their bodies, from one snapshot."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Final, NamedTuple

from davstore.engine import bulk, parts, rights
from davstore.engine.bulk import Choice, Target
from davstore.engine.conditions import require_list
from davstore.engine.contents import is_wanted, open_body, read_contents
from davstore.engine.context import Context
from davstore.engine.parts import PartBody
from davstore.errors import NotFound, OutOfView, UnsupportedReport
from davstore.metadata import bindings, bodies
from davstore.metadata.facets import load
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import MESSAGE, Facets, Facts
from davstore.model.histories import ContentAsked
from davstore.model.messages import PartResource
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import PartPath, Path
from davstore.model.views import EVERYTHING, View
from davstore.sync.lenses import Lens, lens_on, show

_AT_ONCE: Final = 250
_WITH_BODIES_AT_ONCE: Final = 8
"""Resources whose bodies are in memory together: each has 1 MiB at most."""


class OpenedPart(NamedTuple):
    """A part of a message, and its decoded bytes where they are wanted and not too long."""

    resource: PartResource
    length: int
    content: bytes | None


class Collected(NamedTuple):
    """Some of the choices, in their order: with the facets of what is there, and bodies by node and by part."""

    facts: StoreFacts
    choices: list[Choice]
    facets: Facts
    contents: dict[int, bytes]
    parts: dict[PartPath, OpenedPart]


def collect(
    context: Context,
    path: Path,
    targets: Sequence[Target],
    conditions: Preconditions = NONE,
    *,
    facets: Facets = frozenset(),
    content: ContentAsked | None = None,
    view: View = EVERYTHING,
) -> Generator[Collected, None, None]:
    """Yield the choices of what is named beneath a collection, some at a time, all from one snapshot.

    It is open until the last of them is taken or the iterator is closed: nothing else may be read meanwhile.

    Raises:
        NotFound, PreconditionFailed; UnsupportedReport: no collection. LimitNotSupported: too many values of a facet.
    """
    with context.services.database.snapshot() as unit:
        facts, place, _ = bindings.find(unit, path)
        sight = rights.require(context, unit, facts, path, place)
        require_list(context, unit, facts, conditions)
        if place.resource is None:
            raise NotFound(path.name)
        if not place.resource.is_collection:
            raise UnsupportedReport
        reading = _Reading(context, unit, facts, lens_on(view, context.now_us, path.area), content)
        choices = bulk.find_named(unit, facts, path, place.resource, targets)
        choices = bulk.refuse_unpermitted(sight, path, choices, "GET")
        most = _AT_ONCE if content is None else _WITH_BODIES_AT_ONCE
        for start in range(0, len(choices), most):
            yield reading.read(choices[start : start + most], targets[start : start + most], rights.told(sight, facets))


class _Reading(NamedTuple):
    """One report: its snapshot, its view, and the wish for bodies."""

    context: Context
    unit: Unit
    facts: StoreFacts
    lens: Lens
    content: ContentAsked | None

    def read(self, choices: list[Choice], targets: Sequence[Target], facets: Facets) -> Collected:
        """Return some choices with all that is asked for."""
        shown = self._shown(choices)
        opened = self._open_parts(shown, targets)
        settled = [self._settle(one, target, opened) for one, target in zip(shown, targets, strict=True)]
        there = [one.resource for one in settled if one.refusal is None and one.resource is not None]
        values = load(
            self.unit,
            self.facts,
            self.lens.told(facets),
            {one.node_id for one in there},
            now_us=self.context.now_us,
        )
        content = self.content
        wanted = [] if content is None else [one.node_id for one in there if is_wanted(one, content)]
        contents = read_contents(self.context, self.unit, self.facts.id, wanted)
        return Collected(self.facts, settled, values, contents, opened)

    def _shown(self, choices: list[Choice]) -> list[Choice]:
        """Return the choices as the view shows them."""
        there = [one.resource for one in choices if one.resource is not None]
        shown = {one.names: one for one in show(self.unit, self.facts.id, self.lens, there)}
        return [self._seen(one, shown) for one in choices]

    @staticmethod
    def _seen(choice: Choice, shown: Mapping[tuple[str, ...], Resource]) -> Choice:
        if choice.found is None:
            return choice
        resource = shown.get(choice.found.resource.names)
        if resource is None:
            return choice._replace(refusal=OutOfView())
        return choice._replace(found=choice.found._replace(resource=resource))

    def _open_parts(self, choices: list[Choice], targets: Sequence[Target]) -> dict[PartPath, OpenedPart]:
        asked = {
            target: one.found.resource
            for one, target in zip(choices, targets, strict=True)
            if isinstance(target, PartPath) and one.found is not None and not isinstance(one.refusal, OutOfView)
        }
        ids = {one.node_id for one in asked.values()}
        facts = load(self.unit, self.facts, {MESSAGE}, ids, now_us=self.context.now_us)
        stored = bodies.list_bodies(self.unit, self.facts.id, ids)
        opened = {}
        for place, message in asked.items():
            found = parts.find_part(facts, message, place.number)
            body = open_body(self.context, self.facts.id, stored[message.node_id]) if found is not None else None
            if found is not None and body is not None:
                with closing(body):
                    opened[place] = self._open(found[0], PartBody(body, found[1]))
        return opened

    def _open(self, resource: PartResource, body: PartBody) -> OpenedPart:
        is_whole = self.content is not None and body.length <= self.content.most_bytes
        return OpenedPart(resource, body.length, b"".join(body.read_once()) if is_whole else None)

    def _settle(self, choice: Choice, target: Target, opened: dict[PartPath, OpenedPart]) -> Choice:
        """Return a choice of a part as what it is: the part is there, or not."""
        if not isinstance(target, PartPath) or choice.found is None or isinstance(choice.refusal, OutOfView):
            return choice
        return Choice(None, None if target in opened else NotFound(target.number))
