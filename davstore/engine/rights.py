"""The rights of an asker: the only place where the asker and the owner of a store are compared.

The owner may do everything; to any other asker every URL of the store is as if unmapped. A service sees no store, and
may deliver into each.
"""

from __future__ import annotations

from davstore.errors import NotFound
from davstore.model.paths import Path
from davstore.model.principals import Ability, Asker, Device, Principal, PrincipalName, Service
from davstore.model.rules import names_at
from davstore.protocol.urls import Known


def may_see(asker: Asker, path: Path) -> bool:
    """Tell whether the asker may know of a place, mapped or not."""
    return isinstance(asker, Principal) and path.store == asker.user.name


def may_deliver(asker: Asker, owner: str) -> bool:
    """Tell whether the asker may deliver into the store of an owner, which may not be there."""
    return asker.may is Ability.DELIVER if isinstance(asker, Service) else asker.user.name == owner


def require_delivery(asker: Asker, path: Path) -> None:
    """Raise NotFound unless the asker may deliver into the store of a place."""
    if not may_deliver(asker, path.store):
        raise NotFound(path.name)


def require(asker: Asker, path: Path) -> None:
    """Raise NotFound unless the asker may do everything at a place."""
    if not may_see(asker, path):
        raise NotFound(path.name)


def home(asker: Principal) -> Path:
    """Return the root of the asker's own store."""
    return Path(asker.user.name)


def find_names_at_home(asker: Principal, path: Path) -> tuple[str, ...] | None:
    """Return the names by which patterns find a place in the asker's own store; None: it is elsewhere."""
    return names_at(path) if path.store == home(asker).store else None


def known_to(asker: Principal) -> Known:
    """Return the names that the asker may see outside of stores: its own, and those of its devices."""
    user = asker.user.name
    return Known((user,), {user: tuple([device.name for device in devices_of(asker)])})


def devices_of(asker: Principal) -> tuple[Device, ...]:
    """Return the devices that the asker may see: the one it comes from, else those of the user that are known."""
    return asker.devices if asker.device is None else (asker.device,)


def may_enrol(asker: Principal) -> bool:
    """Tell whether the asker may enrol devices, and rename and suspend them: a device may not."""
    return asker.device is None


def may_see_principal(asker: Principal, name: PrincipalName) -> bool:
    """Tell whether the asker may know of a principal: itself, its user, or its devices, there or not."""
    is_other = asker.device is not None and name.device not in (None, asker.device.name)
    return name.user == asker.user.name and not is_other


def may_set_preferences(asker: Principal, name: PrincipalName) -> bool:
    """Tell whether the asker may set the preferences of a principal that it sees: a device those of its user not."""
    return asker.device is None or name.device is not None
