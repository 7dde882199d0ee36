"""The gate: the facts of a device that wants to synchronise, and its rounds (docs/protocol.md#the-sync-policy).

The decision is made in `policy.sync_rules`; here are the facts that it needs, and the bookkeeping after a response.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from davstore.engine import rights
from davstore.errors import DiskFull, SyncDeferred, SyncRefused, SyncWindowClosed, Unavailable
from davstore.metadata import principals
from davstore.metadata.database import Database
from davstore.metadata.volatile import Throttle
from davstore.model.paths import Path
from davstore.model.principals import Device, Principal
from davstore.model.rounds import Round
from davstore.policy.sync_rules import (
    Attempt,
    Defer,
    Mode,
    Reject,
    Rule,
    decide,
    find_interval_rule,
    list_fitting,
    next_round,
)
from davstore.protocol import urls

log = logging.getLogger("davstore.gate")


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
    """An accepted request, and the rules that accepted it.

    `answered` is to be called when it succeeded: a failed request uses up no interval.
    """

    gate: Gate
    rules: Sequence[Rule]
    request: GateRequest
    scope: str
    last_round: Round | None

    def answered(self, given: str = "", *, truncated: bool = False) -> None:
        """Remember the round: given is the sync token of the answer, truncated: there are more pages."""
        request, gate = self.request, self.gate
        rule = find_interval_rule(_list_rules(self.rules, request))
        if request.token is None:
            if rule:
                gate.throttle.rounds.record(request.device.id, self.scope, Round(request.now_us))
            return
        accepted = next_round(
            self.last_round,
            asked=request.token,
            given=given,
            truncated=truncated,
            now_us=request.now_us,
            interval_seconds=(rule and rule.min_interval_seconds) or 0,
        )
        gate.throttle.rounds.record(request.device.id, self.scope, accepted)
        if gate.throttle.pacing.is_due(request.device.id, now_us=request.now_us):
            self._write_seen(accepted, given)

    def _write_seen(self, accepted: Round, given: str) -> None:
        device_id, seen_us = self.request.device.id, self.request.now_us
        try:
            self.gate.database.write(
                lambda unit: principals.record_seen(
                    unit, device_id, seen_us=seen_us, round_us=accepted.started_us, token=given
                )
            )
        except (DiskFull, Unavailable) as error:  # no reason to fail a report that only reads
            log.warning("what was seen of device %s is not written down: %s", device_id, error)


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate in front of synchronisation. rules returns the rules in force, or raises Unavailable."""

    rules: Callable[[], Sequence[Rule]]
    throttle: Throttle
    database: Database

    def admit(self, request: GateRequest) -> Turn:
        """Let a device in.

        Raises:
            SyncRefused: a rule forbids it.
            SyncDeferred: it came too early. SyncWindowClosed: at the wrong time of the day.
            Unavailable: no rules can be had, and without them no device comes in.
        """
        rules = self.rules()
        names = rights.find_names_at_home(request.asker, request.path)
        scope = _scope(request, names)
        last_round = self.throttle.rounds.find(request.device.id, scope)
        decision = decide(
            rules,
            Attempt(
                request.asker.user.name,
                request.device.name,
                request.device.device_class,
                request.mode,
                names,
                request.now_us,
                request.token,
                last_round,
                request.bearer,
            ),
        )
        match decision:
            case Reject(condition, rule, modes):
                raise SyncRefused(
                    condition,
                    rule=rule.name,
                    decided_by=rule.voice,
                    allowed_modes=tuple(mode.value for mode in Mode if mode in modes),
                )
            case Defer(condition, rule, seconds):
                error = SyncWindowClosed if condition == "sync-window-open" else SyncDeferred
                raise error(condition, rule=rule.name, decided_by=rule.voice, retry_after_seconds=seconds)
        return Turn(self, rules, request, scope, last_round)


def _list_rules(rules: Sequence[Rule], request: GateRequest) -> list[Rule]:
    device = request.device
    return list_fitting(rules, user=request.asker.user.name, device=device.name, device_class=device.device_class)


def _scope(request: GateRequest, names: tuple[str, ...] | None) -> str:
    """Return what an interval is counted for: reports on a collection, or listings of it by whatever method.

    A device may keep several collections in step. A place at home counts by its names, any other by its URL: no name
    is empty, so that neither is taken for the other.
    """
    kind = "LIST" if request.token is None else "REPORT"
    text = "/".join(("", *urls.segments_of(request.path)) if names is None else names)
    return f"{kind} {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
