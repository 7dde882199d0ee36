"""The preferences of users and devices for synchronisation: what they say, what they come to, and how they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from davstore.engine import rights
from davstore.engine.conditions import require_list
from davstore.engine.context import Context
from davstore.engine.property_changes import NOTHING_REFUSED
from davstore.errors import (
    DavstoreError,
    NotFound,
    PreconditionFailed,
    PreferenceTooWide,
    PropertiesRefused,
    ProtectedProperty,
)
from davstore.metadata import bindings, principals
from davstore.metadata.unit import Unit
from davstore.model.conditions import NONE, Preconditions
from davstore.model.principals import Device, Principal, PrincipalName, User
from davstore.model.rules import DEVICE, USER, Rule
from davstore.policy.ceilings import find_excess, merge_for_user
from davstore.policy.preconditions import Verdict, judge
from davstore.policy.preferences import parse_json, to_json
from davstore.policy.terms import Subject, Terms, merge
from davstore.protocol.dav.names import STATE, SYNC_PREFERENCES
from davstore.protocol.dav.preferences import NAMES


@dataclass(frozen=True, slots=True)
class Profiles:
    """The preferences of the principals that an asker sees, and what they come to with the provider's rules."""

    asker: Principal
    rules: Callable[[], Sequence[Rule]]
    groups: Callable[[str], frozenset[str]]

    @classmethod
    def of(cls, context: Context) -> Profiles:
        """Return those of the asker of a request."""
        return cls(context.principal, context.services.rules, context.services.groups)

    def find_preference(self, name: PrincipalName) -> Rule | None:
        """Return the preference of a principal, None: it has none."""
        owner = self.asker.user if name.device is None else self._find_device(name.device)
        return None if owner is None or owner.preferences is None else parse_json(owner.preferences, voice_of(name))

    def find_terms(self, name: PrincipalName) -> Terms:
        """Return what the rules and the preferences come to for a device, or for a user on every device."""
        device = None if name.device is None else self._find_device(name.device)
        said = [self.find_preference(one) for one in dict.fromkeys((PrincipalName(name.user), name))]
        preferences = [rule for rule in said if rule is not None]
        return _merge(self.rules(), preferences, name.user, device, self.groups(name.user))

    def _find_device(self, name: str) -> Device | None:
        return next((device for device in rights.devices_of(self.asker) if device.name == name), None)


def voice_of(name: PrincipalName) -> str:
    """Return the voice of a principal's preference."""
    return USER if name.device is None else DEVICE


def set_preferences(
    context: Context,
    name: PrincipalName,
    wanted: Sequence[Rule | None],
    conditions: Preconditions = NONE,
    *,
    suspended: bool | None = None,
    refused: Mapping[str, DavstoreError] = NOTHING_REFUSED,
) -> PropertiesRefused | None:
    """Give a principal the last of the preferences that are wanted (None: none), or return why it gets none of them.

    suspended is the new state of a device, None to leave it. refused are the properties of the same request that
    cannot be changed.

    Raises:
        NotFound: the asker may not know of the principal, or it is not there. PreconditionFailed.
    """
    if not rights.may_see_principal(context.principal, name):
        raise NotFound(name.user)
    rules = context.services.rules() if any(wanted[-1:]) else ()

    def work(unit: Unit) -> None:
        owner = _find_owner(context, unit, name)
        _require_met(context, unit, conditions)
        reasons = dict(refused)
        if wanted and not rights.may_set_preferences(context.principal, name):
            reasons[SYNC_PREFERENCES] = ProtectedProperty(SYNC_PREFERENCES)
        if suspended is not None and not rights.may_enrol(context.principal):
            reasons[STATE] = ProtectedProperty(STATE)
        if wanted and not reasons:
            reasons = _find_excess(context, rules, owner, name, wanted[-1])
        if reasons:
            raise PropertiesRefused(reasons)
        if wanted and not principals.set_preferences(unit, owner, None if wanted[-1] is None else to_json(wanted[-1])):
            raise NotFound(name.user)
        if suspended is not None and isinstance(owner, Device):
            principals.set_suspended(unit, owner.id, suspended=suspended)

    try:
        context.services.database.write(work)
    except PropertiesRefused as error:
        return error.with_traceback(None)
    return None


def _find_owner(context: Context, unit: Unit, name: PrincipalName) -> User | Device:
    asker = context.principal
    if name.device is None:
        return asker.user
    if asker.device is not None:
        return asker.device
    devices = (facts.device for facts in principals.list_devices(unit, asker.user.id))
    found = next((one for one in devices if one.name == name.device and not one.revoked), None)
    if found is None:
        raise NotFound(name.device)
    return found


def _require_met(context: Context, unit: Unit, conditions: Preconditions) -> None:
    """Raise PreconditionFailed unless the conditions hold for a resource without an entity tag and a time."""
    if conditions is NONE:
        return
    verdict = judge(
        conditions, exists=True, etag=None, modified_us=None, modified_by=0, now_us=context.now_us, safe=False
    )
    if verdict is not Verdict.PASS:
        raise PreconditionFailed("the conditions of the request do not hold")
    if conditions.if_lists is not None:
        facts, _, _ = bindings.find(unit, rights.home(context.principal))
        require_list(context, unit, facts, conditions)


def _find_excess(
    context: Context, rules: Sequence[Rule], owner: User | Device, name: PrincipalName, wanted: Rule | None
) -> dict[str, DavstoreError]:
    if wanted is None:
        return {}
    device, groups = owner if isinstance(owner, Device) else None, context.services.groups(name.user)
    found = find_excess(wanted, _merge(rules, [wanted], name.user, device, groups))
    if found is None:
        return {}
    key, rule = found
    return {SYNC_PREFERENCES: PreferenceTooWide(NAMES[key], rule=rule.name, decided_by=rule.voice)}


def _merge(
    rules: Sequence[Rule], preferences: Sequence[Rule], user: str, device: Device | None, groups: frozenset[str]
) -> Terms:
    if device is None:
        return merge_for_user(rules, preferences, user, groups)
    return merge(rules, preferences, Subject(user, device.name, device.device_class, groups))
