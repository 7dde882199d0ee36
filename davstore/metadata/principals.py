"""Users and devices: the principals that may ask, each with its secret."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, literal_column, null, select, update

from davstore.errors import AlreadyExists
from davstore.metadata.statements import Statement, Write
from davstore.metadata.tables import DEVICE, USER, device, principal, store, user
from davstore.metadata.unit import Unit
from davstore.model.decisions import ACCEPTED, LastDecision, parse_decision
from davstore.model.principals import Device, DeviceClass, Principal, User


class _UserRow(NamedTuple):
    id: int
    name: str
    store_id: int
    version: int
    disabled: int
    preferences: str | None

    def user(self) -> User:
        return User(self.id, self.name, self.store_id, self.version, self.disabled == 1, self.preferences)


class _DeviceRow(NamedTuple):
    id: str
    user_id: int
    name: str
    device_class: str
    revoked: int
    suspended: int
    preferences: str | None

    def device(self) -> Device:
        kind, revoked, suspended = DeviceClass(self.device_class), self.revoked == 1, self.suspended == 1
        return Device(self.id, self.user_id, self.name, kind, revoked, suspended, self.preferences)


class _Secret(NamedTuple):
    hashed: str


class _AccountFacts(NamedTuple):
    created_us: int
    used_bytes: int
    entries: int
    quota_bytes: int | None


class _SeenFacts(NamedTuple):
    created_us: int
    seen_us: int | None
    round_us: int | None
    token: str | None
    decision: str | None
    decided_us: int | None

    def facts(self, found: Device) -> DeviceFacts:
        decision = None if self.decision is None else parse_decision(self.decision)
        return DeviceFacts(found, self.created_us, self.seen_us, self.round_us, self.token, decision, self.decided_us)


_owner, _acting = principal.alias("owner"), principal.alias("acting")
"""A user's row, and that of a device of it."""
_users = _owner.join(user, user.c.principal_id == _owner.c.id)
_devices = _acting.join(device, device.c.principal_id == _acting.c.id)
_USER = (_owner.c.id, _owner.c.name, user.c.store_id, user.c.version, user.c.disabled, user.c.preferences)
_DEVICE = (
    *(device.c.id, _acting.c.owner_id, _acting.c.name, device.c["class"]),
    *(device.c.revoked, device.c.suspended, device.c.preferences),
)
_is_user: ColumnElement[int] = literal_column(str(USER))

_CREDENTIALS = Statement(
    select(*_USER, user.c.password_hash)
    .select_from(_users)
    .where(_owner.c.name == bindparam("name"), _owner.c.kind == _is_user),
    _UserRow,
    _Secret,
)
_ENROLLED = Statement(
    select(*_USER, *_DEVICE, device.c.secret_sha256)
    .select_from(_devices.join(_users, _owner.c.id == _acting.c.owner_id))
    .where(device.c.id == bindparam("device_id")),
    _UserRow,
    _DeviceRow,
    _Secret,
)
_ACCOUNTS = Statement(
    select(*_USER, user.c.created_us, store.c.used_bytes, store.c.entries, store.c.quota_bytes)
    .select_from(_users.join(store, store.c.id == user.c.store_id))
    .order_by(_owner.c.name),
    _UserRow,
    _AccountFacts,
)
_ADD_PRINCIPAL = Statement[tuple[int]](
    insert(principal)
    .values(kind=bindparam("kind"), name=bindparam("name"), owner_id=bindparam("owner_id"))
    .returning(principal.c.id)
)
_ADD_USER = Write(
    insert(user).values(
        principal_id=bindparam("principal_id"),
        password_hash=bindparam("password_hash"),
        version=1,
        disabled=0,
        store_id=bindparam("store_id"),
        created_us=bindparam("created_us"),
    )
)
_named = (
    user.c.principal_id
    == select(principal.c.id).where(principal.c.name == bindparam("of"), principal.c.kind == _is_user).scalar_subquery()
)
_SET_PASSWORD = Write(
    update(user).where(_named).values(password_hash=bindparam("password_hash"), version=user.c.version + 1)
)
_SET_DISABLED = Write(update(user).where(_named).values(disabled=bindparam("disabled"), version=user.c.version + 1))
_DEVICES = Statement(
    select(
        *_DEVICE,
        *(device.c.created_us, device.c.seen_us, device.c.round_us, device.c.token),
        *(device.c.decision, device.c.decided_us),
    )
    .select_from(_devices)
    .where(_acting.c.owner_id == bindparam("user_id"))
    .order_by(_acting.c.name, device.c.created_us),
    _DeviceRow,
    _SeenFacts,
)
_ADD_DEVICE = Write(
    insert(device).values(
        {
            "id": bindparam("id"),
            "principal_id": bindparam("principal_id"),
            "class": bindparam("class"),
            "secret_sha256": bindparam("secret_sha256"),
            "revoked": 0,
            "created_us": bindparam("created_us"),
            "seen_us": null(),
            "round_us": null(),
            "token": null(),
        }
    )
)
_SET_USER_PREFERENCES = Write(
    update(user).where(user.c.principal_id == bindparam("of")).values(preferences=bindparam("preferences"))
)
_SET_DEVICE_PREFERENCES = Write(
    update(device).where(device.c.id == bindparam("of")).values(preferences=bindparam("preferences"))
)
_NAMES = Statement[tuple[str, str | None, str | None]](
    select(_owner.c.name, _acting.c.name, device.c["class"])
    .select_from(_owner.outerjoin(_devices, and_(_acting.c.owner_id == _owner.c.id, device.c.revoked == 0)))
    .where(_owner.c.kind == _is_user)
)
_SUSPEND = Write(update(device).where(device.c.id == bindparam("of")).values(suspended=bindparam("suspended")))
_REVOKE = Write(update(device).where(device.c.id == bindparam("of")).values(revoked=1))
_RENAME = Write(
    update(principal)
    .where(principal.c.id == select(device.c.principal_id).where(device.c.id == bindparam("of")).scalar_subquery())
    .values(name=bindparam("new_name"))
)
_REMOVE_USER = (
    Write(
        delete(device).where(
            device.c.principal_id.in_(select(principal.c.id).where(principal.c.owner_id == bindparam("user_id")))
        )
    ),
    Write(delete(user).where(user.c.principal_id == bindparam("user_id"))),
    Write(delete(principal).where(principal.c.owner_id == bindparam("user_id"))),
    Write(delete(principal).where(principal.c.id == bindparam("user_id"))),
)
_SEEN = Write(
    update(device)
    .where(device.c.id == bindparam("of"))
    .values(
        seen_us=bindparam("seen_us"),
        round_us=bindparam("round_us"),
        token=bindparam("token"),
        decision=bindparam("decision"),
        decided_us=bindparam("seen_us"),
    )
)
_DECIDED = Write(
    update(device)
    .where(device.c.id == bindparam("of"))
    .values(decision=bindparam("decision"), decided_us=bindparam("decided_us"))
)


class Credentials(NamedTuple):
    """A user with the hash of its password."""

    user: User
    password_hash: str


class Enrolled(NamedTuple):
    """A device with its user and the digest of its secret."""

    user: User
    device: Device
    secret_sha256: str

    @property
    def name(self) -> str:
        """The name that the device signs in with."""
        return self.user.name

    @property
    def is_refused(self) -> bool:
        """Whether the right secret does not let it in."""
        return self.device.revoked or self.user.disabled

    @property
    def asker(self) -> Principal:
        """The user, through the device."""
        return Principal(self.user, self.device)


class Account(NamedTuple):
    """A user as the operator sees it."""

    user: User
    created_us: int
    used_bytes: int
    entries: int
    quota_bytes: int | None


class DeviceFacts(NamedTuple):
    """A device with what is known of it: when it last synchronised, the token it was given then, the last decision."""

    device: Device
    created_us: int
    seen_us: int | None
    round_us: int | None
    token: str | None
    decision: LastDecision | None
    decided_us: int | None


def find_credentials(unit: Unit, name: str) -> Credentials | None:
    """Return the user of a name."""
    row = unit.one(_CREDENTIALS, {"name": name})
    if row is None:
        return None
    found, (password_hash,) = row
    return Credentials(found.user(), password_hash)


def find_enrolled(unit: Unit, device_id: str) -> Enrolled | None:
    """Return the device of an id, revoked or not, with its user."""
    row = unit.one(_ENROLLED, {"device_id": device_id})
    if row is None:
        return None
    owner, found, (secret_sha256,) = row
    return Enrolled(owner.user(), found.device(), secret_sha256)


def list_accounts(unit: Unit) -> list[Account]:
    """Return all users by name."""
    return [Account(found.user(), *facts) for found, facts in unit.all(_ACCOUNTS, {})]


def add_user(unit: Unit, name: str, *, password_hash: str, store_id: int, now_us: int) -> None:
    """Write a new user. The caller has checked that the name is free."""
    values = {"password_hash": password_hash, "store_id": store_id, "created_us": now_us}
    unit.run(_ADD_USER, {"principal_id": add_principal(unit, USER, name), **values})


def add_principal(unit: Unit, kind: int, name: str, *, owner_id: int | None = None) -> int:
    """Write the row that every principal has, and return its number."""
    row = unit.one(_ADD_PRINCIPAL, {"kind": kind, "name": name, "owner_id": owner_id})
    if row is None:
        raise AlreadyExists(name)
    return row[0]


def set_password(unit: Unit, name: str, password_hash: str) -> bool:
    """Replace a password; False: there is no such user."""
    return unit.run(_SET_PASSWORD, {"of": name, "password_hash": password_hash}) > 0


def set_disabled(unit: Unit, name: str, *, disabled: bool) -> bool:
    """Shut a user out with all its devices, or let it in again; False: there is no such user."""
    return unit.run(_SET_DISABLED, {"of": name, "disabled": int(disabled)}) > 0


def list_devices(unit: Unit, user_id: int) -> list[DeviceFacts]:
    """Return a user's devices by name, revoked ones too."""
    return [seen.facts(found.device()) for found, seen in unit.all(_DEVICES, {"user_id": user_id})]


def set_preferences(unit: Unit, owner: User | Device, text: str | None) -> bool:
    """Replace the preferences of a user or device, None: it has none; False: it is gone."""
    statement = _SET_USER_PREFERENCES if isinstance(owner, User) else _SET_DEVICE_PREFERENCES
    return unit.run(statement, {"of": owner.id, "preferences": text}) > 0


def list_names(unit: Unit) -> dict[str, dict[str, DeviceClass]]:
    """Return the names of each user's devices that are not revoked, with their classes."""
    found: dict[str, dict[str, DeviceClass]] = {}
    for user_name, device_name, device_class in unit.all(_NAMES, {}):
        devices = found.setdefault(user_name, {})
        if device_name is not None:
            devices[device_name] = DeviceClass(device_class)
    return found


def add_device(unit: Unit, added: Device, *, secret_sha256: str, now_us: int) -> None:
    """Write a new device. The caller has checked that the name is free."""
    unit.run(
        _ADD_DEVICE,
        {
            "id": added.id,
            "principal_id": add_principal(unit, DEVICE, added.name, owner_id=added.user_id),
            "class": added.device_class.value,
            "secret_sha256": secret_sha256,
            "created_us": now_us,
        },
    )


def revoke_device(unit: Unit, device_id: str) -> None:
    """Refuse a device from now on."""
    unit.run(_REVOKE, {"of": device_id})


def set_suspended(unit: Unit, device_id: str, *, suspended: bool) -> None:
    """Refuse a device until further notice, or let it come again."""
    unit.run(_SUSPEND, {"of": device_id, "suspended": int(suspended)})


def rename_device(unit: Unit, device_id: str, name: str) -> None:
    """Give a device another name. The caller has checked that it is free."""
    unit.run(_RENAME, {"of": device_id, "new_name": name})


def remove_user(unit: Unit, user_id: int) -> None:
    """Delete a user with all its devices."""
    for statement in _REMOVE_USER:
        unit.run(statement, {"user_id": user_id})


def record_seen(unit: Unit, device_id: str, *, seen_us: int, round_us: int, token: str) -> None:
    """Write down that a device was accepted, when, when its round began and which token it was given."""
    seen = {"seen_us": seen_us, "round_us": round_us, "token": token, "decision": ACCEPTED.text}
    unit.run(_SEEN, {"of": device_id, **seen})


def record_decision(unit: Unit, device_id: str, decision: LastDecision, *, decided_us: int) -> None:
    """Write down the last decision about a device."""
    unit.run(_DECIDED, {"of": device_id, "decision": decision.text, "decided_us": decided_us})
