"""A decision in words, for a person: the rule that decided, and what would change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from davstore.model.rules import PROVIDER, Mode, Rule
from davstore.policy.sync_rules import Attempt, Decision, Defer, Reject, decide
from davstore.policy.terms import Terms

_REASONS: Final = {
    "sync-allowed": "it may not",
    "automatic-sync-enabled": "it does not by itself",
    "sync-scope-allowed": "this folder is left out",
    "sync-window-open": "not at this hour",
    "sync-interval-respected": "too early",
}


def describe(terms: Terms, attempt: Attempt) -> tuple[Decision, list[str]]:
    """Return a decision and the sentences that tell it, the reason first."""
    decision = decide(terms, attempt)
    if not isinstance(decision, Reject | Defer):
        return decision, ["It may synchronise."]
    reason = f"{_REASONS[decision.condition].capitalize()}: {by(decision.rule)}."
    return decision, [reason, *(f"It may {way}." for way in _ways(terms, attempt, decision)), _change(decision.rule)]


def by(rule: Rule) -> str:
    """Return whose rule it is, and its name."""
    return f"rule {rule.name} of the {rule.voice}"


def _ways(terms: Terms, attempt: Attempt, decision: Reject | Defer) -> Iterator[str]:
    """Yield what the device or its person can do about it: each is tried."""
    if isinstance(decision, Defer):
        at = datetime.fromtimestamp(attempt.now_us // 1_000_000 + decision.retry_after_seconds, UTC)
        yield f"from {at:%Y-%m-%dT%H:%M:%SZ} on"
        return
    by_hand = dataclasses.replace(attempt, mode=Mode.MANUAL)
    if attempt.mode is Mode.AUTOMATIC and not isinstance(decide(terms, by_hand), Reject):
        yield "when its user asks for it"
    by_itself = dataclasses.replace(attempt, mode=Mode.AUTOMATIC)
    if attempt.mode is Mode.MANUAL and not isinstance(decide(terms, by_itself), Reject):
        yield "by itself"
    elsewhere = dataclasses.replace(attempt, bearer=None)
    if attempt.bearer is not None and not isinstance(decide(terms, elsewhere), Reject):
        yield f"over another bearer than {attempt.bearer}"


def _change(rule: Rule) -> str:
    if rule.voice == PROVIDER:
        return "The provider can change the rule."
    return f"The user can change the preferences of the {rule.voice}."
