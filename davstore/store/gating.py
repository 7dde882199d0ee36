"""The gate: the facts of a device that wants to synchronise, and its rounds (docs/protocol.md#the-sync-policy).

The decision is made in `policy.sync_rules`; here are the facts that it needs, and the bookkeeping after a response.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from davstore.engine import rights
from davstore.errors import DiskFull, SyncDeferred, SyncRefused, SyncUnwanted, SyncWindowClosed, Unavailable
from davstore.metadata import bindings, listings, principals
from davstore.metadata.database import Database
from davstore.metadata.unit import Unit
from davstore.metadata.volatile import Throttle
from davstore.model.decisions import ACCEPTED, LastDecision, refusal
from davstore.model.paths import Path
from davstore.model.principals import Device, Principal
from davstore.model.rounds import Round
from davstore.model.rules import DEVICE, PROVIDER, USER, Mode, Rule, names_at
from davstore.model.views import EVERYTHING, View
from davstore.policy.explaining import describe
from davstore.policy.preferences import parse_json
from davstore.policy.sync_rules import Accept, Attempt, Decision, Defer, Reject, decide, find_excluding, next_round
from davstore.policy.terms import Subject, Terms, merge
from davstore.protocol import urls

log = logging.getLogger("davstore.gate")

AWAY = "policy-away"
"""Stands for a rule while there are none: the provider's policy is away, and shall not be done without."""
_UNKNOWN = "?"
"""Stands for the token of a round that is not going on."""
_MOST_KNOWN = 10_000
"""Devices whose terms one worker keeps."""


@dataclass(frozen=True, slots=True)
class GateRequest:
    """An asker at a gate point: the device it comes from, the place, and the sync token; None where there is none."""

    asker: Principal
    device: Device
    path: Path
    mode: Mode
    token: str | None
    now_us: int
    bearer: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """An accepted request. `answered` is to be called when it succeeded: a failed request uses up no interval."""

    gate: Gate
    request: GateRequest
    scope: str
    last_round: Round | None
    interval_seconds: int = 0
    view: View = EVERYTHING

    def answered(self, given: str = "", *, truncated: bool = False) -> None:
        """Remember the round: given is the sync token of the answer, truncated: there are more pages."""
        request, gate = self.request, self.gate
        if request.token is None:
            if self.interval_seconds:
                gate.throttle.rounds.record(request.device.id, self.scope, Round(request.now_us))
            gate.record(request, ACCEPTED)
            return
        accepted = next_round(
            self.last_round,
            asked=request.token,
            given=given,
            truncated=truncated,
            now_us=request.now_us,
            interval_seconds=self.interval_seconds,
        )
        gate.throttle.rounds.record(request.device.id, self.scope, accepted)
        if gate.throttle.pacing.is_due(request.device.id, now_us=request.now_us):
            self._write_seen(accepted, given)

    def _write_seen(self, accepted: Round, given: str) -> None:
        device_id, seen_us = self.request.device.id, self.request.now_us
        self.gate.write_down(
            device_id,
            lambda unit: principals.record_seen(
                unit, device_id, seen_us=seen_us, round_us=accepted.started_us, token=given
            ),
        )


class KnownTerms:
    """The terms of devices, worked out once while the rules of the provider stay the same."""

    def __init__(self) -> None:
        self._rules: Sequence[Rule] = ()
        self._known: dict[tuple[Subject, str | None, str | None], Terms] = {}

    def find(self, rules: Sequence[Rule], asker: Principal, device: Device, groups: frozenset[str]) -> Terms:
        """Return the terms of a device of the asker under these rules."""
        if rules is not self._rules or len(self._known) >= _MOST_KNOWN:
            self._rules, self._known = rules, {}
        subject = Subject(asker.user.name, device.name, device.device_class, groups)
        texts = (asker.user.preferences, device.preferences)
        key = (subject, *texts)
        terms = self._known.get(key)
        if terms is None:
            said = zip(texts, (USER, DEVICE), strict=True)
            preferences = [parse_json(text, voice) for text, voice in said if text is not None]
            terms = self._known[key] = merge(rules, preferences, subject)
        return terms


class Explanation(NamedTuple):
    """What would be decided about a device: its path as a principal, its refusal, and sentences for a person."""

    principal: tuple[str, ...]
    refusal: SyncRefused | None
    sentences: list[str]


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate in front of synchronisation. rules returns the rules in force, groups those of a user.

    Without rules no device comes in: `terms`, and all that ask for them, raise what rules does, Unavailable.
    """

    rules: Callable[[], Sequence[Rule]]
    throttle: Throttle
    database: Database
    groups: Callable[[str], frozenset[str]] = lambda _user: frozenset()
    known: KnownTerms = field(default_factory=KnownTerms)

    def terms(self, asker: Principal, device: Device) -> Terms:
        """Return the terms on which a device of the asker may synchronise."""
        return self.known.find(self.rules(), asker, device, self.groups(asker.user.name))

    def find_view(self, asker: Principal) -> View:
        """Return the view that an asker is shown: that of its device, and everything without one."""
        return EVERYTHING if asker.device is None else self.terms(asker, asker.device).view

    def admit(self, request: GateRequest) -> Turn:
        """Let a device in.

        Raises:
            SyncRefused: a rule forbids it. SyncUnwanted: a preference does, which its user can change.
            SyncDeferred: it came too early. SyncWindowClosed: at the wrong time of the day, or there are no rules.
        """
        whose = (request.asker.user.name, request.device.name)
        try:
            terms = self.terms(request.asker, request.device)
        except Unavailable as error:
            said: Any = {"rule": AWAY, "decided_by": PROVIDER, "device": whose}
            raise SyncWindowClosed("sync-window-open", **said, retry_after_seconds=error.retry_after_seconds) from error
        names = rights.find_names_at_home(request.asker, request.path)
        scope = _scope(request, names)
        last_round = self.throttle.rounds.find(request.device.id, scope)
        attempt = Attempt(request.mode, names, request.now_us, request.token, last_round, request.bearer)
        decision = decide(terms, attempt)
        if not isinstance(decision, Accept):
            self.record(request, refusal(decision.condition, decision.rule))
        view = require_accepted(decision, whose)
        return Turn(self, request, scope, last_round, terms.interval_seconds, view)

    def record(self, request: GateRequest, decision: LastDecision) -> None:
        """Write down a decision, of each sort one a minute: a device that does not cease costs no write each time."""
        device_id, now_us = request.device.id, request.now_us
        if self.throttle.pacing.is_due(f"{device_id} {decision.condition}", now_us=now_us):
            self.write_down(
                device_id, lambda unit: principals.record_decision(unit, device_id, decision, decided_us=now_us)
            )

    def write_down(self, device_id: str, work: Callable[[Unit], None]) -> None:
        """Write what is known of a device; that it cannot be written is no reason to fail a request that only reads."""
        try:
            self.database.write(work)
        except (DiskFull, Unavailable) as error:
            log.warning("what was seen of device %s is not written down: %s", device_id, error)

    def explain(
        self, asker: Principal, path: Path, *, mode: Mode, bearer: str | None, now_us: int
    ) -> list[Explanation]:
        """Return what would be decided about each device of the asker that wanted to synchronise a collection.

        A device is told about itself alone.
        """
        user = asker.user
        devices = self.database.read(lambda unit: principals.list_devices(unit, user.id))
        asked = [one.device for one in devices if not one.device.revoked]
        if asker.device is not None:
            asked = [one for one in asked if one.id == asker.device.id]
        names = rights.find_names_at_home(asker, path)
        found = []
        for device in asked:
            request = GateRequest(asker, device, path, mode, _UNKNOWN, now_us, bearer)
            last_round = self.throttle.rounds.find(device.id, _scope(request, names))
            attempt = Attempt(mode, names, now_us, _UNKNOWN, last_round, bearer)
            decision, sentences = describe(self.terms(asker, device), attempt)
            whose = (user.name, device.name)
            found.append(Explanation(urls.device_segments(*whose), find_refusal(decision, whose), sentences))
        return found

    def require_kept_in_scope(self, asker: Principal, path: Path, destination: Path, *, is_deep: bool = True) -> None:
        """Raise SyncRefused where COPY or MOVE would bring a folder that a device is not shown under another name.

        path is the source. One that is left out itself stays where it is; one beneath may go to another place where it
        is left out too.
        """
        device = asker.device
        source, target = (rights.find_names_at_home(asker, one) for one in (path, destination))
        if device is None or source is None or target is None:
            return
        terms = self.terms(asker, device)
        if not terms.view.has_scopes:
            return
        for names in map(names_at, self.database.read(lambda unit: list_folders(unit, path, is_deep=is_deep))):
            rule = find_excluding(terms, names)
            moved = (*target, *names[len(source) :])
            if rule is not None and (names == source or find_excluding(terms, moved) is None):
                require_accepted(Reject("sync-scope-allowed", rule), (asker.user.name, device.name))


def require_accepted(decision: Decision, device: tuple[str, str]) -> View:
    """Return the view of a device that is let in; device holds the names of its user and of itself.

    Raises as `Gate.admit`.
    """
    refusal = find_refusal(decision, device)
    if refusal is not None:
        raise refusal
    return decision.view if isinstance(decision, Accept) else EVERYTHING


def find_refusal(decision: Decision, device: tuple[str, str]) -> SyncRefused | None:
    """Return the error of a device that is not let in."""
    match decision:
        case Reject(condition, rule, modes):
            refused = SyncUnwanted if condition == "automatic-sync-enabled" else SyncRefused
            allowed = tuple(mode.value for mode in Mode if mode in modes)
            return refused(condition, rule=rule.name, decided_by=rule.voice, device=device, allowed_modes=allowed)
        case Defer(condition, rule, seconds):
            deferred = SyncWindowClosed if condition == "sync-window-open" else SyncDeferred
            return deferred(
                condition, rule=rule.name, decided_by=rule.voice, device=device, retry_after_seconds=seconds
            )
        case Accept():
            return None


def list_folders(unit: Unit, path: Path, *, is_deep: bool) -> list[Path]:
    """Return the places of a collection, and of all collections beneath it; none where there is no collection."""
    facts, place, _ = bindings.find(unit, path)
    top = place.resource
    if top is None or not top.is_collection:
        return []
    names = {top.node_id: path.names}
    if not is_deep:
        return [path]
    for row in listings.list_collections_beneath(unit, facts.id, top.node_id, limit=listings.NO_LIMIT):
        names[row.node_id] = (*names[row.parent_id], row.name)
    return [path._replace(names=one) for one in names.values()]


def _scope(request: GateRequest, names: tuple[str, ...] | None) -> str:
    """Return what an interval is counted for: reports on a collection, or listings of it by whatever method.

    A device may keep several collections in step. A place at home counts by its names, any other by its URL: no name
    is empty, so that neither is taken for the other.
    """
    kind = "LIST" if request.token is None else "REPORT"
    text = "/".join(("", *urls.segments_of(request.path)) if names is None else names)
    return f"{kind} {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
