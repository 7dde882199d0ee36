"""Users, devices and services come, change and go: by the operator alone, but devices also by their user, over HTTP."""

from __future__ import annotations

import re
import secrets
import string
from typing import NamedTuple

from davstore.blobs import Blobs
from davstore.errors import AlreadyExists, NotFound, TooManyDevices, Unprocessable
from davstore.metadata import lists, principals, services, stores
from davstore.metadata.database import Database
from davstore.metadata.principals import Account, DeviceFacts
from davstore.metadata.services import ServiceFacts
from davstore.metadata.unit import Unit
from davstore.model.limits import Limits
from davstore.model.principals import Ability, Device, DeviceClass, Principal, Service, User
from davstore.store.authenticating import digest, new_secret
from davstore.store.hashing import Passwords

MAX_PASSWORD_BYTES = 1024
MAX_DEVICES = Limits().devices_per_user
_LETTERS = string.ascii_letters + string.digits
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


class NewDevice(NamedTuple):
    """A device and its secret, of which only a digest is stored."""

    device: Device
    secret: str


class NewService(NamedTuple):
    """A service and its secret, of which only a digest is stored."""

    service: Service
    secret: str


def new_password() -> str:
    """Return a random password of 95 bits: letters and digits only, so that it is no option of a command."""
    return "".join(secrets.choice(_LETTERS) for _ in range(16))


def add_user(database: Database, name: str, password: str, *, now_us: int, quota_bytes: int | None = None) -> None:
    """Add a user with an empty store.

    Raises:
        Unprocessable: not a name, not a password, a negative quota.
        AlreadyExists: there is such a user.
    """
    _check_name(name)
    _check_password(password)
    if quota_bytes is not None and quota_bytes < 0:
        raise Unprocessable("a quota is a number of bytes from 0 up")
    password_hash = Passwords().hash(password)

    def add(unit: Unit) -> None:
        if principals.find_credentials(unit, name):
            raise AlreadyExists(f"the user {name} exists")
        store_id = stores.create(unit, name, now_us=now_us, quota_bytes=quota_bytes)
        principals.add_user(unit, name, password_hash=password_hash, store_id=store_id, now_us=now_us)

    database.write(add)


def set_password(database: Database, name: str, password: str) -> None:
    """Give a user another password; the old one counts no longer. Devices keep their secrets.

    Raises:
        Unprocessable: not a password.
        NotFound: there is no such user.
    """
    _check_password(password)
    password_hash = Passwords().hash(password)
    if not database.write(lambda unit: principals.set_password(unit, name, password_hash)):
        raise NotFound(f"there is no user {name}")


def set_disabled(database: Database, name: str, *, disabled: bool) -> None:
    """Shut a user out with all its devices, or let it in again. Its store stays. Raises NotFound."""
    if not database.write(lambda unit: principals.set_disabled(unit, name, disabled=disabled)):
        raise NotFound(f"there is no user {name}")


def set_quota(database: Database, name: str, quota_bytes: int | None) -> None:
    """Set how much a user's store may hold; None: as much as the disk. Nothing is deleted. Raises NotFound."""
    database.write(lambda unit: stores.set_quota(unit, _get_user(unit, name).store_id, quota_bytes))


def get_user(database: Database, name: str) -> User:
    """Return the user of a name. Raises NotFound."""
    return database.read(lambda unit: _get_user(unit, name))


def remove_user(database: Database, blobs: Blobs, name: str) -> None:
    """Remove a user with devices, locks and store; the files of large bodies go after the commit. Raises NotFound.

    One that is being uploaded now goes with its upload, which finds no store to name it in.
    """

    def remove(unit: Unit) -> tuple[int, list[str]]:
        found = _get_user(unit, name)
        store_id = stores.lock(unit, name).store_id
        names = [blob for blob, _ in blobs.list_blobs(store_id)]  # before another store may get the number
        lists.remove_user(unit, found.id)
        principals.remove_user(unit, found.id)
        stores.remove(unit, store_id)
        return store_id, names

    store_id, names = database.write(remove)
    for blob in names:
        if not blobs.is_held(store_id, blob):
            blobs.delete(store_id, blob)


def list_users(database: Database) -> list[Account]:
    """Return all users by name."""
    return database.read(principals.list_accounts)


def add_device(
    database: Database,
    user: str,
    name: str,
    *,
    device_class: DeviceClass = DeviceClass.OTHER,
    now_us: int,
    most: int = MAX_DEVICES,
) -> NewDevice:
    """Enrol a device of a user. The name of a revoked device may be used again: it is another device.

    most: the devices that a user may have, without those that are revoked.

    Raises:
        Unprocessable: not a name.
        NotFound: there is no such user.
        AlreadyExists: the user has such a device.
        TooManyDevices: the user has the most already.
    """
    _check_name(name)
    device_id, secret = new_secret()

    def add(unit: Unit) -> Device:
        owner = _lock_user(unit, user)
        names = [item.device.name for item in principals.list_devices(unit, owner.id) if not item.device.revoked]
        if name in names:
            raise AlreadyExists(f"{user} has a device {name}")
        if len(names) >= most:
            raise TooManyDevices(f"{user} has {len(names)} devices, and may have {most} (policy.devices_per_user)")
        added = Device(device_id, owner.id, name, device_class, revoked=False)
        principals.add_device(unit, added, secret_sha256=digest(secret), now_us=now_us)
        return added

    return NewDevice(database.write(add), secret)


def list_devices(database: Database, user: str) -> list[DeviceFacts]:
    """Return a user's devices by name, revoked ones too. Raises NotFound."""
    return database.read(lambda unit: principals.list_devices(unit, _get_user(unit, user).id))


def list_active(database: Database, asker: Principal) -> list[DeviceFacts]:
    """Return the devices of a user by name, without those that are revoked."""
    found = database.look(lambda unit: principals.list_devices(unit, asker.user.id))
    return [facts for facts in found if not facts.device.revoked]


def is_name(name: str) -> bool:
    """Tell whether a user or a device may have a name."""
    return _NAME.fullmatch(name) is not None


def list_names(database: Database) -> dict[str, dict[str, DeviceClass]]:
    """Return the names of each user's devices that are not revoked, with their classes."""
    return database.read(principals.list_names)


def get_device(database: Database, user: str, name: str) -> DeviceFacts:
    """Return the device of a user that bears a name and is not revoked. Raises NotFound."""
    return database.read(lambda unit: _get_device(unit, user, name))


def revoke_device(database: Database, user: str, name: str) -> None:
    """Refuse a device from its next request on. Raises NotFound."""
    database.write(lambda unit: principals.revoke_device(unit, _get_device(unit, user, name).device.id))


def set_suspended(database: Database, user: str, name: str, *, suspended: bool) -> None:
    """Refuse a device until further notice, or let it come again; its locks and all about it stay. Raises NotFound."""
    database.write(
        lambda unit: principals.set_suspended(unit, _get_device(unit, user, name).device.id, suspended=suspended)
    )


def rename_device(database: Database, user: str, name: str, new_name: str) -> None:
    """Give a device another name. Its secret and the facts of its rounds stay.

    Raises:
        Unprocessable: not a name. NotFound: no such user or device. AlreadyExists: the user has one of the new name.
    """
    _check_name(new_name)

    def rename(unit: Unit) -> None:
        owner = _lock_user(unit, user)
        found = _get_device(unit, user, name)
        if new_name != name and _find_device(unit, owner, new_name):
            raise AlreadyExists(f"{user} has a device {new_name}")
        principals.rename_device(unit, found.device.id, new_name)

    database.write(rename)


def add_service(database: Database, name: str, may: Ability, *, now_us: int) -> NewService:
    """Add a service. The name of a revoked one may be used again: it is another service.

    Raises:
        Unprocessable: not a name. AlreadyExists: there is such a service.
    """
    _check_name(name)
    key, secret = new_secret()

    def add(unit: Unit) -> Service:
        if _list_active_services(unit, name):
            raise AlreadyExists(f"the service {name} exists")
        return services.add_service(unit, name, key, may, secret_sha256=digest(secret), now_us=now_us)

    return NewService(database.write(add), secret)


def list_services(database: Database) -> list[ServiceFacts]:
    """Return all services by name, revoked ones too."""
    return database.read(services.list_services)


def revoke_service(database: Database, name: str) -> None:
    """Refuse a service from now on. Raises NotFound."""

    def revoke(unit: Unit) -> None:
        found = _list_active_services(unit, name)
        if not found:
            raise NotFound(f"there is no service {name}")
        for one in found:  # two that were added at one time
            services.revoke_service(unit, one.key)

    database.write(revoke)


def _list_active_services(unit: Unit, name: str) -> list[Service]:
    found = [facts.asker for facts in services.list_services(unit)]
    return [service for service in found if service.name == name and not service.revoked]


def _get_user(unit: Unit, name: str) -> User:
    found = principals.find_credentials(unit, name)
    if found is None:
        raise NotFound(f"there is no user {name}")
    return found.user


def _lock_user(unit: Unit, name: str) -> User:
    """Return the user of a name, whose devices no other unit adds or renames until this one ends. Raises NotFound."""
    found = _get_user(unit, name)
    stores.lock(unit, name)
    return found


def _find_device(unit: Unit, owner: User, name: str) -> DeviceFacts | None:
    facts = principals.list_devices(unit, owner.id)
    return next((item for item in facts if item.device.name == name and not item.device.revoked), None)


def _get_device(unit: Unit, user: str, name: str) -> DeviceFacts:
    found = _find_device(unit, _get_user(unit, user), name)
    if found is None:
        raise NotFound(f"{user} has no device {name}")
    return found


def _check_name(name: str) -> None:
    if not is_name(name):
        raise Unprocessable("a name is 1 to 64 of A-Z, a-z, 0-9 and . _ @ + -, and begins with a letter or digit")


def _check_password(password: str) -> None:
    """Refuse a password that no client could send (RFC 7617 §2)."""
    if not password or len(password.encode()) > MAX_PASSWORD_BYTES or re.search(r"[\x00-\x1f\x7f]", password):
        raise Unprocessable(f"a password is 1 to {MAX_PASSWORD_BYTES} bytes without control characters")
