"""The rights of an asker: the only place where the asker and the owner of a store are compared.

The owner may do everything. Others may do what the access control lists of the store say (docs/sharing.md): to one that
no entry names, every URL of the store is as if unmapped. A service sees no store, and may deliver into each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Final, NamedTuple

from davstore.engine.context import Context
from davstore.errors import NotFound
from davstore.errors.rights import Lack, NeedPrivileges
from davstore.metadata import aces, shares, stores
from davstore.metadata.bindings import Resolved, Step
from davstore.metadata.shares import Held
from davstore.metadata.unit import Unit
from davstore.model.acl import NONE, Ace, Privilege, Rights
from davstore.model.facets import ANSWERS, CONVERSATION, ORIGINAL, SESSIONS, Facets
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Area, Path
from davstore.model.principals import Ability, Asker, Device, Principal, PrincipalName, Service
from davstore.model.rules import names_at
from davstore.model.views import View
from davstore.model.where import Or, Where
from davstore.policy import needs
from davstore.policy.needs import On
from davstore.protocol.urls import Known


class Standing(NamedTuple):
    """The rights of an asker at a URL: on the collection above it, and on the resource there; None: it is unmapped.

    is_hidden: the asker may not know of the resource; at an unmapped URL, of the last collection on the way.
    """

    parent: Rights
    resource: Rights | None
    is_hidden: bool = False


class Sight:
    """The entries of a store that name an asker who is not its owner, by node, as one snapshot saw them."""

    def __init__(self, unit: Unit, store_id: int, entries: Mapping[int, Sequence[Ace]]) -> None:
        self._unit = unit
        self._store_id = store_id
        self._entries = entries
        self._own = {node_id: _rights_of(own) for node_id, own in entries.items()}

    def __bool__(self) -> bool:
        return bool(self._own)

    def along(self, node_ids: Iterable[int], above: Rights = NONE) -> Rights:
        """Return the rights at the end of a chain of nodes, each of which inherits the entries of those above."""
        return reduce(self.below, node_ids, above)

    def below(self, above: Rights, node_id: int) -> Rights:
        """Return the rights on a node that inherits others."""
        own = self._own.get(node_id)
        return above if own is None else above.with_(own)

    def at(self, place: Resolved, area: int) -> Standing:
        """Return the standing at a place. A member of a thread inherits from its folder, not from the thread."""
        above = [step.node_id for step in place.steps]
        if area == Area.THREADS and place.resource is not None and not place.resource.is_collection:
            node_id = place.resource.node_id
            above = aces.list_home_chains(self._unit, self._store_id, [node_id])[node_id]
        over = self.along(above[:-1])
        parent = self.along(above[-1:], over)
        if place.last is None or place.resource is None:
            return Standing(parent, None, is_hidden=needs.is_hidden(over, parent))
        own = self.below(parent, place.last.node_id)
        return Standing(parent, own, is_hidden=needs.is_hidden(parent, own))

    def knows(self, place: Resolved, area: int) -> bool:
        """Tell whether the asker may know of a resource at a place, or that there is none."""
        standing = self.at(place, area)
        if standing.resource is not None and not standing.is_hidden:
            return True
        return standing.parent.has(Privilege.ACCESS)

    def opens(self, place: Resolved, area: int) -> bool:
        """Tell whether the asker may read the resource at a place."""
        standing = self.at(place, area)
        return standing.resource is not None and standing.resource.has(Privilege.ACCESS)

    def opened(self, resources: Sequence[Resource], area: Area) -> list[Resource]:
        """Return those of some URLs that the asker may read; none inside threads, which others may not know."""
        asked = [one for one in resources if area is Area.STORE or one.is_collection]
        rights = self.each([one.node_id for one in asked])
        return [one for one, (_, own) in zip(asked, rights, strict=True) if own.has(Privilege.ACCESS)]

    def each(self, node_ids: Sequence[int]) -> Iterator[tuple[Rights, Rights]]:
        """Yield the rights on the collection above each of some nodes, by the area of the store, and on the node."""
        chains = aces.list_home_chains(self._unit, self._store_id, node_ids)
        for node_id in node_ids:
            parent = self.along(chains[node_id])
            yield parent, self.below(parent, node_id)

    def denied_beneath(self, resource: Resource) -> int:
        """Return the privileges that entries beneath a collection deny."""
        return self.along(self.list_denying(resource)).denied

    def list_denying(self, resource: Resource) -> list[int]:
        """Return the nodes beneath a collection that have entries which deny."""
        denying = [node_id for node_id, own in self._own.items() if own.denied]
        if not denying or not resource.is_collection:
            return []
        chains = aces.list_home_chains(self._unit, self._store_id, denying)
        return [node_id for node_id, above in chains.items() if resource.node_id in above]

    @property
    def named(self) -> frozenset[int]:
        """The numbers of the principals whose entries hold for the asker."""
        return frozenset([one.principal_id for own in self._entries.values() for one in own])

    def beneath(self, place: Resolved, area: int) -> Beneath:
        """Return what the asker sees beneath a resource that it may read."""
        resource, standing = place.resource, self.at(place, area)
        if resource is None or standing.resource is None:
            raise NotFound("nothing is there")
        filters = [own for step in (*place.steps, place.last) for own in self._filters(step)]
        return Beneath(self, resource, standing.resource, area, filters)

    def _filters(self, step: Step | None) -> list[Where | None]:
        own = () if step is None else self._entries.get(step.node_id, ())
        return [one.filter for one in own if not one.denies and one.privileges & Privilege.LIST_FILTERED]


class Beneath:
    """The resources beneath one that its asker may know of. They are asked about from above down."""

    def __init__(self, sight: Sight, top: Resource, rights: Rights, area: int, filters: Sequence[Where | None]) -> None:
        self.sight = sight
        self._top = top
        self._area = area
        self._lists_all = rights.has(Privilege.LIST)
        self._needed = Privilege.LIST if self._lists_all else Privilege.LIST_FILTERED
        self._filters = [one for one in filters if one is not None]
        self._known = {top.names: rights}
        self.rights = {top.node_id: rights}
        """The rights on the resources that were shown, by node."""

    def narrowed(self, view: View) -> View:
        """Return a view within the filters that bound the asker's listings here (`C:list-filtered`)."""
        if self._lists_all or not self._filters:
            return view
        bound = self._filters[0] if len(self._filters) == 1 else Or(tuple(self._filters))
        return view.narrowed(View(where=bound))

    def is_listed(self, view: View) -> bool:
        """Tell whether members are listed: all, or those that a filter chooses."""
        rights = self._known[self._top.names]
        return self._lists_all or (rights.has(Privilege.LIST_FILTERED) and view.where is not None)

    def shown(self, resources: Sequence[Resource]) -> tuple[list[Resource], list[Resource]]:
        """Return those of some resources that the asker may read, and those that it may know of and not read."""
        folders, opened, refused = self._of_messages(resources), [], []
        for one in sorted(resources, key=lambda one: len(one.parent)):
            if one.node_id == self._top.node_id and one.names == self._top.names:
                opened.append(one)
                continue
            above = self._known.get(one.parent)
            if above is None or not above.has(self._needed):
                continue
            parent, own = folders.get(one.node_id) or (above, self.sight.below(above, one.node_id))
            if needs.is_hidden(parent, own):
                continue
            if not own.has(Privilege.ACCESS):
                refused.append(one)
                continue
            opened.append(one)
            self.rights[one.node_id] = own
            if one.is_collection:
                self._known[one.names] = own
        return opened, refused

    def _of_messages(self, resources: Sequence[Resource]) -> dict[int, tuple[Rights, Rights]]:
        """Return the rights on the folder of each member of a thread, and on the member."""
        if self._area != Area.THREADS:
            return {}
        ids = [one.node_id for one in resources if not one.is_collection]
        return dict(zip(ids, self.sight.each(ids), strict=True))


def _rights_of(entries: Iterable[Ace]) -> Rights:
    granted = denied = 0
    for one in entries:
        if one.denies:
            denied |= one.privileges
        else:
            granted |= one.privileges
    return Rights(granted, denied)


def owns(asker: Asker, store: str) -> bool:
    """Tell whether the store of an owner is the asker's own."""
    return isinstance(asker, Principal) and store == asker.user.name


def is_owner(asker: Asker, path: Path) -> bool:
    """Tell whether a place is in the asker's own store."""
    return owns(asker, path.store)


def is_guest(asker: Asker, path: Path) -> bool:
    """Tell whether a place is in the store of another user than the asker."""
    return isinstance(asker, Principal) and path.store != asker.user.name


def find_namers(asker: Asker, path: Path) -> frozenset[str]:
    """Return the users whose groups and lists an entry at a place may name: the asker, and the owner of the store."""
    return frozenset({path.store, asker.user.name}) if isinstance(asker, Principal) else frozenset({path.store})


def may_ask(asker: Asker) -> bool:
    """Tell whether there may be stores that the asker knows of: a service knows of none."""
    return isinstance(asker, Principal)


def may_deliver(asker: Asker, owner: str) -> bool:
    """Tell whether the asker may deliver into the store of an owner, which may not be there."""
    return asker.may is Ability.DELIVER if isinstance(asker, Service) else asker.user.name == owner


def require_delivery(asker: Asker, path: Path) -> None:
    """Raise NotFound unless the asker may deliver into the store of a place."""
    if not may_deliver(asker, path.store):
        raise NotFound(path.name)


def require_owner(asker: Asker, path: Path) -> None:
    """Raise NotFound unless a place is in the asker's own store."""
    if not is_owner(asker, path):
        raise NotFound(path.name)


def find_sight(context: Context, unit: Unit, facts: StoreFacts) -> Sight | None:
    """Return the entries of a store that name the asker; None: it owns the store. None names a service.

    Raises:
        NotFound: none names this user.
    """
    asker = context.asker
    if isinstance(asker, Service):
        return Sight(unit, facts.id, {})
    if facts.owner == asker.user.name:
        return None
    groups = context.services.groups(asker.user.name)
    entries = (
        aces.list_naming(unit, facts.id, asker.user.id, groups, now_us=context.now_us) if facts.may_hold_aces else {}
    )
    if not entries:
        raise NotFound(facts.owner)
    return Sight(unit, facts.id, entries)


def list_named(context: Context, unit: Unit) -> list[Held]:
    """Return the nodes in the stores of others with the entries that name the asker, through groups and lists too."""
    asker = context.principal
    groups = context.services.groups(asker.user.name)
    held = shares.list_naming(unit, asker.user.id, groups, now_us=context.now_us)
    return [one for one in held if is_guest(asker, one.path)]


def require_named(context: Context, unit: Unit, path: Path) -> None:
    """Raise NotFound when no entry of a store names the asker: it does not lock the store, whatever it asks for."""
    find_sight(context, unit, stores.get(unit, path.store))


def require(
    context: Context, unit: Unit, facts: StoreFacts, path: Path, place: Resolved, method: str = "GET"
) -> Sight | None:
    """Return what the asker sees of a store, None for all of it, if it may do what a method needs of a resource there.

    Raises:
        NotFound: the asker may not know of the place. NeedPrivileges: it lacks a privilege.
    """
    sight = find_sight(context, unit, facts)
    if sight is not None:
        permit(sight, method, path, place)
    return sight


def permit(sight: Sight, act: str, path: Path, place: Resolved, *, makes_collection: bool = False) -> Resolved:
    """Return a place as an asker may know of it, if it may do an act there; makes_collection as `needs.find_lacks`.

    A URL whose resource is hidden is as if unmapped, and nothing can be made there: the right to add is denied.

    Raises:
        NotFound: the asker may not know of the resource, or of what is above it. NeedPrivileges: it lacks a privilege.
    """
    standing, resource = sight.at(place, path.area), place.resource
    is_made = act in needs.UNMAPPED
    if resource is None:
        if standing.is_hidden or (not is_made and not standing.parent.has(Privilege.ACCESS)):
            raise NotFound(path.name)
    elif standing.is_hidden:
        if not is_made or not standing.parent.has(Privilege.ACCESS):
            raise NotFound(path.name)
        place, standing = Resolved(place.steps, None, None), Standing(NONE, None)
    below = 0 if resource is None or act not in needs.REACHING else sight.denied_beneath(resource)
    lacks = needs.find_lacks(act, standing.parent, standing.resource, makes_collection=makes_collection, below=below)
    require_none(path, place, list(lacks))
    return place


def require_each(sight: Sight, act: str, path: Path, resource: Resource, node_ids: Sequence[int]) -> None:
    """Raise NeedPrivileges on the resource at a path when an asker may not do an act to each of some messages."""
    for parent, own in sight.each(node_ids):
        lacks = [lack for lack in needs.find_lacks(act, parent, own) if lack.on is On.RESOURCE]
        if lacks:
            raise NeedPrivileges(tuple([Lack(path, bool(resource.is_collection), one.privilege) for one in lacks]))


def require_none(path: Path, place: Resolved, lacks: Sequence[needs.Lack]) -> None:
    """Raise NeedPrivileges when an asker lacks something at a place."""
    if lacks:
        raise need(path, lacks, is_collection=place.resource is not None and bool(place.resource.is_collection))


def need(path: Path, lacks: Iterable[needs.Lack], *, is_collection: bool) -> NeedPrivileges:
    """Return the error of an asker who lacks something at a path, and whether a collection is there."""
    found = [
        Lack(path, is_collection, one.privilege) if one.on is On.RESOURCE else Lack(path.parent, True, one.privilege)  # noqa: FBT003
        for one in lacks
    ]
    return NeedPrivileges(tuple(found))


_LEADING_ELSEWHERE: Final = frozenset({ANSWERS, ORIGINAL, SESSIONS, CONVERSATION})
"""Facets with the names of other resources of a store."""


def told(sight: Sight | None, facets: Facets) -> Facets:
    """Return those of some facets that the asker is told: none that names what may be hidden from it."""
    return facets if sight is None else facets - _LEADING_ELSEWHERE


def refuse_access(path: Path, *, is_collection: bool) -> NeedPrivileges:
    """Return the error of an asker who may know that something is at a path, and no more."""
    return NeedPrivileges((Lack(path, is_collection, Privilege.ACCESS),))


def home(asker: Principal) -> Path:
    """Return the root of the asker's own store."""
    return Path(asker.user.name)


def find_names_at_home(asker: Principal, path: Path) -> tuple[str, ...] | None:
    """Return the names by which patterns find a place in the asker's own store; None: it is elsewhere."""
    return names_at(path) if path.store == home(asker).store else None


def known_to(asker: Principal) -> Known:
    """Return the names that the asker may see outside of stores: its own, of its devices, lists, groups and shares."""
    user = asker.user.name
    devices, lists = [device.name for device in devices_of(asker)], [one.name for one in asker.lists]
    return Known((user,), {user: tuple(devices)}, {user: tuple(lists)}, asker.groups, asker.shares)


def devices_of(asker: Principal) -> tuple[Device, ...]:
    """Return the devices that the asker may see: the one it comes from, else those of the user that are known."""
    return asker.devices if asker.device is None else (asker.device,)


def may_enrol(asker: Principal) -> bool:
    """Tell whether the asker may enrol devices, and rename and suspend them: a device may not."""
    return asker.device is None


def may_keep_lists(asker: Principal) -> bool:
    """Tell whether the asker may make, change and end the lists of its user: a device may not."""
    return asker.device is None


def may_see_principal(asker: Principal, name: PrincipalName) -> bool:
    """Tell whether the asker may know of a principal: itself, its user, or its devices, there or not."""
    is_other = asker.device is not None and name.device not in (None, asker.device.name)
    return name.user == asker.user.name and not is_other


def may_set_preferences(asker: Principal, name: PrincipalName) -> bool:
    """Tell whether the asker may set the preferences of a principal that it sees: a device those of its user not."""
    return asker.device is None or name.device is not None
