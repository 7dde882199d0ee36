"""The effect that keeps threads: which messages are of one conversation, how many they are, and how many are unread.

All changes of a unit are followed at once, by a fixed number of statements: what is looked up, what is decided
(`policy.threading`), and what is written then.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from davstore.engine.charging import give_back
from davstore.engine.writer import Change, Writer
from davstore.metadata import bindings, links, nodes, properties, stores, threads
from davstore.metadata.bindings import Bound
from davstore.metadata.links import NodeOfMessage
from davstore.metadata.nodes import empty_collection
from davstore.metadata.stores import Ledger
from davstore.metadata.threads import Counts, MemberOfThread
from davstore.metadata.unit import Unit
from davstore.model.messages import Links
from davstore.model.nodes import ResourceType
from davstore.model.paths import Area
from davstore.policy import threading
from davstore.policy.threading import THREADED, Component, Reading, find_reading


class Message(NamedTuple):
    """A message that is to be linked: its node, and its row in the thread that it is in so far, None of a new one."""

    node: NodeOfMessage
    links: Links
    keys: list[int]
    old: MemberOfThread | None

    def as_member(self, thread_id: int) -> MemberOfThread:
        """Return the row of the message in a thread."""
        return _member(self.node, self.links, thread_id, threading.digest_of(self.keys))


@dataclass(slots=True)
class News:
    """The nodes of messages that the changes of a unit are about: new ones, those with other bytes, with other states
    or properties by their flags, those that are at another place in folders, and those that ended."""

    gained: set[int] = field(default_factory=set)
    replaced: set[int] = field(default_factory=set)
    altered: dict[int, int] = field(default_factory=dict)
    moved: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)


def follow(writer: Writer) -> None:
    """Bind the messages that are new into their threads, and so on with those that changed or ended."""
    news = _sort(writer)
    if news.gained or news.replaced or news.altered or news.ended:
        _Following(writer.unit, writer.ledger, writer.context.now_us).follow(news)


def link(unit: Unit, ledger: Ledger, node_ids: Collection[int], *, now_us: int) -> None:
    """Bind messages that are in no thread into theirs: those among some nodes of a locked store."""
    known = {row.node_id for row in threads.list_members(unit, ledger.store_id, node_ids)}
    news = News(gained={*node_ids} - known)
    if news.gained:
        _Following(unit, ledger, now_us).follow(news)


def _sort(writer: Writer) -> News:
    news = News()
    may_hold = writer.ledger.facts.may_hold_threads
    for change in writer.changes:
        if isinstance(change, Change):
            _sort_one(change, news, may_hold=may_hold)
        elif change.names:
            made = links.list_made(writer.unit, writer.ledger.store_id, first=change.first, last=change.last)
            news.gained.update(made)
        elif may_hold or news.gained:
            news.ended.update(change.ended)
    news.gained -= news.ended
    news.replaced -= news.ended | news.gained
    for node_id in news.ended | news.gained | news.replaced:
        news.altered.pop(node_id, None)
    return news


def _sort_one(change: Change, news: News, *, may_hold: bool) -> None:
    after = change.after.resource
    if change.before is None:
        if after.type in THREADED:
            news.gained.add(after.node_id)
    elif change.before.resource.etag != after.etag:
        if after.type in THREADED or (may_hold and change.before.resource.type in THREADED):
            news.replaced.add(after.node_id)
    elif after.type in THREADED and may_hold:
        news.altered[after.node_id] = after.flags
        if change.is_move:  # the views of devices leave out folders
            news.moved.add(after.node_id)


class _Following:
    """The threads of one unit: what is there before, and the rows that are to be written."""

    def __init__(self, unit: Unit, ledger: Ledger, now_us: int) -> None:
        self._unit, self._ledger, self._now_us = unit, ledger, now_us
        self._store_id = ledger.store_id
        self._lost: list[MemberOfThread] = []
        self._updated: list[tuple[MemberOfThread, MemberOfThread]] = []
        self._added: list[MemberOfThread] = []
        self._made: dict[int, str | None] = {}
        self._merged: dict[int, int] = {}
        self._touched: set[int] = set()
        self._moved: set[int] = set()
        self._conversations: dict[int, str | None] = {}
        self._leaving: set[int] = set()

    def follow(self, news: News) -> None:
        """Follow all changes of the unit."""
        replaced = self._look_at_known(news)
        messages = self._read(news.gained | replaced.keys())
        anew = [one for one in messages if one.node.node_id in news.gained or self._is_to_link(one, replaced)]
        self._leaving = {one.node.node_id for one in anew if one.node.node_id in replaced}
        dissolved = {row.thread_id for row in (replaced.get(one.node.node_id) for one in anew) if row is not None}
        no_message = replaced.keys() - {one.node.node_id for one in messages}
        self._lost += [replaced[node_id] for node_id in sorted(no_message)]
        names = self._link(self._with_others(anew, dissolved), dissolved)
        self._write(names)

    def _look_at_known(self, news: News) -> dict[int, MemberOfThread]:
        """Note the members that ended or changed their states, and return the rows of those with other bytes."""
        asked = news.ended | news.replaced | news.altered.keys()
        rows = {row.node_id: row for row in threads.list_members(self._unit, self._store_id, asked)}
        for node_id, row in rows.items():
            if node_id in news.ended:
                self._lost.append(row)
            elif node_id in news.altered:
                reading = find_reading(news.altered[node_id], sent=row.is_read == Reading.SENT)
                self._touched.add(row.thread_id)
                if node_id in news.moved:
                    self._moved.add(node_id)
                if reading != row.is_read:
                    self._updated.append((row, row._replace(is_read=int(reading))))
        news.gained |= news.replaced - rows.keys()
        return {node_id: rows[node_id] for node_id in news.replaced & rows.keys()}

    def _read(self, node_ids: Iterable[int], old: dict[int, MemberOfThread] | None = None) -> list[Message]:
        found = links.list_links(self._unit, self._store_id, [*node_ids])
        known = old or {}
        return [Message(node, links, threading.keys_of(links), known.get(node.node_id)) for node, links in found]

    def _is_to_link(self, message: Message, replaced: dict[int, MemberOfThread]) -> bool:
        """Tell whether a message with other bytes refers to others than before; else note its new row."""
        old = replaced[message.node.node_id]
        if threading.digest_of(message.keys) != old.keys:
            return True
        self._touched.add(old.thread_id)
        self._updated.append((old, message.as_member(old.thread_id)))
        return False

    def _with_others(self, anew: list[Message], dissolved: set[int]) -> list[Message]:
        """Return the messages to link, with all members of the threads that are to be made anew."""
        if not dissolved:
            return anew
        gone = {row.node_id for row in self._lost}
        rows = {row.node_id: row for row in threads.list_members_of(self._unit, self._store_id, dissolved)}
        known = {node_id: row for node_id, row in rows.items() if node_id not in gone}
        self._updated = [(old, new) for old, new in self._updated if old.node_id not in known]
        self._touched |= dissolved
        others = self._read(known, known)
        return [*others, *[one for one in anew if one.node.node_id not in known]]

    def _link(self, messages: list[Message], dissolved: set[int]) -> list[Bound]:
        """Find the thread of each message, and return the bindings that are to be made."""
        if not messages:
            return []
        keys = {key for message in messages for key in message.keys}
        known = threads.find_threads(self._unit, self._store_id, keys)
        known = {key: thread_id for key, thread_id in known.items() if thread_id not in dissolved}
        components = threading.partition([message.keys for message in messages], known)
        kept = _oldest_of([one for one in messages if one.node.node_id not in self._leaving])
        left = _oldest_of(messages)
        if dissolved:
            threads.remove_keys(self._unit, self._store_id, dissolved)
        homes: list[tuple[int, Component]] = []
        alone: list[Component] = []
        for component in components:
            members = {messages[at].node.node_id for at in component.messages}
            own = {thread_id for thread_id, node_id in kept.items() if node_id in members}
            candidates = component.threads | own or {
                thread_id for thread_id, node_id in left.items() if node_id in members and thread_id not in kept
            }
            if candidates:
                homes.append((self._join(candidates, dissolved), component))
            else:
                alone.append(component)
        homes += zip(self._make_threads(messages, alone), alone, strict=True)
        fresh: dict[int, int] = {}
        for thread_id, component in homes:
            for at in component.messages:
                fresh |= dict.fromkeys((key for key in messages[at].keys if key not in known), thread_id)
        threads.insert_keys(self._unit, self._store_id, fresh)
        return self._place(messages, homes, dissolved)

    def _join(self, candidates: set[int], dissolved: set[int]) -> int:
        """Return the one of some threads whose first message is the oldest, after the others were merged into it."""
        if len(candidates) == 1:
            return next(iter(candidates))
        ends = threads.list_ends(self._unit, self._store_id, candidates)
        home = min(candidates, key=lambda one: (ends[one] or (0, 0), one))
        for other in sorted(candidates - dissolved - {home}):
            self._merge(other, home)
        return home

    def _merge(self, thread_id: int, home: int) -> None:
        """Give all that a thread has to another one, and unmap it: its URL is gone, its ids lead to the other."""
        names = threads.list_names_in(self._unit, self._store_id, thread_id)
        aliases = {
            threading.key_of_thread(own.name): home
            for own in threads.list_names(self._unit, self._store_id, [thread_id])
        }
        bindings.close_nodes(self._unit, self._ledger, [thread_id], Area.THREADS)
        bindings.close_beneath(self._unit, self._ledger, thread_id, self._ledger.seq)
        rows = [Bound(home, name, node_id, 0) for node_id, name in names]
        bindings.bind_each(self._unit, self._ledger, Area.THREADS, rows)
        threads.merge(self._unit, self._store_id, thread_id, home)
        threads.insert_keys(self._unit, self._store_id, aliases)
        self._drop_properties([thread_id])
        self._merged[thread_id] = home
        self._touched.add(home)

    def _drop_properties(self, thread_ids: Collection[int]) -> None:
        """Let the dead properties of threads go with them, which nothing is charged for then."""
        give_back(self._ledger, properties.drop_properties(self._unit, self._store_id, thread_ids))

    def _make_threads(self, messages: list[Message], components: list[Component]) -> list[int]:
        """Make a thread for each component, and return their ids."""
        if not components:
            return []
        row = empty_collection(now_us=self._now_us, type_=ResourceType.THREAD)
        made = nodes.insert_nodes(self._unit, self._ledger, [row] * len(components))
        root = stores.get_root(self._unit, self._ledger.facts, Area.THREADS)
        rows = [Bound(root, resource_id, node_id, 1) for node_id, resource_id in made]
        bindings.bind_each(self._unit, self._ledger, Area.THREADS, rows)
        for (node_id, _), component in zip(made, components, strict=True):
            self._made[node_id] = _conversation([messages[at] for at in component.messages])
        if not self._ledger.facts.may_hold_threads:
            threads.note_threads(self._unit, self._store_id)
        return [node_id for node_id, _ in made]

    def _place(self, messages: list[Message], homes: list[tuple[int, Component]], dissolved: set[int]) -> list[Bound]:
        """Note the rows of messages in their threads, and return the bindings that are new."""
        bound, moved = [], {}
        for thread_id, component in homes:
            members = [messages[at] for at in component.messages]
            if thread_id not in self._made:
                self._touched.add(thread_id)
                self._conversations[thread_id] = _conversation(members)
            for one in members:
                row = one.as_member(thread_id)
                if one.old is None:
                    self._added.append(row)
                    bound.append(Bound(thread_id, _name(one.node), row.node_id, 0))
                else:
                    self._updated.append((one.old, row))
                    if one.old.thread_id != thread_id:
                        moved[row.node_id] = thread_id
        for thread_id in dissolved - self._conversations.keys():
            self._conversations[thread_id] = None
        exact = {one: self._conversations.pop(one) for one in dissolved}
        threads.set_conversation(self._unit, self._store_id, exact)
        names = threads.list_names(self._unit, self._store_id, moved)
        if moved:
            bindings.close_nodes(self._unit, self._ledger, [*moved], Area.THREADS)
        return [*bound, *[Bound(moved[one.node_id], one.name, one.node_id, 0) for one in names]]

    def _write(self, bound: Sequence[Bound]) -> None:
        """Write the members, their bindings, and the counts of their threads."""
        lost = [row._replace(thread_id=self._home(row.thread_id)) for row in self._lost]
        self._updated = [(old._replace(thread_id=self._home(old.thread_id)), new) for old, new in self._updated]
        counts = self._count(lost)
        if lost:
            gone = [row.node_id for row in lost]
            threads.remove_members(self._unit, self._store_id, gone)
            bindings.close_nodes(self._unit, self._ledger, gone, Area.THREADS)
            self._touched |= {row.thread_id for row in lost}
        threads.update_members(self._unit, self._store_id, [new for old, new in self._updated if old != new])
        threads.insert_members(self._unit, self._store_id, self._added)
        bindings.bind_each(self._unit, self._ledger, Area.THREADS, bound)
        self._settle(counts, self._losing(lost))

    def _home(self, thread_id: int) -> int:
        while thread_id in self._merged:
            thread_id = self._merged[thread_id]
        return thread_id

    def _losing(self, lost: list[MemberOfThread]) -> set[int]:
        """Return the threads whose newest date has to be looked up, and which may have no members any more."""
        left = {
            old.thread_id for old, new in self._updated if (old.thread_id, old.date_us) != (new.thread_id, new.date_us)
        }
        return {row.thread_id for row in lost} | left

    def _count(self, lost: list[MemberOfThread]) -> defaultdict[int, tuple[int, int]]:
        """Return what the changes add to the messages and the unread messages of each thread."""
        there: Counter[tuple[int, int]] = Counter()
        read: Counter[tuple[int, int]] = Counter()
        pairs: Counter[tuple[int, int]] = Counter()
        gone, come = [*lost, *[old for old, _ in self._updated]], [*self._added, *[new for _, new in self._updated]]
        for sign, rows in ((-1, gone), (1, come)):
            for row in rows:
                pair = (row.thread_id, row.identity)
                pairs[pair] += 1
                there[pair] += sign
                read[pair] += sign if row.is_read else 0
        asked = [pair for pair in pairs if pair[0] not in self._made and (there[pair] or read[pair])]
        most = 1 + max(pairs.values(), default=0)
        known = {
            (one.thread_id, one.identity): one
            for one in threads.list_copies(self._unit, self._store_id, asked, most=most)
        }
        added: defaultdict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for pair in pairs:
            before = (known[pair].there, known[pair].read) if pair in known else (0, 0)
            if pair not in known and pair[0] not in self._made:
                continue
            after = (before[0] + there[pair], before[1] + read[pair])
            messages, unread = added[pair[0]]
            difference = (bool(after[0]) - bool(before[0]), _is_unread(after) - _is_unread(before))
            added[pair[0]] = (messages + difference[0], unread + difference[1])
        return added

    def _settle(self, counts: defaultdict[int, tuple[int, int]], losing: set[int]) -> None:
        """Write the counts of threads, end those without members, and give the others a number: they changed."""
        newest: defaultdict[int, int] = defaultdict(int)
        for row in [*self._added, *[new for _, new in self._updated]]:
            newest[row.thread_id] = max(newest[row.thread_id], row.date_us)
        ends = threads.list_ends(self._unit, self._store_id, losing)
        over = [one for one, dates in ends.items() if dates is None]

        def row_of(thread_id: int, conversation_id: str | None) -> Counts:
            dates = ends.get(thread_id)
            last_us = newest[thread_id] if dates is None else dates[1]
            return Counts(thread_id, *counts[thread_id], last_us, dates is not None, conversation_id)

        threads.insert_threads(self._unit, self._store_id, [row_of(*one) for one in self._made.items()])
        rows = [row_of(one, self._conversations.get(one)) for one in sorted(self._touched - {*over})]
        threads.add_counts(self._unit, self._store_id, [row for row in rows if row != Counts(row.thread_id)])
        if over:
            bindings.close_nodes(self._unit, self._ledger, over, Area.THREADS)
            threads.remove_keys(self._unit, self._store_id, over)
            threads.remove(self._unit, self._store_id, over)
            self._drop_properties(over)
        touched = [*sorted(self._moved), *sorted(self._touched - self._made.keys() - {*over})]
        threads.touch(self._unit, self._store_id, {one: self._ledger.number() for one in touched})


def _member(node: NodeOfMessage, links: Links, thread_id: int, digest: int) -> MemberOfThread:
    reading = find_reading(node.flags, sent=links.direction == threading.SENT)
    return MemberOfThread(node.node_id, thread_id, threading.identity_of(links), digest, links.date_us, int(reading))


def _oldest_of(messages: list[Message]) -> dict[int, int]:
    """Return the member with the oldest date of each thread that is made anew, by the thread."""
    members = [(one.old.thread_id, one) for one in messages if one.old is not None]
    return {thread_id: one.node.node_id for thread_id, one in sorted(members, key=lambda it: _age(it[1]), reverse=True)}


def _age(message: Message) -> tuple[int, int]:
    return message.links.date_us, message.node.node_id


def _conversation(messages: list[Message]) -> str | None:
    return next((one.links.conversation_id for one in messages if one.links.conversation_id is not None), None)


def _name(node: NodeOfMessage) -> str:
    """Return the name of a member of a thread, which it keeps."""
    is_cpim = (node.media_type or "").partition(";")[0].strip().lower() == "message/cpim"
    return f"{node.resource_id}.{'cpim' if is_cpim else 'eml'}"


def _is_unread(copies: tuple[int, int]) -> int:
    there, read = copies
    return int(there > 0 and read == 0)
