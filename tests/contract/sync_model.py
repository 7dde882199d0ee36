"""A model of RFC 6578 in memory: an independent judge of the store's reports (docs/sync.md).

The model knows nothing of bindings, numbers or tombstones. It holds the resources by URL, when each URL last changed
and when it last went away, in ticks of its own; a device holds what it was told and is compared with both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from davstore.errors import InvalidSyncToken, NotFound, UnsupportedReport
from davstore.model.changes import Changes, Level, Removed, SyncToken
from davstore.model.facets import PROPERTIES
from davstore.model.rules import Reach
from davstore.model.states import Flag, StateChange
from davstore.model.views import EVERYTHING, View
from davstore.model.where import Compare, Comparison, Fact, Form, IsDefined, Not, Or, Source, Where
from davstore.store import bulk, syncing
from tests.contract.storage import Storage

Url = tuple[str, ...]

PROPERTY = "{urn:x}note"
_SEEN = Fact(Source.FLAG, str(int(Flag.SEEN)))
LONG = 125
"""The length of a letter with a number of three digits."""
_LENGTH = Fact(Source.RESOURCE, "length", Form.NUMBER)


class Disagreement(AssertionError):
    """The store reported a row to a device that RFC 6578 forbids, or left out one that it demands."""


@dataclass(frozen=True)
class Entry:
    """The content at a URL, and the tick it last changed at. The rest is of a message: its length, state and time."""

    etag: str | None
    note: bytes | None
    changed: int
    length: int = 0
    is_seen: bool = False
    date_s: int = 0

    @property
    def is_collection(self) -> bool:
        """Tell whether it is a collection."""
        return self.etag is None


@dataclass(frozen=True)
class ModelView:
    """A view, and what it is in words of the model: which messages it selects, and which URLs are in its folders."""

    view: View
    selects: Callable[[Entry], bool] = lambda _: True
    holds: Callable[[Url, bool], bool] = lambda _url, _is_collection: True
    max_age_s: int | None = None

    def shows(self, url: Url, entry: Entry, at_s: int) -> bool:
        """Tell whether an entry is in the view at a time."""
        if not self.holds(url, entry.is_collection):
            return False
        is_young = self.max_age_s is None or entry.date_s >= at_s - self.max_age_s
        return entry.is_collection or (is_young and self.selects(entry))


def _where(where: Where, selects: Callable[[Entry], bool]) -> ModelView:
    return ModelView(View(where), selects)


MOST_AGE_S = 60
VIEWS: dict[str, ModelView] = {
    "everything": ModelView(EVERYTHING),
    "unread": _where(Not(IsDefined(_SEEN)), lambda entry: not entry.is_seen),
    "read": _where(Compare(Comparison.EQ, _SEEN, "T"), lambda entry: entry.is_seen),
    "never known": _where(Not(Compare(Comparison.EQ, _SEEN, "F")), lambda entry: entry.is_seen),
    "unread or long": _where(
        Or((Not(IsDefined(_SEEN)), Compare(Comparison.GTE, _LENGTH, LONG))),
        lambda entry: not entry.is_seen or entry.length >= LONG,
    ),
    "young": ModelView(View(max_age_seconds=MOST_AGE_S), max_age_s=MOST_AGE_S),
    "without b": ModelView(View(exclude=(("b",),)), holds=lambda url, _: url[:1] != ("b",)),
    "no c": ModelView(View(exclude=(("**", "c"),)), holds=lambda url, _: "c" not in url),
    "in a": ModelView(View(include=((Reach(("a",)),),)), holds=lambda url, _: url[:1] in ((), ("a",))),
    "flat a": ModelView(
        View(include=((Reach(("a",), is_deep=False),),)), holds=lambda url, _: url[:1] in ((), ("a",)) and len(url) < 3
    ),
    "young and unread in a/b": ModelView(
        View(Not(IsDefined(_SEEN)), MOST_AGE_S, ((Reach(("a", "b")),),)),
        lambda entry: not entry.is_seen,
        lambda url, is_collection: url[:2] == ("a", "b") or (is_collection and url in ((), ("a",))),
        MOST_AGE_S,
    ),
}
"""Views; of what is unknown nothing is selected."""


def letter(number: int, date_s: int) -> bytes:
    """Return a message of a time. Some refer to others, so that threads come, grow, meet and part."""
    date = format_datetime(datetime.fromtimestamp(date_s, UTC))
    own, other = number * 5 % 23, number * 7 % 23 if number % 4 else 99
    head = f"Message-ID: <{own:02}@example.org>\r\nReferences: <{other:02}@example.org>\r\nDate: {date}"
    return f"From: a@example.org\r\n{head}\r\n\r\n{number}".encode()


@dataclass
class Model:
    """The resources of a store by URL, and the tick each URL last went away at."""

    tick: int = 0
    entries: dict[Url, Entry] = field(default_factory=dict)
    gone: dict[Url, int] = field(default_factory=dict)

    def beneath(self, url: Url) -> list[Url]:
        """Return the URLs of all that lies beneath a URL."""
        return [other for other in self.entries if len(other) > len(url) and other[: len(url)] == url]

    def is_collection(self, url: Url) -> bool:
        """Tell whether a URL shows a collection; the root always does."""
        return not url or (url in self.entries and self.entries[url].is_collection)

    def show(self, url: Url, etag: str | None, note: bytes | None = None, **more: Any) -> None:
        """Let a URL show something, changed now; more are facts of a message."""
        self.entries[url] = Entry(etag, note, self.tick, **more)

    def alter(self, url: Url, **more: Any) -> None:
        """Let facts of what a URL shows change now."""
        self.entries[url] = dataclasses.replace(self.entries[url], changed=self.tick, **more)

    def remove(self, url: Url) -> None:
        """Let a URL and all beneath go away now."""
        for one in [url, *self.beneath(url)]:
            del self.entries[one]
            self.gone[one] = self.tick

    def carry(self, source: Url, target: Url, *, away: bool) -> None:
        """Let a tree show at another place too (COPY) or instead (MOVE), over what is there."""
        tree = {one[len(source) :]: self.entries[one] for one in [source, *self.beneath(source)]}
        if away:
            self.remove(source)
        if target in self.entries:
            self.remove(target)
        for rest, entry in tree.items():
            self.entries[(*target, *rest)] = entry
            self.alter((*target, *rest), is_seen=entry.is_seen and away)  # a copy begins without states


@dataclass
class Device:
    """A client of sync-collection: its mirror of one scope, and the rows that it was given, with their time."""

    scope: Url
    level: Level
    token: SyncToken | None = None
    mirror: dict[Url, tuple[str | None, bytes | None]] = field(default_factory=dict)
    told: dict[Url, int] = field(default_factory=dict)  # in the current run
    complete: int = -1  # the tick it was last complete at
    base: int | None = None  # what the current run began with; None between runs
    truncated_at: int | None = None  # the tick of the last page, when that was truncated
    view: str = "everything"  # that it asks in from now on
    asked: str = "everything"  # that of its token
    is_relisting: bool = False  # the view was changed in the current run
    retold: dict[Url, int] = field(default_factory=dict)  # since it was changed
    before: str | None = None  # the view before, of which the device had all when the run began
    at_s: int = 0  # when the view was judged: of a run when it began
    before_s: int = 0  # the same of the view before

    def _begin_view(self, now_s: int) -> None:
        """Notice that the view is another one than that of the token, or that time has passed since."""
        is_other = self.view != self.asked
        has_aged = self.base is None and VIEWS[self.view].max_age_s is not None and now_s > self.at_s
        if self.token is not None and (is_other or has_aged):
            self.before, self.before_s = (self.asked, self.at_s) if self.base is None else (None, 0)
            self.is_relisting = True
            if self.base is None:
                self.base = self.complete
                self.told = {}
            self.retold = {}
        if self.base is None or self.token is None or is_other or has_aged:
            self.at_s = now_s
        self.asked = self.view

    def _had(self, url: Url, entry: Entry) -> bool:
        """Tell whether the device had an entry that did not change since the run began, in the view before."""
        return self.before is not None and VIEWS[self.before].shows(url, entry, self.before_s)

    def _shows(self, url: Url, entry: Entry) -> bool:
        return VIEWS[self.view].shows(url, entry, self.at_s)

    def _may_know(self, url: Url) -> bool:
        """Tell whether a URL that is gone may have been in the view, or in the one before."""
        known = [self.view, *([] if self.before is None else [self.before])]
        is_new = self.is_relisting and self.before is None
        return is_new or any(VIEWS[one].holds(url, kind) for one in known for kind in (True, False))

    def checkpoint(self) -> Device:
        """Return the device as it is now: it may come back to this, with this token."""
        return dataclasses.replace(self, mirror=dict(self.mirror), told=dict(self.told), retold=dict(self.retold))

    def start_again(self) -> None:
        """Forget everything, as a client does whose token is refused."""
        vars(self).update(vars(Device(self.scope, self.level, view=self.view)))

    def is_swept(self, storage: Storage) -> bool:
        """Tell whether the history since the run began is swept: only then may the token be refused."""
        if self.token is None:
            return False
        return (self.token.position.base if self.token.position else self.token.number) < storage.facts.floor

    def page(self, storage: Storage, model: Model, limit: int | None) -> bool:
        """Ask for one page and judge it; True when the device is complete."""
        where = f"{'/'.join(self.scope)!r} level {self.level.value} limit {limit}"
        try:
            changes = syncing.changes_since(
                storage.context,
                storage.at("/".join(self.scope)),
                self.token,
                level=self.level,
                limit=limit,
                facets={PROPERTIES},
                view=VIEWS[self.view].view,
            )
        except NotFound:
            _require(self.scope and self.scope not in model.entries, f"{where}: the scope is there")
            return True
        except InvalidSyncToken:
            _require(self.is_swept(storage), f"{where}: refused, with the history at hand")
            self.start_again()
            return False
        except UnsupportedReport:
            _require(not model.is_collection(self.scope), f"{where}: the scope is a collection")
            return True
        _require(model.is_collection(self.scope), f"{where}: there is no such collection")
        _require(not self.is_swept(storage), f"{where}: answered, with its history swept")
        self._begin_view(storage.now_us // 1_000_000)
        if self.base is None:
            self.base, self.told = model.tick if self.token is None else self.complete, {}
        self._judge_size(changes, limit, model, where)
        for row in changes.rows:
            if isinstance(row, Removed) and row.out_of_view:
                self._hide(row.names, model, where)
            elif isinstance(row, Removed):
                self._lose(row.names, model, where)
            else:
                notes = changes.facets.of(PROPERTIES).get(row.node_id, {})
                self._learn(row.names, (row.etag, notes.get(PROPERTY)), model, where)
        self.token = changes.token
        self.truncated_at = model.tick if changes.truncated else None
        if not changes.truncated:
            self._finish(model, where)
        return not changes.truncated

    def _judge_size(self, changes: Changes, limit: int | None, model: Model, where: str) -> None:
        names = [row.names for row in changes.rows]
        _require(len(set(names)) == len(names), f"{where}: a URL twice on a page (RFC 6578 §3.5)")
        _require(limit is None or len(names) <= limit, f"{where}: more rows than asked for (§3.7)")
        _require(not changes.truncated or len(names) == limit, f"{where}: truncated before the limit")
        if self.truncated_at == model.tick:
            _require(names, f"{where}: truncated, and nothing more to tell")

    def _covers(self, url: Url) -> bool:
        depth = len(url) - len(self.scope)
        inside = depth > 0 and url[: len(self.scope)] == self.scope
        return inside and (self.level is Level.INFINITE or depth == 1)

    def _learn(self, url: Url, facts: tuple[str | None, bytes | None], model: Model, where: str) -> None:
        _require(self._covers(url), f"{where}: {url} is not in the scope")
        entry = model.entries.get(url)
        _require(entry is not None, f"{where}: {url} told as there (§3.5.1)")
        assert entry is not None
        _require(facts == (entry.etag, entry.note), f"{where}: {url} told as {facts}, is {entry}")
        _require(self._shows(url, entry), f"{where}: {url} is not in the view, and told as there")
        if self.is_relisting:
            _require(entry.changed > self.retold.get(url, -1), f"{where}: {url} told twice, unchanged")
            self.retold[url] = model.tick
            assert self.base is not None
            is_news = entry.changed > self.base or not self._had(url, entry)
            _require(is_news, f"{where}: {url} told, which is in both views")
        elif url in self.told:
            _require(entry.changed > self.told[url], f"{where}: {url} told twice, unchanged")
        elif self.complete >= 0:
            _require(entry.changed > self.complete, f"{where}: {url} told, unchanged since the token")
        self.told[url] = model.tick
        self.mirror[url] = facts

    def _hide(self, url: Url, model: Model, where: str) -> None:
        assert self.base is not None
        _require(self._covers(url), f"{where}: {url} is not in the scope")
        entry = model.entries.get(url)
        _require(entry is not None and not self._shows(url, entry), f"{where}: {url} told as out of view, is {entry}")
        assert entry is not None
        is_news = entry.changed > self.base or (self.is_relisting and (self.before is None or self._had(url, entry)))
        _require(is_news, f"{where}: {url} told as out of view, unchanged")
        above = url[:-1]
        _require(
            above == self.scope or VIEWS[self.view].holds(above, True),  # noqa: FBT003  a collection
            f"{where}: {url} told as out of view beneath a folder that is",
        )
        self.told.pop(url, None)
        self.mirror.pop(url, None)
        self._forget_beneath(url)

    def _lose(self, url: Url, model: Model, where: str) -> None:
        assert self.base is not None
        _require(self._covers(url), f"{where}: {url} is not in the scope")
        _require(url not in model.entries, f"{where}: {url} is there, told as removed (§3.5.2)")
        _require(
            len(url) == len(self.scope) + 1 or url[:-1] in model.entries,
            f"{where}: {url} told as removed beneath a removed collection (§3.5.2)",
        )
        _require(model.gone.get(url, -1) > self.base, f"{where}: {url} did not go away since the token")
        _require(self._may_know(url), f"{where}: {url} told as removed, which never was in the view")
        self.told.pop(url, None)
        self.mirror.pop(url, None)
        self._forget_beneath(url)

    def _forget_beneath(self, url: Url) -> None:
        for other in [one for one in self.mirror if len(one) > len(url) and one[: len(url)] == url]:
            del self.mirror[other]

    def _finish(self, model: Model, where: str) -> None:
        fresh = {url: entry for url, entry in model.entries.items() if self._covers(url) and self._shows(url, entry)}
        shown = {url: (entry.etag, entry.note) for url, entry in fresh.items()}
        _require(self.mirror == shown, f"{where}: the mirror is wrong in {_differences(self.mirror, shown)}")
        for url, entry in fresh.items():
            told = self.told.get(url, self.complete)
            _require(told >= entry.changed, f"{where}: {url} changed and was not told (§3.5.1)")
        self.complete, self.base, self.truncated_at = model.tick, None, None
        self.is_relisting, self.before = False, None


def _require(held: object, what: str) -> None:
    if not held:
        raise Disagreement(what)


def _differences(mirror: dict[Url, tuple[str | None, bytes | None]], shown: object) -> list[str]:
    assert isinstance(shown, dict)
    wrong = [url for url in {*mirror, *shown} if mirror.get(url) != shown.get(url)]
    return sorted(f"{'/'.join(url)}: {mirror.get(url)} for {shown.get(url)}" for url in wrong)


@dataclass
class Pair:
    """A store and the model of it, kept in step: each operation is done to both."""

    storage: Storage
    model: Model = field(default_factory=Model)

    def _at(self, url: Url) -> str:
        self.model.tick += 1
        return "/".join(url)

    def put(self, url: Url) -> None:
        """Write a new body. The states of an old one stay."""
        at = self._at(url)
        date_s = self.storage.now_us // 1_000_000 - self.model.tick * 37 % MOST_AGE_S
        body = letter(self.model.tick, date_s)
        written = self.storage.put(at, body)
        old, facts = self.model.entries.get(url), {"length": len(body), "date_s": date_s}
        is_seen = old is not None and old.is_seen
        self.model.show(url, written.resource.etag, old.note if old else None, is_seen=is_seen, **facts)

    def mkcol(self, url: Url) -> None:
        """Make a collection."""
        self.storage.mkcol(self._at(url))
        self.model.show(url, None)

    def delete(self, url: Url) -> None:
        """Delete a resource or a tree."""
        self.storage.delete(self._at(url))
        self.model.remove(url)

    def proppatch(self, url: Url) -> None:
        """Change a dead property."""
        note = b"<note xmlns='urn:x'>%d</note>" % self.model.tick
        self.storage.proppatch(self._at(url), (PROPERTY, note))
        self.model.alter(url, note=note)

    def mark(self, url: Url) -> None:
        """Mark a non-collection as seen, or as not seen if it was."""
        old = self.model.entries[url]
        change = StateChange(clear=Flag.SEEN) if old.is_seen else StateChange(set=Flag.SEEN)
        self.storage.mark(self._at(url), change)
        self.model.alter(url, is_seen=not old.is_seen)

    def mark_several(self, urls: Sequence[Url]) -> None:
        """Mark non-collections as seen, in one request."""
        places = [self.storage.at(self._at(url)) for url in urls]
        change = {"{urn:x}seen": StateChange(set=Flag.SEEN)}
        done = bulk.update(self.storage.context, self.storage.at(""), places, change, strict=True)
        assert all(one.refusal is None for one in done.choices)
        for url in urls:
            if not self.model.entries[url].is_seen:
                self.model.alter(url, is_seen=True)

    def delete_several(self, urls: Sequence[Url]) -> None:
        """Delete resources and trees in one request, one of them perhaps within another."""
        places = [self.storage.at(self._at(url)) for url in urls]
        done = bulk.delete(self.storage.context, self.storage.at(""), places, strict=True)
        assert all(one.refusal is None for one in done.choices)
        for url in urls:
            if url in self.model.entries:
                self.model.remove(url)

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.storage.now_us += seconds * 1_000_000

    def move(self, source: Url, target: Url) -> None:
        """Move a resource or a tree, over what is there."""
        self.storage.move(self._at(source), "/".join(target))
        self.model.carry(source, target, away=True)

    def copy(self, source: Url, target: Url) -> None:
        """Copy a resource or a tree, over what is there."""
        self.storage.copy(self._at(source), "/".join(target))
        self.model.carry(source, target, away=False)
