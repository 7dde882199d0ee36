"""The one URL space: the segments of places in stores, and of the fixed collections that lead to them.

`AREAS` is its table. The rights of an asker are not decided here: `Known` holds the names that it may see.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from davstore.model.paths import AddPath, Area, PartPath, Path
from davstore.model.principals import NamedPrincipal, Principal, PrincipalKind, PrincipalName
from davstore.protocol.dav.hrefs import MAX_SEGMENTS, Target
from davstore.protocol.http.queries import find_part_number, names_add

_TOP: Final = "dav"
AREAS: Final[Mapping[tuple[str, ...], Area]] = {
    (_TOP, "store"): Area.STORE,
    (_TOP, "threads"): Area.THREADS,
}
"""The beginning of each area's paths; the next segment is the name of an owner, for the root of a store."""
DROP: Final = (_TOP, "drop")
"""The collection of the URLs that deliveries are sent to, one for each owner."""
SHARED: Final = (_TOP, "shared")
"""The collection of what others opened to users, one for each."""
PRINCIPALS: Final = (_TOP, "principals")
DEVICES: Final = (*PRINCIPALS, "devices")
GROUPS: Final = (*PRINCIPALS, PrincipalKind.GROUP.value)
LISTS: Final = (*PRINCIPALS, PrincipalKind.LIST.value)
HOME: Final = (_TOP,)
"""The collection above all areas and principals."""

_STARTS: Final = {area: segments for segments, area in AREAS.items()}
MAX_NAMES: Final = MAX_SEGMENTS - 3
"""A place in a store has at most so many names: a longer path would have no URL."""
_DEPTH: Final = 2
"""Segments before the name of the owner, in every area."""


class Fixed(NamedTuple):
    """A fixed collection, which no client makes: the names of its members, and whether it is a principal."""

    segments: tuple[str, ...]
    members: tuple[str, ...] = ()
    is_principal: bool = False


class Vacant(NamedTuple):
    """The URL of a device or a list that is not there: its user can make one. collection is `DEVICES` or `LISTS`."""

    user: str
    name: str
    collection: tuple[str, ...] = DEVICES

    @property
    def segments(self) -> tuple[str, ...]:
        """The path of the principal that is not there."""
        return (*self.collection, self.user, self.name)


Place = Path | PartPath | AddPath | Fixed | Vacant


class Known(NamedTuple):
    """The names that an asker may see in fixed collections: owners of stores, users, and groups.

    users and lists hold the names of each user's devices and lists, shares those of what others opened to the asker.
    """

    stores: tuple[str, ...]
    users: Mapping[str, tuple[str, ...]]
    lists: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    groups: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()


def find_path(segments: tuple[str, ...]) -> Path | None:
    """Return the place in any owner's store that a path names; None when it names none."""
    area = AREAS.get(segments[:_DEPTH])
    return None if area is None or len(segments) == _DEPTH else Path(segments[_DEPTH], segments[_DEPTH + 1 :], area)


def find_part(target: Target) -> PartPath | None:
    """Return the part of a message in any owner's store that a target names; None when it names none."""
    path, number = find_path(target.segments), find_part_number(target.query)
    return None if path is None or number is None else PartPath(path, number)


def find_sub_resource(target: Target) -> PartPath | AddPath | None:
    """Return the sub-resource of a place in any owner's store that a target names; None when it names none."""
    path = find_path(target.segments)
    return AddPath(path) if path is not None and names_add(target.query) else find_part(target)


def segments_of(path: Path) -> tuple[str, ...]:
    """Return the path of a place in a store."""
    return (*_STARTS[path.area], path.store, *path.names)


def find_fixed(segments: tuple[str, ...], known: Known) -> Fixed | None:
    """Return the fixed collection that a path names, None when there is none."""
    return next((place for place in _list_fixed(known) if place.segments == segments), None)


def list_principals(known: Known) -> list[Fixed]:
    """Return the principals that an asker may see, those of users first."""
    return [place for place in _list_fixed(known) if place.is_principal]


def _list_fixed(known: Known) -> list[Fixed]:
    users, devices, lists = (*PRINCIPALS, "users"), DEVICES, known.lists
    return [
        Fixed((), (_TOP,)),
        Fixed(HOME, (*(name for _, name in AREAS), DROP[-1], SHARED[-1], PRINCIPALS[-1])),
        *(Fixed(start, known.stores) for start in AREAS),
        Fixed(DROP, known.stores),
        *(drop_of(owner) for owner in known.stores),
        Fixed(SHARED, known.stores),
        *(shared_with(user, known.shares) for user in known.stores),
        Fixed(PRINCIPALS, ("users", "devices", "groups", "lists")),
        Fixed(users, tuple(known.users)),
        *(Fixed((*users, user), is_principal=True) for user in known.users),
        Fixed(devices, tuple(known.users)),
        *(Fixed((*devices, user), names) for user, names in known.users.items()),
        *(Fixed((*devices, user, name), is_principal=True) for user, names in known.users.items() for name in names),
        Fixed(GROUPS, known.groups),
        *(Fixed((*GROUPS, name), is_principal=True) for name in known.groups),
        Fixed(LISTS, tuple(known.users)),
        *(Fixed((*LISTS, user), lists.get(user, ())) for user in known.users),
        *(Fixed((*LISTS, user, name), is_principal=True) for user, names in lists.items() for name in names),
    ]


def drop_of(owner: str) -> Fixed:
    """Return the fixed collection that deliveries into the store of an owner are sent to."""
    return Fixed((*DROP, owner))


def shared_with(user: str, names: tuple[str, ...] = ()) -> Fixed:
    """Return the fixed collection of what others opened to a user, under these names."""
    return Fixed((*SHARED, user), names)


def is_shared(place: Fixed) -> bool:
    """Tell whether a fixed collection is that of what others opened to a user."""
    return len(place.segments) == _DEPTH + 1 and place.segments[:_DEPTH] == SHARED


def find_drop(segments: tuple[str, ...]) -> Fixed | None:
    """Return the drop of any owner, there or not, that a path names; None when it names none."""
    return Fixed(segments) if len(segments) == _DEPTH + 1 and segments[:_DEPTH] == DROP else None


def is_drop(place: Fixed) -> bool:
    """Tell whether a fixed collection is the drop of an owner."""
    return find_drop(place.segments) is not None


def find_principal(segments: tuple[str, ...]) -> NamedPrincipal | PrincipalName | None:
    """Return the principal, there or not, that a path names; None: it names none. Devices have a user and a name."""
    *above, name = segments or ("",)
    match above:
        case ["dav", "principals", "users"]:
            return NamedPrincipal(PrincipalKind.USER, name)
        case ["dav", "principals", "groups"]:
            return NamedPrincipal(PrincipalKind.GROUP, name)
        case ["dav", "principals", "lists", owner]:
            return NamedPrincipal(PrincipalKind.LIST, name, owner)
        case ["dav", "principals", "devices", user]:
            return PrincipalName(user, name)
    return None


def segments_of_principal(principal: NamedPrincipal) -> tuple[str, ...]:
    """Return the path of a principal that entries name."""
    owner = () if principal.owner is None else (principal.owner,)
    return (*PRINCIPALS, principal.kind.value, *owner, principal.name)


def find_vacant(segments: tuple[str, ...], known: Known) -> Vacant | None:
    """Return the URL of a device or list that is not there, for an asker who sees all of a user; None: it is none."""
    collection, rest = segments[: len(DEVICES)], segments[len(DEVICES) :]
    if collection not in (DEVICES, LISTS) or len(rest) != len(("user", "name")) or rest[0] not in known.users:
        return None
    user, name = rest
    taken = known.users[user] if collection == DEVICES else known.lists.get(user, ())
    return None if name in taken else Vacant(user, name, collection)


def is_device(place: Fixed) -> bool:
    """Tell whether a fixed collection is the principal of a device."""
    return place.is_principal and place.segments[: len(DEVICES)] == DEVICES


def is_group(place: Fixed) -> bool:
    """Tell whether a fixed collection is the principal of one of the provider's groups."""
    return place.is_principal and place.segments[: len(GROUPS)] == GROUPS


def is_list(place: Fixed) -> bool:
    """Tell whether a fixed collection is the principal of a list."""
    return place.is_principal and place.segments[: len(LISTS)] == LISTS


def user_segments(user: str) -> tuple[str, ...]:
    """Return the path of a user as a principal."""
    return (*PRINCIPALS, "users", user)


def device_segments(user: str, device: str) -> tuple[str, ...]:
    """Return the path of a device of a user as a principal."""
    return (*DEVICES, user, device)


def name_of(place: Fixed) -> PrincipalName:
    """Return the name of the principal that a fixed collection is."""
    return PrincipalName(*place.segments[len(DEVICES) :])


def principal_segments(principal: Principal) -> tuple[str, ...]:
    """Return the path of an asker as a principal: of the device when there is one, else of the user."""
    user, device = principal.user.name, principal.device
    return user_segments(user) if device is None else device_segments(user, device.name)


def matching_segments(principal: Principal) -> set[tuple[str, ...]]:
    """Return the paths of the principals that an asker is (RFC 3744 §5.5.1): of its user, and of its device."""
    return {user_segments(principal.user.name), principal_segments(principal)}
