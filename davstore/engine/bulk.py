"""Many resources beneath one collection, each of which a request changes or refuses by itself, decided in set form.

The order is that of `deciding`: resolve and rights, existence, locks, and what the resource lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress, islice
from typing import Final, NamedTuple

from davstore.engine.locks import find_blocking, locked_by
from davstore.engine.rights import find_lacks_beneath, need
from davstore.engine.room import require_within
from davstore.engine.sight import Sight
from davstore.engine.writer import Member, Writer
from davstore.errors import (
    DavstoreError,
    FailedDependency,
    NotBeneath,
    NotFound,
    PartIsImmutable,
    PropertiesRefused,
    ProtectedProperty,
    Unprocessable,
)
from davstore.errors.rights import NeedPrivileges
from davstore.metadata import listings, places, several, states, stores
from davstore.metadata.several import Found
from davstore.metadata.unit import Unit
from davstore.model.acl import Rights
from davstore.model.conditions import Preconditions
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Area, PartPath, Path
from davstore.model.states import MOST_KEYWORDS, StateChange, together
from davstore.model.views import View
from davstore.policy.needs import find_lacks, is_hidden
from davstore.sync.lenses import find_homes, judge, lens_on

AT_ONCE: Final = 1_000
"""Resources whose facts are looked up together."""

Target = Path | PartPath | DavstoreError
"""A place that a request names and its asker may know of, or the error of one that cannot be among those."""
Targets = Sequence[Target] | View
"""The places that a request names, or a view: then it is about the non-collections that are in it."""


class Choice(NamedTuple):
    """A resource that a request for many is about, and the error for which it stays as it is; None: it does not.

    found is None where an error came before the resource.
    """

    found: Found | None
    refusal: DavstoreError | None = None

    @property
    def resource(self) -> Resource | None:
        """The resource."""
        return None if self.found is None else self.found.resource


def choose(writer: Writer, collection: Member, targets: Targets, act: str) -> list[Choice]:
    """Return a choice for each place that is named, in that order, or for each resource that a view selects.

    Those that the asker may not do an act to are refused.

    Raises:
        TreeTooLarge: a view of more than one request may touch.
    """
    if isinstance(targets, View):
        require_within(writer, collection.get())
        selected = [Choice(found) for found in _each_selected(writer, collection.get(), targets)]
        judged = refuse_unpermitted(writer.sight(), collection.path, selected, act)
        return [one for one in judged if one.found is not None]
    named = find_named(writer.unit, writer.ledger.facts, collection.path, collection.get(), targets)
    named = [one if one.refusal is None else Choice(None, one.refusal) for one in named]
    return refuse_unpermitted(writer.sight(), collection.path, named, act)


def refuse_unpermitted(sight: Sight | None, collection: Path, choices: list[Choice], act: str) -> list[Choice]:
    """Return the choices with the error of each that the asker may not do an act to; what is hidden is not found."""
    if sight is None:
        return choices
    ids = [one.found.resource.node_id for one in choices if one.found is not None]
    standing = dict(zip(ids, sight.each(ids), strict=True))
    return [
        one
        if one.found is None
        else _permitted(sight, collection, one, one.found.resource, *standing[one.found.resource.node_id], act)
        for one in choices
    ]


def _permitted(
    sight: Sight, collection: Path, choice: Choice, resource: Resource, parent: Rights, own: Rights, act: str
) -> Choice:
    if is_hidden(parent, own):
        return Choice(None, NotFound(resource.name))
    place = collection._replace(names=resource.names)
    refusal = need(place, find_lacks(act, parent, own), resource)
    if not refusal.lacks:
        refusal = NeedPrivileges(tuple(find_lacks_beneath(sight, act, place, resource, own)))
    return choice._replace(refusal=refusal) if refusal.lacks else choice


def find_named(
    unit: Unit, facts: StoreFacts, path: Path, collection: Resource, targets: Sequence[Target]
) -> list[Choice]:
    """Return a choice for each place that is named, in that order; path is that of the collection.

    A part of a message beneath it is that message, with PartIsImmutable.
    """
    paths = {one for target in targets if (one := _path_of(target)) is not None}
    found = _find_all(unit, facts, path, collection, paths)
    return [_choice(path, target, found) for target in targets]


def _path_of(target: Target) -> Path | None:
    if isinstance(target, PartPath):
        return target.path
    return target if isinstance(target, Path) else None


def _choice(collection: Path, target: Target, found: Mapping[Path, Found | None]) -> Choice:
    if isinstance(target, DavstoreError):
        return Choice(None, target)
    path = target.path if isinstance(target, PartPath) else target
    if path not in found:
        return Choice(None, NotFound(path.name))
    if not _is_beneath(collection, path):
        return Choice(None, NotBeneath(path.name))
    return Choice(found[path], PartIsImmutable(target.number) if isinstance(target, PartPath) else None)


def _is_beneath(collection: Path, path: Path) -> bool:
    return collection.holds(path) and path != collection


def _find_all(
    unit: Unit, facts: StoreFacts, path: Path, collection: Resource, paths: Iterable[Path]
) -> dict[Path, Found | None]:
    """Return the resources at paths, wherever these are in the store; a root has no collection above it: None."""
    groups: dict[Path, list[Path]] = {}
    for one in paths:
        groups.setdefault(path if _is_beneath(path, one) else one.root, []).append(one)
    found: dict[Path, Found | None] = {top: None for top in groups if not top.names}
    for top, beneath in groups.items():
        top_id = collection.node_id if top == path else stores.get_root(unit, facts, top.area)
        met = several.find_beneath(unit, facts.id, top_id, top.names, {one.names for one in beneath})
        found |= {Path(top.store, names, top.area): place for names, place in met.items()}
    return found


def _each_selected(writer: Writer, top: Resource, view: View) -> Iterator[Found]:
    """Yield the non-collections beneath a collection that are in a view."""
    unit, store_id = writer.unit, writer.ledger.store_id
    names = {top.node_id: top.names}
    for folder in listings.list_collections_beneath(unit, store_id, top.node_id):
        names[folder.node_id] = (*names[folder.parent_id], folder.name)
    lens = lens_on(view, writer.context.now_us, Area(writer.ledger.facts.area))
    rows = (row for row in listings.each_members_of(unit, store_id, names) if not row.is_collection)
    while some := list(islice(rows, AT_ONCE)):
        [shown] = judge(unit, store_id, some, [lens])
        homes = find_homes(unit, store_id, some, [lens])
        for row in compress(some, shown):
            parent = names[row.parent_id]
            if lens.reaches((*parent, row.name), is_collection=False, home=homes.get(row.node_id)):
                yield Found(row.parent_id, row.at(parent))


class Stake(NamedTuple):
    """A resource that ends with one that is deleted, and the collection that it is unmapped in."""

    parent_id: int
    node_id: int


Stakes = Mapping[int, Sequence[Stake]]
"""By the node of what is deleted: itself, with all beneath it; of a thread its messages, wherever they lie."""


def find_stakes(writer: Writer, choices: Iterable[Choice]) -> Stakes:
    """Return what ends with each resource of the choices. Raises TreeTooLarge: threads of too many messages."""
    found = [one.found for one in choices if one.found is not None]
    if writer.ledger.facts.area != Area.THREADS:
        return {one.resource.node_id: [Stake(one.parent_id, one.resource.node_id)] for one in found}
    require_within(writer, *(one.resource for one in found))
    unit, store_id = writer.unit, writer.ledger.store_id
    messages: dict[int, list[int]] = {}
    for _, resource in found:
        messages[resource.node_id] = [] if resource.is_collection else [resource.node_id]
    threads = [node_id for node_id, its in messages.items() if not its]
    for row in listings.each_members_of(unit, store_id, threads):
        messages[row.parent_id].append(row.node_id)
    ended = {one for its in messages.values() for one in its}
    homes = {home.node_id: home.parent_id for home in places.list_homes(unit, store_id, ended)}
    return {node_id: [Stake(homes[one], one) for one in its if one in homes] for node_id, its in messages.items()}


def refuse_locked(
    writer: Writer, choices: Sequence[Choice], conditions: Preconditions, stakes: Stakes | None = None
) -> list[Choice]:
    """Return the choices with the error of each that a lock is in the way of: to change it, or to end its stakes."""
    ids = [one.found.resource.node_id for one in choices if one.found is not None]
    ended = [stake for its in (stakes or {}).values() for stake in its]
    trees = [stake.node_id for stake in ended]
    blocked = find_blocking(writer, conditions, nodes=ids if stakes is None else (), trees=trees)
    holding = find_blocking(writer, conditions, nodes=[stake.parent_id for stake in ended]) if ended else {}
    if not blocked and not holding:
        return [*choices]

    def unless_locked(choice: Choice) -> Choice:
        if choice.found is None:
            return choice
        node_id = choice.found.resource.node_id
        its = [Stake(0, node_id)] if stakes is None else stakes[node_id]
        locks = [lock for one in its for lock in (*blocked.get(one.node_id, ()), *holding.get(one.parent_id, ()))]
        return choice._replace(refusal=locked_by(locks)) if locks else choice

    return [unless_locked(one) for one in choices]


def find_altered(
    writer: Writer,
    choices: Sequence[Choice],
    asked: Mapping[str, StateChange],
    refused: Mapping[str, DavstoreError],
) -> tuple[list[Choice], list[Resource]]:
    """Return the choices with the errors of those whose states cannot be set, and the resources that change.

    asked holds the changes by the names of properties, refused the properties that cannot be changed at all.
    """
    wanted = together(asked.values())
    open_ = [one.resource for one in choices if one.refusal is None and one.resource is not None]
    counts: dict[int, states.KeywordCounts] = {}
    if wanted.added or wanted.dropped:
        ids = [one.node_id for one in open_]
        words = {"added": wanted.added, "dropped": wanted.dropped}
        counts = states.count_keywords(writer.unit, writer.ledger.store_id, ids, **words)
    unsettable = {name: ProtectedProperty(name) for name in asked}
    too_many = {name: Unprocessable("too many keywords") for name, change in asked.items() if change.added}
    judged, altered = [], dict[int, Resource]()
    for choice in choices:
        resource = choice.resource
        if choice.refusal is not None or resource is None:
            judged.append(choice)
            continue
        has = counts.get(resource.node_id) or states.KeywordCounts(resource.node_id, 0, 0, 0)
        added = len(wanted.added) - has.added
        reasons = {**refused, **(unsettable if resource.is_collection else {})}
        if not reasons and added and has.all + added - has.dropped > MOST_KEYWORDS:
            reasons = dict(too_many)
        if reasons:
            judged.append(choice._replace(refusal=PropertiesRefused(reasons)))
            continue
        judged.append(choice)
        if added or has.dropped or wanted.set & ~resource.flags or wanted.clear & resource.flags:
            altered[resource.node_id] = resource
    return judged, list(altered.values())


def find_tops(choices: Iterable[Choice]) -> list[Resource]:
    """Return the resources of choices without those that lie beneath another of them."""
    found = {one.resource.names: one.resource for one in choices if one.refusal is None and one.resource is not None}
    collections = {names for names, one in found.items() if one.is_collection}
    return [
        one
        for names, one in found.items()
        if not collections or collections.isdisjoint(names[:level] for level in range(1, len(names)))
    ]


def all_or_none(choices: Sequence[Choice]) -> list[Choice]:
    """Return the choices, where one is refused with an error for each of the others, which depends on it."""
    if all(one.refusal is None for one in choices):
        return [*choices]
    return [one if one.refusal is not None else one._replace(refusal=FailedDependency()) for one in choices]


def facts_at_end(writer: Writer) -> Callable[[], StoreFacts]:
    """Return the function that returns the row of the store as it is at the end of the unit, for a sync token."""
    ledger = writer.ledger
    return lambda: ledger.facts._replace(seq=ledger.seq)
