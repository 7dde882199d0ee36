"""Groups and lists: principals that hold others (docs/sharing.md). Lists are their user's, groups the provider's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from davstore.engine import rights
from davstore.engine.context import Context, Services
from davstore.engine.property_changes import NOTHING_REFUSED
from davstore.errors import AlreadyExists, DavstoreError, NotFound, PropertiesRefused, ProtectedProperty, RequestError
from davstore.errors.lists import TooManyLists, UnknownMembers
from davstore.errors.rights import AllowedPrincipal
from davstore.metadata import lists, memberships, principals, stores
from davstore.metadata.lists import Nesting
from davstore.metadata.unit import Unit
from davstore.model.principals import NamedPrincipal, Principal, PrincipalKind, PrincipalList, PrincipalName
from davstore.policy.nesting import check_nesting
from davstore.protocol.dav.names import DISPLAYNAME, GROUP_MEMBER_SET, LIST_KIND

MOST_LISTS: Final = 100
MOST_MEMBERS: Final = 1_000
Members = Mapping[NamedPrincipal, Sequence[NamedPrincipal]]
"""The members of groups and lists."""


class ListPatch(NamedTuple):
    """Changes of a list: the names of all, its members by the hrefs that were sent (None: leave them), and its labels.

    An href that names no principal has None. labels maps the names of properties to texts, None to take one away;
    refused maps those that cannot be changed to the errors that refuse them.
    """

    changed: tuple[str, ...] = ()
    members: Mapping[str, NamedPrincipal | PrincipalName | None] | None = None
    labels: Mapping[str, str | None] = MappingProxyType({})
    refused: Mapping[str, DavstoreError] = NOTHING_REFUSED


def acquaint(services: Services, asker: Principal) -> Principal:
    """Return an asker with the devices, lists and groups that it may see."""

    def look(unit: Unit) -> Principal:
        devices = [] if asker.device is not None else principals.list_devices(unit, asker.user.id)
        active = [facts.device for facts in devices if not facts.device.revoked]
        return asker._replace(devices=tuple(active), lists=tuple(lists.list_lists(unit, asker.user.id)))

    return services.database.look(look)._replace(groups=tuple(sorted(services.groups(rights.home(asker).store))))


def list_members(services: Services, asker: Principal) -> Members:
    """Return the members of the lists and groups that an asker sees, each that is there."""
    named = {
        NamedPrincipal(PrincipalKind.GROUP, group): [
            NamedPrincipal(PrincipalKind.USER, user) for user in sorted(services.members_of(group))
        ]
        for group in asker.groups
    }

    def look(unit: Unit) -> Members:
        users = memberships.find_ids(unit, {one for held in named.values() for one in held}) if named else {}
        groups = {group: [one for one in held if one in users] for group, held in named.items()}
        held = lists.list_members(unit, [one.id for one in asker.lists]) if asker.lists else {}
        return {_named(asker, one): held[one.id] for one in asker.lists} | groups

    return services.database.look(look)


def make_list(context: Context, name: str, patch: ListPatch) -> None:
    """Make a list of the asker's user.

    Raises:
        AlreadyExists: there is such a list. TooManyLists. PropertiesRefused: nothing was made.
    """
    asker = context.principal

    def make(unit: Unit) -> None:
        there = _lock(unit, asker)
        if any(one.name == name for one in there):
            raise AlreadyExists(name)
        if len(there) >= MOST_LISTS:
            raise TooManyLists(f"{len(there)} lists")
        added = lists.add_list(unit, asker.user.id, name)
        _patch(unit, asker, added, [*there, added], patch)

    context.services.database.write(make)


def patch_list(context: Context, name: str, patch: ListPatch) -> PropertiesRefused | None:
    """Change a list of the asker's user, or return why nothing of it was changed. Raises NotFound."""
    asker = context.principal
    if not rights.may_keep_lists(asker):
        patch = patch._replace(refused={changed: ProtectedProperty(changed) for changed in patch.changed})

    def change(unit: Unit) -> None:
        there = _lock(unit, asker)
        _patch(unit, asker, _get(there, name), there, patch)

    try:
        context.services.database.write(change)
    except PropertiesRefused as error:
        return error.with_traceback(None)
    return None


def end_list(context: Context, name: str) -> None:
    """End a list of the asker's user, with the access control entries that name it. Raises NotFound."""
    asker = context.principal
    context.services.database.write(lambda unit: lists.remove_list(unit, _get(_lock(unit, asker), name).id))


def _lock(unit: Unit, asker: Principal) -> list[PrincipalList]:
    """Return the lists of the asker's user, which no other unit changes until this one ends."""
    stores.lock(unit, rights.home(asker).store)
    return lists.list_lists(unit, asker.user.id)


def _get(there: Sequence[PrincipalList], name: str) -> PrincipalList:
    found = next((one for one in there if one.name == name), None)
    if found is None:
        raise NotFound(name)
    return found


def _named(asker: Principal, found: PrincipalList) -> NamedPrincipal:
    return NamedPrincipal(PrincipalKind.LIST, found.name, rights.home(asker).store)


def _patch(
    unit: Unit, asker: Principal, found: PrincipalList, there: Sequence[PrincipalList], patch: ListPatch
) -> None:
    """Change a list; there are all of its user. Raises PropertiesRefused."""
    reasons, ids = dict(patch.refused), None
    if patch.members is not None and GROUP_MEMBER_SET not in reasons:
        try:
            ids = _find_members(unit, asker, found, there, patch.members)
        except RequestError as error:
            reasons[GROUP_MEMBER_SET] = error
    if reasons:
        raise PropertiesRefused(reasons)
    if patch.labels:
        kind, displayname = patch.labels.get(LIST_KIND, found.kind), patch.labels.get(DISPLAYNAME, found.displayname)
        lists.set_labels(unit, found._replace(kind=kind, displayname=displayname))
    if ids is not None:
        lists.set_members(unit, found.id, ids)


def _find_members(
    unit: Unit,
    asker: Principal,
    found: PrincipalList,
    there: Sequence[PrincipalList],
    wanted: Mapping[str, NamedPrincipal | PrincipalName | None],
) -> set[int]:
    """Return the numbers of the principals that a list shall hold.

    Raises:
        AllowedPrincipal: a device or a group. UnknownMembers: not there, or a list of another user.
        TooManyLists, ListCycle.
    """
    if any(isinstance(one, PrincipalName) or (one and one.kind is PrincipalKind.GROUP) for one in wanted.values()):
        raise AllowedPrincipal("a list holds users and lists")
    if len(wanted) > MOST_MEMBERS:
        raise TooManyLists(f"{len(wanted)} members")
    own = {_named(asker, one): one.id for one in there}
    named = {href: one for href, one in wanted.items() if isinstance(one, NamedPrincipal)}
    users = {one for one in named.values() if one.kind is PrincipalKind.USER}
    known = {**memberships.find_ids(unit, users), **own}
    unknown = tuple([href for href in wanted if named.get(href) not in known])
    if unknown:
        raise UnknownMembers(unknown)
    ids = {known[one] for one in named.values()}
    others = [one for one in lists.list_nestings(unit, list(own.values())) if one.list_id != found.id]
    check_nesting([*others, *(Nesting(found.id, one) for one in ids.intersection(own.values()))])
    return ids
