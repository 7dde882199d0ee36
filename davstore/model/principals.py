"""Principals: users, and the devices that act for them."""

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


class Principal(NamedTuple):
    """The authenticated asker: a user, through a device or not (a file browser has none).

    devices are those of a user without a device, where a request is about them.
    """

    user: User
    device: Device | None = None
    devices: tuple[Device, ...] = ()


class PrincipalName(NamedTuple):
    """The name of a principal: of a user, or of a device of it."""

    user: str
    device: str | None = None
