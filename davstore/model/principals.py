"""Principals: users, the devices that act for them, services of the network, and groups of principals."""

from __future__ import annotations

import enum
from typing import NamedTuple


class DeviceClass(enum.Enum):
    """The kind of machine that a device is; policy rules may name it."""

    PHONE = "phone"
    TABLET = "tablet"
    DESKTOP = "desktop"
    OTHER = "other"


class User(NamedTuple):
    """A person with a store. `version` moves with each change of the credentials.

    `preferences` is the text of its sync preferences, None for none.
    """

    id: int
    name: str
    store_id: int
    version: int
    disabled: bool
    preferences: str | None = None


class Device(NamedTuple):
    """A machine with a secret of its own (docs/adr/0014). `id` is the public part of the secret.

    A revoked device is gone for good, a suspended one may come back. `preferences` is as that of a user.
    """

    id: str
    user_id: int
    name: str
    device_class: DeviceClass
    revoked: bool
    suspended: bool = False
    preferences: str | None = None

    @property
    def state(self) -> str:
        """`active`, `suspended` or `revoked`."""
        return "revoked" if self.revoked else "suspended" if self.suspended else "active"


class PrincipalList(NamedTuple):
    """A list of a user, which is a principal itself: its number, and its name in its URL.

    kind is a label of its user, `whitelist` or `blacklist`; displayname is its name for people.
    """

    id: int
    name: str
    kind: str | None = None
    displayname: str | None = None


class Principal(NamedTuple):
    """An authenticated user, through a device or not (a file browser has none).

    Where a request is about principals, devices are those of a user without a device, lists those of the user, and
    groups the names of the provider's groups that the user is in; where it is about what others opened to the user,
    shares are the names of that.
    """

    user: User
    device: Device | None = None
    devices: tuple[Device, ...] = ()
    lists: tuple[PrincipalList, ...] = ()
    groups: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()

    @property
    def id(self) -> int:
        """The number of the user among all principals: its locks are held under it."""
        return self.user.id


class Ability(enum.Enum):
    """Something that the operator lets a service do."""

    DELIVER = "deliver"


class Service(NamedTuple):
    """A function of the network: it belongs to no user, and does the one thing that it may, for all of them.

    `id` is its number among all principals, `key` the public part of its secret. A revoked service is gone for good.
    """

    id: int
    name: str
    key: str
    may: Ability
    revoked: bool

    @property
    def state(self) -> str:
        """`active` or `revoked`."""
        return "revoked" if self.revoked else "active"


Asker = Principal | Service
"""The one that makes a request."""


class PrincipalName(NamedTuple):
    """The name of a principal: of a user, or of a device of it."""

    user: str
    device: str | None = None


class PrincipalKind(enum.Enum):
    """The kinds of principals that lists and access control entries name, by the collection of their URLs."""

    USER = "users"
    GROUP = "groups"
    LIST = "lists"


class NamedPrincipal(NamedTuple):
    """A principal that lists and access control entries name, there or not. owner is the user whose list it is."""

    kind: PrincipalKind
    name: str
    owner: str | None = None
