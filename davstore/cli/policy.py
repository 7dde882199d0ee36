"""`davstore policy`: check the provider's policy file, and explain it for one device."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.model.principals import Device
from davstore.policy.sync_rules import Attempt, Mode, Reject, Rule, decide, find_interval_rule, list_fitting
from davstore.rule_sources.file import PolicyFile
from davstore.settings import Settings
from davstore.store import enrolling


@click.group()
def policy() -> None:
    """Check and explain the provider's sync policy."""


@policy.command()
@with_settings
@click.argument("file", type=click.Path(path_type=Path), required=False)
def check(settings: Settings, *, file: Path | None) -> None:
    """Check FILE, or the policy file of the settings. A wrong one ends with status 2 and names file, line and key.

    Rules for users and devices that do not exist are listed, and are no mistake: they may be added later.
    """
    rules = (PolicyFile(file) if file else wiring.open_policy(settings)).rules()
    click.echo(f"{file or settings.policy.file or 'no policy file'}: {len(rules)} rules")
    for line in wiring.list_unknown_names(settings, rules):
        click.echo(f"warning: {line}", err=True)


@policy.command()
@with_settings
@click.argument("user")
@click.argument("device")
def explain(settings: Settings, *, user: str, device: str) -> None:
    """Print the decision for the device DEVICE of USER, and the rule that decides, with its source."""
    rules = wiring.open_policy(settings).rules()
    found = enrolling.get_device(wiring.find_storage(settings).database, user, device).device
    for line in _explanation(rules, user, found):
        click.echo(line)


def _explanation(rules: Sequence[Rule], user: str, device: Device) -> Iterator[str]:
    yield f"{user}/{device.name} ({device.device_class.value})"
    for mode in Mode:
        attempt = Attempt(user, device.name, device.device_class, mode, (), time.time_ns() // 1000)
        decision = decide(rules, attempt)
        match decision:
            case Reject(condition, rule):
                yield f"{mode.value}: refused, {condition}, {_by(rule)}"
            case _:
                yield f"{mode.value}: accepted"
    fitting = list_fitting(rules, user=user, device=device.name, device_class=device.device_class)
    interval = find_interval_rule(fitting)
    if interval:
        yield f"interval: {interval.min_interval_seconds} s, {_by(interval)}"
    for rule in fitting:
        for pattern in rule.exclude:
            yield f"excluded: {'/'.join(pattern)}, {_by(rule)}"


def _by(rule: Rule) -> str:
    return f"by rule {rule.name} of the {rule.voice}"
