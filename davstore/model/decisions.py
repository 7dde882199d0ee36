"""The last decision about a device, as it is kept and shown."""

from __future__ import annotations

from typing import Final, NamedTuple

from davstore.model.rules import Rule


class LastDecision(NamedTuple):
    """A decision of the gate: the condition that did not hold with the rule and its voice, or that all of them did."""

    condition: str = ""
    voice: str = ""
    rule: str = ""

    @property
    def text(self) -> str:
        """The decision as one text, which `parse_decision` reads. No rule has a space in its name."""
        return " ".join(self) if self.condition else "accepted"


ACCEPTED: Final = LastDecision()


def refusal(condition: str, rule: Rule) -> LastDecision:
    """Return the decision of a rule against a device."""
    return LastDecision(condition, rule.voice, rule.name)


def parse_decision(text: str) -> LastDecision:
    """Return the decision of a text."""
    return ACCEPTED if text == ACCEPTED.text else LastDecision(*text.split(" "))
