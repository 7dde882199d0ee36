"""Conversations for a browser: the threads of a store, and the messages of one, newest page first."""

from __future__ import annotations

from collections.abc import Container, Generator, Iterable, Mapping, Sequence
from typing import NamedTuple

from davstore.engine import rights
from davstore.engine.context import Context
from davstore.engine.opening import Body
from davstore.errors import CorruptBlob, NotFound
from davstore.metadata import bindings, messages, timelines
from davstore.metadata.bodies import Stored
from davstore.metadata.facets import load
from davstore.metadata.timelines import Beginning
from davstore.metadata.unit import Unit
from davstore.model.facets import PARTICIPANTS, SESSIONS, SUMMARY, THREAD
from davstore.model.messages import MessageSummary, Part
from davstore.model.nodes import Resource, ResourceType, StoreFacts
from davstore.model.pages import Moment
from davstore.model.paths import Area, Path
from davstore.model.states import Flag
from davstore.model.threads import Participant, Thread
from davstore.model.views import EVERYTHING, View
from davstore.policy.threading import Reading
from davstore.sync.lenses import Lens, lens_on, show


class Listed(NamedTuple):
    """A thread in a list, with its newest message, if that is shown, and the preview of it."""

    resource: Resource
    thread: Thread
    participants: Sequence[Participant]
    newest: MessageSummary | None
    preview: str | None


class Threads(NamedTuple):
    """Some threads of a store, the newest first, and the moment before which there are more."""

    facts: StoreFacts
    threads: list[Listed]
    more: Moment | None


class Message(NamedTuple):
    """A message of a conversation; its copies are read as soon as one is.

    parts are None where they are many, body where it is long and in a row, or lost. It can be read until the next
    message is asked for.
    """

    resource: Resource
    summary: MessageSummary
    preview: str | None
    parts: tuple[Part, ...] | None
    body: Body | None


class Conversation(NamedTuple):
    """Some messages of a thread, oldest first, and the moments before and after which there are more.

    sessions are the names that lead to its session histories from the root of the store.
    """

    facts: StoreFacts
    thread: Thread
    participants: Sequence[Participant]
    sessions: Sequence[tuple[str, ...]]
    messages: Generator[Message, None, None]
    older: Moment | None
    newer: Moment | None


def list_threads(
    context: Context, path: Path, *, before: Moment | None = None, limit: int, view: View = EVERYTHING
) -> Threads:
    """Return at most limit threads of the area that a path is in: those whose newest message is before a moment.

    Those that are not in the view are left out, so that there may be less; so is a newest message that is not.

    Raises:
        NotFound: there is no such store.
    """

    def work(unit: Unit) -> Threads:
        rights.require_owner(context.asker, path)
        facts, *_ = bindings.find(unit, path.root)
        rows = timelines.list_threads(unit, facts.id, before=before, limit=limit + 1)
        more = Moment(rows[limit - 1][0].last_us, rows[limit - 1][2].node_id) if len(rows) > limit else None
        lens = lens_on(view, context.now_us, path.area)
        known = {row.node_id: (thread, end) for thread, end, row in rows}
        shown = show(unit, facts.id, lens, [row.at(()) for *_, row in rows[:limit]])
        newest = _list_members(unit, facts, lens, shown, [known[one.node_id][1].newest_id for one in shown])
        summaries = load(unit, facts, {SUMMARY}, newest, now_us=context.now_us).of(SUMMARY)
        previews = messages.list_fields(unit, facts.id, newest, ("preview",))
        people = load(unit, facts, {PARTICIPANTS}, [one.node_id for one in shown], now_us=context.now_us)
        listed = []
        for one in shown:
            thread, (newest_id,) = known[one.node_id]
            some, preview = people.of(PARTICIPANTS).get(one.node_id, ()), previews.get(newest_id, {}).get("preview")
            listed.append(Listed(one, thread, some, summaries.get(newest_id), preview))
        return Threads(facts, listed, more)

    return context.services.database.read(work)


def open_conversation(
    context: Context,
    path: Path,
    *,
    before: Moment | None = None,
    after: Moment | None = None,
    limit: int,
    view: View = EVERYTHING,
) -> Conversation:
    """Return at most limit messages of a thread: those next after a moment, else the last ones before one, or at all.

    Those that are not in the view are left out, so that there may be less.

    Raises:
        NotFound: there is no such thread.
    """

    def work(unit: Unit) -> Conversation:
        rights.require_owner(context.asker, path)
        facts, (_, _, top), _ = bindings.find(unit, path)
        if top is None or top.type != ResourceType.THREAD:
            raise NotFound(path.name)
        found = timelines.list_said(unit, facts.id, top.node_id, before=before, after=after, limit=limit + 1)
        is_cut = len(found) > limit
        some = found[-limit:] if after is None else found[:limit]
        lens, folders = (lens_on(view, context.now_us, area) for area in (path.area, Area.STORE))
        seen = {one.node_id for one in some if one.is_read == Reading.SEEN}
        members = _list_members(unit, facts, lens, [top], [one.node_id for one in some], seen)
        known = load(unit, facts, {THREAD, PARTICIPANTS, SESSIONS}, [top.node_id], now_us=context.now_us)
        return Conversation(
            facts,
            known.of(THREAD)[top.node_id],
            known.of(PARTICIPANTS).get(top.node_id, ()),
            [one for one in known.of(SESSIONS).get(top.node_id, ()) if folders.reaches(one, is_collection=True)],
            _open_each(context, facts.id, _read(context, unit, facts, members)),
            some[0].moment if some and (is_cut or after is not None) else None,
            some[-1].moment if some and (is_cut if after is not None else before is not None) else None,
        )

    return context.services.database.read(work)


def _list_members(
    unit: Unit,
    facts: StoreFacts,
    lens: Lens,
    threads: Sequence[Resource],
    node_ids: Sequence[int],
    seen: Container[int] = (),
) -> dict[int, Resource]:
    """Return those of some members of threads that a lens shows, in their order. Of those in seen a copy was read."""
    names = {one.node_id: one.names for one in threads}
    rows = {row.node_id: row for row in timelines.list_members(unit, facts.id, node_ids)}
    members = [rows[one].at(names[rows[one].parent_id]) for one in node_ids]
    members = [one._replace(flags=one.flags | Flag.SEEN) if one.node_id in seen else one for one in members]
    return {one.node_id: one for one in show(unit, facts.id, lens, members)}


def _read(
    context: Context, unit: Unit, facts: StoreFacts, members: Mapping[int, Resource]
) -> list[tuple[Resource, MessageSummary, Beginning]]:
    summaries = load(unit, facts, {SUMMARY}, members, now_us=context.now_us).of(SUMMARY)
    beginnings = timelines.list_beginnings(unit, facts.id, members)
    known = [node_id for node_id in members if node_id in summaries and node_id in beginnings]
    return [(members[one], summaries[one], beginnings[one]) for one in known]


def _open_each(
    context: Context, store_id: int, rows: Iterable[tuple[Resource, MessageSummary, Beginning]]
) -> Generator[Message, None, None]:
    """Yield messages, the body of each open until the next is asked for: a page of them would be many files."""
    for resource, summary, (preview, parts, stored) in rows:
        body = _open(context, store_id, stored)
        try:
            yield Message(resource, summary, preview, parts, body)
        finally:
            if body is not None:
                body.close()


def _open(context: Context, store_id: int, stored: Stored) -> Body | None:
    """Return a body; None: it is not loaded, or the message ended or was replaced since."""
    if stored.blob is None:
        return None if stored.inline is None else Body(stored, None)
    try:
        return Body(stored, context.services.blobs.open(store_id, stored.blob))
    except CorruptBlob:
        return None
