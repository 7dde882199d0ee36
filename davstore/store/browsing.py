"""A sorted page of a collection, or one message, for a browser."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from davstore.engine import rights
from davstore.engine.context import Context
from davstore.engine.opening import Body, open_resource, reader
from davstore.engine.sight import Beneath
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

    messages has what a list shows of those that are messages, by node. is_own: the store is the asker's.
    """

    facts: StoreFacts
    top: Resource
    members: list[Resource]
    more: Mark | None
    messages: Mapping[int, MessageSummary] = MappingProxyType({})
    is_own: bool = True


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

    Those that are not in the view, or that the asker may not read, are left out, so that there may be less.

    Raises:
        NotFound: nothing is there. NeedPrivileges: the asker may know of it, and not read it.
    """

    def work(unit: Unit) -> Page:
        facts, top, beneath = _find(context, unit, path)
        shown = view if beneath is None else beneath.narrowed(view)
        if not top.is_collection or (beneath is not None and not beneath.is_listed(shown)):
            return Page(facts, top, [], None, is_own=beneath is None)
        lens, mark, members, last = lens_on(shown, context.now_us, path.area), after, list[Resource](), False
        while not members and not last:
            found = sorted_pages.list_page(
                unit, facts.id, top, sort, descending=descending, after=mark, limit=limit + 1
            )
            last, members = len(found) <= limit, show(unit, facts.id, lens, found[:limit])
            mark = None if last else _mark(found[limit - 1], sort)
            if beneath is None:
                break
            members = beneath.shown(members)[0]
            if members and not last:  # the mark is in the page: it names no hidden member
                mark = _mark(members[-1], sort)
        messages = [one.node_id for one in members if one.type in MESSAGES]
        summaries = load(unit, facts, {SUMMARY}, messages, now_us=context.now_us).of(SUMMARY)
        return Page(facts, top, members, mark, summaries, is_own=beneath is None)

    return context.services.database.read(work)


def open_message(context: Context, path: Path) -> OpenMessage | None:
    """Return a message, open for reading; None: what is there is none, and is not opened.

    Raises:
        NotFound: nothing is there. CorruptBlob: the body is lost.
    """
    read = reader(context, path, NONE)
    _, resource, _ = read(lambda unit: _find(context, unit, path))
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


def _find(context: Context, unit: Unit, path: Path) -> tuple[StoreFacts, Resource, Beneath | None]:
    facts, place, _ = bindings.find(unit, path)
    sight = rights.require(context, unit, facts, path, place)
    if place.resource is None:
        raise NotFound(path.name)
    return facts, place.resource, None if sight is None else sight.beneath(place, facts.area)


def _mark(member: Resource, sort: Sort) -> Mark:
    values = {Sort.NAME: 0, Sort.SIZE: member.length or 0, Sort.TIME: member.modified_us}
    return Mark(member.is_collection, values[sort], member.name)
