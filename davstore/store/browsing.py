"""A sorted page of a collection, or one message, for a browser."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from davstore.engine import rights
from davstore.engine.context import Context
from davstore.engine.opening import Body, open_resource, reader
from davstore.errors import NotFound
from davstore.metadata import bindings, sorted_pages
from davstore.metadata.facets import load
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE
from davstore.model.facets import CONVERSATION, MESSAGE, SUMMARY
from davstore.model.messages import MessageFacts, MessageSummary
from davstore.model.nodes import MESSAGES, Resource, StoreFacts
from davstore.model.pages import Mark, Sort
from davstore.model.paths import Path
from davstore.model.views import EVERYTHING, View
from davstore.sync.lenses import lens_on, show


class Page(NamedTuple):
    """A resource, some of its members if it is a collection, and the mark behind them if there are more.

    messages has what a list shows of those that are messages, by node.
    """

    facts: StoreFacts
    top: Resource
    members: list[Resource]
    more: Mark | None
    messages: Mapping[int, MessageSummary] = MappingProxyType({})


class OpenMessage(NamedTuple):
    """A message, its facts, its body open for reading, and the name of the thread that it is in."""

    resource: Resource
    message: MessageFacts
    body: Body
    thread: str | None


def list_page(
    context: Context,
    path: Path,
    sort: Sort,
    *,
    descending: bool = False,
    after: Mark | None = None,
    limit: int,
    view: View = EVERYTHING,
) -> Page:
    """Return at most limit members of a collection, behind a mark: collections first, the rest sorted.

    Those that are not in the view are left out, so that there may be less.

    Raises:
        NotFound: nothing is there.
    """

    def work(unit: Unit) -> Page:
        facts, top = _find(context, unit, path)
        if not top.is_collection:
            return Page(facts, top, [], None)
        found = sorted_pages.list_page(unit, facts.id, top, sort, descending=descending, after=after, limit=limit + 1)
        more = _mark(found[limit - 1], sort) if len(found) > limit else None
        members = show(unit, facts.id, lens_on(view, context.now_us, path.area), found[:limit])
        messages = [one.node_id for one in members if one.type in MESSAGES]
        summaries = load(unit, facts, {SUMMARY}, messages, now_us=context.now_us).of(SUMMARY)
        return Page(facts, top, members, more, summaries)

    return context.services.database.read(work)


def open_message(context: Context, path: Path) -> OpenMessage | None:
    """Return a message, open for reading; None: what is there is none, and is not opened.

    Raises:
        NotFound: nothing is there. CorruptBlob: the body is lost.
    """
    read = reader(context, path, NONE)
    _, resource = read(lambda unit: _find(context, unit, path))
    if resource.type not in MESSAGES:
        return None
    content = open_resource(context, path, facets={MESSAGE, CONVERSATION})
    if content.body is None:
        return None
    message = content.facets.of(MESSAGE).get(content.resource.node_id)
    if message is None:
        content.body.close()
        return None
    thread = content.facets.of(CONVERSATION).get(content.resource.node_id)
    return OpenMessage(content.resource, message, content.body, thread)


def _find(context: Context, unit: Unit, path: Path) -> tuple[StoreFacts, Resource]:
    rights.require_owner(context.asker, path)
    facts, place, _ = bindings.find(unit, path)
    if place.resource is None:
        raise NotFound(path.name)
    return facts, place.resource


def _mark(member: Resource, sort: Sort) -> Mark:
    values = {Sort.NAME: 0, Sort.SIZE: member.length or 0, Sort.TIME: member.modified_us}
    return Mark(member.is_collection, values[sort], member.name)
