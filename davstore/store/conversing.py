"""The history of a conversation for a device that begins with it: its newest messages, and where to go on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from davstore.engine import rights
from davstore.engine.conditions import require_list
from davstore.engine.contents import count_with_room, is_wanted, read_contents
from davstore.engine.context import Context
from davstore.engine.paging import keep_view, shortened
from davstore.errors import ConversationMissing, Malformed, NotFound, UnsupportedReport
from davstore.metadata import bindings, conversations, histories, sessions, stores, threads
from davstore.metadata.bindings import Found
from davstore.metadata.facets import load
from davstore.metadata.places import Ways
from davstore.metadata.unit import Unit
from davstore.model.changes import SyncToken
from davstore.model.conditions import NONE, Preconditions
from davstore.model.facets import Facets, Facts
from davstore.model.histories import Before, HistoryAsked
from davstore.model.nodes import Resource, ResourceType, StoreFacts
from davstore.model.paths import Area, Path
from davstore.model.views import EVERYTHING, View
from davstore.policy import threading
from davstore.sync import tokens
from davstore.sync.lenses import Lens, find_homes, judge, lens_on

MOST_ROWS: Final = 1_000
MOST_CONTENT_BYTES: Final = 8 << 20
"""The bodies of one page, which are in memory; a page is shorter where its messages have more."""
_SECOND_US: Final = 1_000_000


class History(NamedTuple):
    """A page of a conversation, oldest first, with the facets and the bodies that were asked for.

    facts is the store's row in the same snapshot, of the area of threads. earlier says where the page before begins,
    None where there is none. group_state holds the names of the group state that counts.
    """

    facts: StoreFacts
    thread: tuple[str, ...]
    rows: list[Resource]
    facets: Facts
    contents: dict[int, bytes]
    earlier: Before | None
    group_state: tuple[str, ...] | None
    token: SyncToken


class _Thread(NamedTuple):
    node_id: int
    names: tuple[str, ...]


def history(
    context: Context,
    path: Path,
    asked: HistoryAsked,
    conditions: Preconditions = NONE,
    *,
    facets: Facets = frozenset(),
    view: View = EVERYTHING,
) -> History:
    """Return the newest messages of a conversation before a time, all from one snapshot.

    path is the root of an area, or a thread, which needs no id. The token is that of the thread: a report from it tells
    whatever comes to the thread afterwards, and nothing that was there.

    Raises:
        NotFound: nothing is there. UnsupportedReport: neither of these is there.
        PreconditionFailed: no `If` list holds. Malformed: no id at a root.
        ConversationMissing: there is no such conversation, or it is another thread.
        InvalidSyncToken: the token is for something else.
        LimitNotSupported: one message has too many values of a facet.
    """
    most = MOST_ROWS if asked.limit is None else min(asked.limit, MOST_ROWS)
    view = view.in_area(Area.THREADS)

    def work(unit: Unit, most: int) -> History:
        rights.require_owner(context.asker, path)
        found = bindings.find(unit, path)
        require_list(context, unit, found.facts, conditions)
        thread = _find_thread(unit, found, path, asked.conversation_id)
        facts = found.facts._replace(area=int(Area.THREADS), root_id=stores.get_root(unit, found.facts, Area.THREADS))
        lens = lens_on(view, context.now_us, Area.THREADS)
        if not lens.reaches(thread.names, is_collection=True):
            raise ConversationMissing(thread.names[-1])
        return _read_page(context, unit, facts, thread, lens, asked, facets, most)

    history = shortened(most, lambda most: context.services.database.read(partial(work, most=most)))
    keep_view(context, path, view)
    return history


def _read_page(
    context: Context,
    unit: Unit,
    facts: StoreFacts,
    thread: _Thread,
    lens: Lens,
    asked: HistoryAsked,
    facets: Facets,
    most: int,
) -> History:
    token = _find_token(facts, thread, lens, asked.begun)
    newest = _list_shown(unit, facts, thread, lens, asked.before, token.number, most + 1)
    if asked.content is not None:
        most = count_with_room([one for _, one in newest[:most]], asked.content, most_bytes=MOST_CONTENT_BYTES)
    page, earlier = _cut(newest, most)
    rows = [lens.mask(one) for _, one in reversed(page)]
    wanted = [] if asked.content is None else [one.node_id for one in rows if is_wanted(one, asked.content)]
    contents = read_contents(context, unit, facts.id, wanted)
    values = load(unit, facts, lens.told(facets), [one.node_id for one in rows], now_us=context.now_us)
    state = _find_group_state(unit, facts, thread, lens_on(lens.view, context.now_us, Area.STORE))
    return History(facts, thread.names, rows, values, contents, earlier, state, token)


def _find_thread(unit: Unit, found: Found, path: Path, conversation_id: str | None) -> _Thread:
    resource, store_id = found.place.resource, found.facts.id
    if resource is None:
        raise NotFound(path.name)
    if path.names and resource.type != ResourceType.THREAD:
        raise UnsupportedReport
    if conversation_id is None:
        if not path.names:
            raise Malformed("a history of no conversation")
        return _Thread(resource.node_id, path.names)
    key = threading.key_of_conversation(conversation_id)
    thread_id = threads.find_threads(unit, store_id, [key]).get(key)
    named = [] if thread_id is None else threads.list_names(unit, store_id, [thread_id])
    if not named or (path.names and named[0].node_id != resource.node_id):
        raise ConversationMissing(conversation_id)
    return _Thread(named[0].node_id, (named[0].name,))


def _find_token(facts: StoreFacts, thread: _Thread, lens: Lens, begun: SyncToken | None) -> SyncToken:
    path = facts.at(thread.names)
    if begun is not None:
        tokens.start(facts, path, begun, lens.stamp)
        return begun
    stamp = lens.stamp
    if stamp.at_s:  # as of the property: the next report tells the difference to its own time
        stamp = stamp._replace(next_s=stamp.at_s)
    return tokens.current_token(facts, path, stamp.text)


def _list_shown(
    unit: Unit, facts: StoreFacts, thread: _Thread, lens: Lens, before: Before | None, until: int, most: int
) -> list[tuple[int, Resource]]:
    """Return the newest messages of a thread that a lens shows, newest first, each with its date."""
    shown: list[tuple[int, Resource]] = []
    while len(shown) < most:
        found = histories.list_before(unit, facts.id, thread.node_id, before, until=until, limit=most)
        rows = [row for _, row in found]
        [kept] = judge(unit, facts.id, rows, [lens])
        homes = find_homes(unit, facts.id, rows, [lens])
        for (date_us, row), is_kept in zip(found, kept, strict=True):
            home = homes.get(row.node_id)
            if is_kept and lens.reaches((*thread.names, row.name), is_collection=False, home=home):
                shown.append((date_us, row.at(thread.names)))
        if len(found) < most:
            break
        date_us, last = found[-1]
        before = Before(date_us, last.node_id)
    return shown[:most]


def _cut(rows: Sequence[tuple[int, Resource]], most: int) -> tuple[Sequence[tuple[int, Resource]], Before | None]:
    """Return a page of messages that come newest first, and where the one before it begins.

    A page ends between two seconds, as clients tell times: from the date of its oldest message the next one goes on.
    Where all of a page are of one second, it ends within.
    """
    if len(rows) <= most:
        return rows, None
    second = rows[most][0] // _SECOND_US
    page = [row for row in rows[:most] if row[0] // _SECOND_US != second]
    if page:
        return page, Before(page[-1][0] // _SECOND_US * _SECOND_US)
    date_us, last = rows[most - 1]
    return rows[:most], Before(date_us, last.node_id)


def _find_group_state(unit: Unit, facts: StoreFacts, thread: _Thread, lens: Lens) -> tuple[str, ...] | None:
    """Return the names of the newest group state of the sessions of a conversation."""
    found = conversations.find_sessions_of(unit, facts.id, [thread.node_id]).get(thread.node_id)
    if not found:
        return None
    states = sessions.list_group_states(unit, facts, found)
    ways = Ways(unit, facts.id, {*states})
    places = [(ways.find(node_id, Area.STORE), name) for node_id, name in states.items()]
    names = [(*parent, name) for parent, name in places if parent is not None]
    return next((one for one in names if lens.reaches(one, is_collection=False)), None)
