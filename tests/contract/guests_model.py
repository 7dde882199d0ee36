"""A model of what a guest may see of a store, by URL: an independent judge of its reports (docs/sync.md#rights).

A guest is told what changed between its reports, so its rights count as they are when it reports; what it really might
have seen, and when, is kept beside that: no name is told that never was in its sight.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from davstore.engine.context import Context
from davstore.errors import NotFound
from davstore.errors.rights import NeedPrivileges
from davstore.metadata import lists, memberships
from davstore.model.acl import AskedAce, Privilege
from davstore.model.principals import NamedPrincipal, Principal, PrincipalKind, User
from davstore.store import controlling, syncing
from tests.contract.storage import Storage, add_user
from tests.contract.sync_model import Device, Disagreement, Model, Pair, Url

OWNER = NamedPrincipal(PrincipalKind.USER, "me")
GUEST = NamedPrincipal(PrincipalKind.USER, "guest")
FAMILY = NamedPrincipal(PrincipalKind.LIST, "family", "me")


class Entry(NamedTuple):
    """An entry of an access control list: for the guest or for the list that it may be in."""

    by_list: bool
    denies: bool
    privileges: int
    expires_us: int | None = None


class Denied(NamedTuple):
    """What is denied of a node to the guest: the node, or to list it."""

    itself: bool
    members: bool


class Asking:
    """One request of the guest: the part of `Storage` that `Device.page` takes."""

    def __init__(self, storage: Storage, context: Context) -> None:
        self.context = context
        self.at, self.facts, self.now_us = storage.at, storage.facts, storage.now_us


class Guest:
    """A user that others share with."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        storage.database.write(lambda unit: add_user(unit, "guest", now_us=storage.now_us))
        ids = storage.database.read(lambda unit: memberships.find_ids(unit, [GUEST, OWNER]))
        self.id, self.owner_id = ids[GUEST], ids[OWNER]

    @property
    def context(self) -> Context:
        """Return a request's view."""
        principal = Principal(User(self.id, "guest", 2, 1, disabled=False))
        return dataclasses.replace(self._storage.context, asker=principal)


@dataclass
class SharedPair(Pair):
    """A store that is shared, and the model of it."""

    entries: dict[int, list[Entry]] = field(default_factory=dict)
    """By the number of a node: entries go with it where it is moved. 0 is the root."""
    nodes: dict[Url, int] = field(default_factory=lambda: {(): 0})
    made: int = 0
    is_member: bool = False
    judged: dict[int, Denied] = field(default_factory=dict)
    """What was denied when the guest last reported."""
    scoped: dict[Url, Model] = field(default_factory=dict)
    """What the guest would list in each scope, if its rights were still those."""
    really: dict[Url, dict[Url, int]] = field(default_factory=dict)
    """The tick at which each URL of a scope was last in sight."""
    lost: dict[Url, int] = field(default_factory=dict)
    """The tick at which each scope last showed something else than its reports would: none has told that."""

    def __post_init__(self) -> None:
        self.guest = Guest(self.storage)
        self.list_id = self.storage.database.write(lambda unit: lists.add_list(unit, self.guest.owner_id, "family")).id

    # Rights.

    def _holding(self, url: Url) -> Iterator[Entry]:
        for one in self.entries.get(self.nodes[url], ()):
            if (self.is_member or not one.by_list) and (one.expires_us is None or self.storage.now_us < one.expires_us):
                yield one

    def _denied(self, url: Url) -> Denied:
        bits = 0
        for one in self._holding(url):
            bits |= one.privileges if one.denies else 0
        return Denied(bool(bits & Privilege.ACCESS), bool(bits & Privilege.LIST))

    def may_list(self, url: Url) -> bool:
        """Tell whether the guest may list a collection now."""
        chain = [url[:length] for length in range(len(url) + 1)]
        if any(one not in self.nodes for one in chain):
            return False
        granted = any(not one.denies for above in chain for one in self._holding(above))
        return granted and not any(any(self._denied(above)) for above in chain)

    def _shown(self, scope: Url, denied: Callable[[Url], Denied]) -> Iterator[Url]:
        for url in self.model.beneath(scope):
            above = [url[:length] for length in range(len(scope) + 1, len(url))]
            if not denied(url).itself and not any(any(denied(one)) for one in above):
                yield url

    def judge(self) -> None:
        """Let the rights of now be those that count: the guest reports."""
        now = {self.nodes[url]: denied for url in self.model.entries if any(denied := self._denied(url))}
        if now != self.judged:
            self.model.tick += 1
            self.judged = now
            self.follow()

    def follow(self) -> None:
        """Let what the guest would list, and what it really could, follow a change."""
        tick, entries, nothing = self.model.tick, self.model.entries, Denied(False, False)  # noqa: FBT003
        for scope, model in self.scoped.items():
            shown = set(self._shown(scope, lambda url: self.judged.get(self.nodes[url], nothing)))
            model.tick = tick
            for url in [one for one in model.entries if one not in shown]:
                del model.entries[url]
                if url != scope:
                    model.gone[url] = tick
            for url in shown:
                is_news = url not in model.entries or entries[url].changed == tick
                changed = tick if is_news else model.entries[url].changed
                model.entries[url] = dataclasses.replace(entries[url], changed=changed)
            if scope in entries:
                model.entries[scope] = entries[scope]
            real = set(self._shown(scope, self._denied)) if self.may_list(scope) else None
            self.really[scope].update(dict.fromkeys(real or (), tick))
            if real != shown:
                self.lost[scope] = tick

    # Operations.

    def put(self, url: Url) -> None:
        """Write a new body."""
        super().put(url)
        self._name(url)
        self.follow()

    def mkcol(self, url: Url) -> None:
        """Make a collection."""
        super().mkcol(url)
        self._name(url)
        self.follow()

    def _name(self, url: Url) -> None:
        if url not in self.nodes:
            self.made += 1
            self.nodes[url] = self.made

    def _forget(self) -> None:
        self.nodes = {url: node for url, node in self.nodes.items() if not url or url in self.model.entries}

    def delete(self, url: Url) -> None:
        """Delete a resource or a tree."""
        super().delete(url)
        self._forget()
        self.follow()

    def proppatch(self, url: Url) -> None:
        """Change a dead property."""
        super().proppatch(url)
        self.follow()

    def mark(self, url: Url) -> None:
        """Mark a non-collection as seen, or as not seen if it was."""
        super().mark(url)
        self.follow()

    def move(self, source: Url, target: Url) -> None:
        """Move a resource or a tree: its entries go with it."""
        tree = {
            (*target, *url[len(source) :]): node for url, node in self.nodes.items() if url[: len(source)] == source
        }
        super().move(source, target)
        self._forget()
        self.nodes = {url: node for url, node in self.nodes.items() if url[: len(target)] != target} | tree
        self.follow()

    def copy(self, source: Url, target: Url) -> None:
        """Copy a resource or a tree: without its entries."""
        super().copy(source, target)
        self.nodes = {url: node for url, node in self.nodes.items() if url[: len(target)] != target}
        for url in [target, *self.model.beneath(target)]:
            self._name(url)
        self.follow()

    def control(self, url: Url, entries: list[Entry]) -> None:
        """Replace the entries of a resource."""
        self.model.tick += 1
        asked = []
        for one in entries:
            who = FAMILY if one.by_list else GUEST
            asked.append((who, AskedAce("", one.denies, one.privileges, one.expires_us, None)))
        controlling.set_acl(self.storage.context, self.storage.at("/".join(url)), asked)
        self.entries[self.nodes[url]] = entries
        if url:
            self.model.alter(url)
        self.follow()

    def join(self, *, is_member: bool) -> None:
        """Let the guest be in the list, or not."""
        self.model.tick += 1
        members = [self.guest.id] if is_member else []
        self.storage.database.write(lambda unit: lists.set_members(unit, self.list_id, members))
        self.is_member = is_member
        self.follow()


@dataclass
class GuestDevice(Device):
    """A device of the guest."""

    really: dict[Url, int] = field(default_factory=dict)
    is_broken: bool = False  # in a run, since whose base rights were changed and given back untold

    def ask(self, pair: SharedPair, limit: int | None) -> bool:
        """Ask for one page and judge it; True when the device is complete, or may not ask."""
        context = pair.guest.context  # the time of the request
        pair.follow()
        if not pair.may_list(self.scope):
            self._require_refusal(pair, context)
            return True
        pair.judge()
        self.is_broken = self.base is not None and pair.lost.get(self.scope, -1) >= self.base
        self.really = pair.really[self.scope]
        asking = Asking(pair.storage, context)
        return self.page(asking, pair.scoped[self.scope], limit)  # type: ignore[arg-type]

    def _require_refusal(self, pair: SharedPair, context: Context) -> None:
        place = pair.storage.at("/".join(self.scope))
        try:
            syncing.changes_since(context, place, self.token, level=self.level, limit=1)
        except (NotFound, NeedPrivileges):
            return
        raise Disagreement(f"{self.scope} is told to one who may not list it")

    def _lose(self, url: Url, model: Model, where: str) -> None:
        assert self.base is not None
        is_known = url in self.mirror or self.really.get(url, -1) >= self.base
        if not is_known and not self.is_broken:
            raise Disagreement(f"{where}: {url} told as removed, which never was in sight")
        super()._lose(url, model, where)
