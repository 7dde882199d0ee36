"""The rights of an asker: the only place where the asker and the owner of a store are compared.

The owner may do everything. Others may do what the access control lists of the store say (docs/sharing.md): to one that
no entry names, every URL of the store is as if unmapped. A service sees no store, and may deliver into each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from davstore.engine.context import Context
from davstore.engine.sight import Sight
from davstore.errors import NotFound
from davstore.errors.rights import Lack, NeedPrivileges
from davstore.metadata import aces, shares, stores
from davstore.metadata.bindings import Resolved
from davstore.metadata.shares import Held
from davstore.metadata.unit import Unit
from davstore.model.acl import Privilege, Rights
from davstore.model.facets import ANSWERS, CONVERSATION, ORIGINAL, SESSIONS, Facets
from davstore.model.nodes import Resource, StoreFacts
from davstore.model.paths import Path
from davstore.model.principals import Ability, Asker, Device, Principal, PrincipalName, Service
from davstore.model.rules import names_at
from davstore.model.views import View
from davstore.policy import needs
from davstore.policy.needs import On
from davstore.protocol.urls import Known


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
        return Sight(unit, facts, {})
    if facts.owner == asker.user.name:
        return None
    groups = context.services.groups(asker.user.name)
    entries = (
        aces.list_naming(unit, facts.id, asker.user.id, groups, now_us=context.now_us) if facts.may_hold_aces else {}
    )
    if not entries:
        raise NotFound(facts.owner)
    return Sight(unit, facts, entries)


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


def require_list(
    context: Context, unit: Unit, facts: StoreFacts, path: Path, place: Resolved, view: View
) -> tuple[Sight | None, View]:
    """Return what the asker sees of a store, as `require`, and the view within which it may list a collection there.

    Raises:
        NotFound, NeedPrivileges: as `require`.
    """
    sight = require(context, unit, facts, path, place)
    if sight is None:
        return None, view
    beneath = sight.beneath(place, facts.area)
    view = beneath.narrowed(view)
    if not beneath.is_listed(view):
        permit(sight, "list", path, place)
    return sight, view


def permit(sight: Sight, act: str, path: Path, place: Resolved, *, makes_collection: bool = False) -> Resolved:
    """Return a place as an asker may know of it, if it may do an act there; makes_collection as `needs.find_lacks`.

    Where something hidden has the name nothing can be made: it answers as without the right to add.

    Raises:
        NotFound: the asker may not know of the resource, or of what is above it. NeedPrivileges: it lacks a privilege.
    """
    place, parent, own, is_hidden, is_barred = sight.at(place, path.area)
    resource = place.resource
    if is_hidden or (resource is None and act not in needs.UNMAPPED):
        raise NotFound(path.name)
    if is_barred:
        parent, act = Rights(parent.granted & ~Privilege.BIND, parent.denied), act.replace("rename", "MOVE")
    moves_collection = resource is not None and act == "rename from" and bool(resource.is_collection)
    lacks = needs.find_lacks(act, parent, own, makes_collection=makes_collection or moves_collection)
    found = [*need(path, lacks, resource).lacks]
    if not found and resource is not None and own is not None:
        found = list(find_lacks_beneath(sight, act, path, resource, own))
    if found:
        raise NeedPrivileges(tuple(found))
    return place


def find_lacks_beneath(sight: Sight, act: str, path: Path, resource: Resource, own: Rights) -> Iterator[Lack]:
    """Yield what an asker who may do an act to a resource lacks to do it to all beneath."""
    privileges = needs.REACHING.get(act, 0)
    if not privileges or not resource.is_collection:
        return
    if privileges & own.denied & Privilege.UNBIND:
        yield Lack(path, True, Privilege.UNBIND)  # noqa: FBT003  it is a collection
    elif (lack := sight.find_denied_beneath(path, resource, privileges)) is not None:
        yield lack


def require_each(sight: Sight, act: str, path: Path, resource: Resource, node_ids: Sequence[int]) -> None:
    """Raise NeedPrivileges on the resource at a path when an asker may not do an act to each of some messages."""
    for parent, own in sight.each(node_ids):
        lacks = [lack for lack in needs.find_lacks(act, parent, own) if lack.on is On.RESOURCE]
        if lacks:
            raise NeedPrivileges(tuple([Lack(path, bool(resource.is_collection), one.privilege) for one in lacks]))


def need(path: Path, lacks: Iterable[needs.Lack], resource: Resource | None) -> NeedPrivileges:
    """Return the error of an asker who lacks something at a path, where a resource is, or none."""
    is_collection = resource is not None and bool(resource.is_collection)
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
