"""`davstore policy`: check the provider's policy file, and explain it for one device."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import click

from davstore import wiring
from davstore.cli.options import FilePath, with_settings
from davstore.model.bearers import is_bearer
from davstore.model.principals import Device
from davstore.policy.idle_rules import find_idle
from davstore.policy.sync_rules import Attempt, Defer, Mode, Reject, Rule, decide, find_interval_rule, list_fitting
from davstore.rule_sources.file import PolicyFile
from davstore.settings import Settings
from davstore.store import enrolling
from davstore.toml_lines import find_line


class _Bearer(click.ParamType[str]):
    name = "bearer"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return a bearer."""
        return value if is_bearer(value) else self.fail(f"{value!r} is not the name of a bearer", param, ctx)


class _Time(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return a time."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time like 2026-12-01T23:30", param, ctx)


@click.group()
def policy() -> None:
    """Check and explain the provider's sync policy."""


@policy.command()
@with_settings
@click.argument("file", type=FilePath(), required=False)
def check(settings: Settings, *, file: Path | None) -> None:
    """Check FILE, or the policy file of the settings. A wrong one ends with status 2 and names file, line and key.

    Rules for users and devices that do not exist are listed, and are no mistake: they may be added later. So are rules,
    and keys of rules, that change nothing whichever device comes, and those that let none of theirs through.
    """
    rules = (PolicyFile(file) if file else wiring.open_policy(settings)).rules()
    click.echo(f"{file or settings.policy.file or 'no policy file'}: {len(rules)} rules")
    for line in wiring.list_unknown_names(settings, rules):
        click.echo(f"warning: {line}", err=True)
    idle = find_idle(rules)
    text = Path(file or settings.policy.file).read_text(encoding="utf-8") if idle else ""
    for found in idle:
        place = f"{file or settings.policy.file}:{find_line(text, 'rule', found.key or 'name', index=found.place)}"
        click.echo(f"warning: {place}: rule {rules[found.place].name}: {found.text}", err=True)


@policy.command()
@with_settings
@click.argument("user")
@click.argument("device")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="In this mode alone.")
@click.option("--bearer", type=_Bearer(), help="When it comes over this bearer, such as cellular-roaming.")
@click.option("--at", type=_Time(), help="At this time, such as 2026-12-01T23:30+01:00.")
@click.option("--folder", default="", help="When it asks for this folder below the user's store.")
def explain(
    settings: Settings,
    *,
    user: str,
    device: str,
    mode: str | None,
    bearer: str | None,
    at: datetime | None,
    folder: str,
) -> None:
    """Print the decision for the device DEVICE of USER, and the rule that decides, with its source."""
    rules = wiring.open_policy(settings).rules()
    found = enrolling.get_device(wiring.find_storage(settings).database, user, device).device
    now_us = time.time_ns() // 1000 if at is None else int(at.timestamp()) * 1_000_000
    names = tuple(name for name in folder.split("/") if name)
    modes = tuple(Mode) if mode is None else (Mode(mode),)
    attempts = [Attempt(user, found.name, found.device_class, one, names, now_us, bearer=bearer) for one in modes]
    for line in _explanation(rules, user, found, attempts):
        click.echo(line)


@policy.command()
@with_settings
@click.argument("old", type=FilePath())
@click.argument("new", type=FilePath(), required=False)
def diff(settings: Settings, *, old: Path, new: Path | None) -> None:
    """Print the devices that NEW, or the policy file of the settings, decides about otherwise than OLD, and how.

    Each device of the store that is not revoked is looked at. Nothing is printed where none is met.
    """
    database = wiring.find_storage(settings).database
    before, after = PolicyFile(old).rules(), (PolicyFile(new) if new else wiring.open_policy(settings)).rules()
    for user in enrolling.list_users(database):
        for facts in enrolling.list_devices(database, user.user.name):
            device = facts.device
            if device.revoked:
                continue
            terms = [list_terms(rules, user.user.name, device) for rules in (before, after)]
            if terms[0] != terms[1]:
                click.echo(f"{user.user.name}/{device.name} ({device.device_class.value})")
                for sign, own, others in (("-", *terms), ("+", *terms[::-1])):
                    for line in own:
                        if line not in others:
                            click.echo(f"{sign} {line}")


def list_terms(rules: Sequence[Rule], user: str, device: Device) -> list[str]:
    """Return the terms on which a device may synchronise, whichever rules they come from."""
    fitting = list_fitting(rules, user=user, device=device.name, device_class=device.device_class)
    if not all(rule.allowed for rule in fitting):
        return ["may not synchronise"]
    modes = [mode.value for mode in Mode if all(mode in rule.modes for rule in fitting)]
    interval = find_interval_rule(fitting)
    terms = {f"modes: {', '.join(modes) or 'none'}"}
    if interval is not None and interval.min_interval_seconds:
        terms.add(f"interval: {interval.min_interval_seconds} s")
    for rule in fitting:
        terms |= {f"not by itself over {bearer}" for bearer in rule.bearers_not}
        terms |= {f"excluded: {'/'.join(pattern)}" for pattern in rule.exclude}
        terms |= {f"window: {rule.window}"} if rule.window is not None else set()
    return sorted(terms)


def _explanation(rules: Sequence[Rule], user: str, device: Device, attempts: Sequence[Attempt]) -> Iterator[str]:
    yield f"{user}/{device.name} ({device.device_class.value})"
    for attempt in attempts:
        mode = attempt.mode.value
        match decide(rules, attempt):
            case Reject(condition, rule):
                yield f"{mode}: refused, {condition}, {_by(rule)}"
            case Defer(condition, rule, seconds):
                yield f"{mode}: not now, {condition}, for {seconds} s, {_by(rule)}"
            case _:
                yield f"{mode}: accepted"
    fitting = list_fitting(rules, user=user, device=device.name, device_class=device.device_class)
    interval = find_interval_rule(fitting)
    if interval:
        yield f"interval: {interval.min_interval_seconds} s, {_by(interval)}"
    for rule in fitting:
        if rule.bearers_not:
            yield f"not by itself over {', '.join(sorted(rule.bearers_not))}, {_by(rule)}"
        if rule.window is not None:
            yield f"window: {rule.window}, {_by(rule)}"
        for pattern in rule.exclude:
            yield f"excluded: {'/'.join(pattern)}, {_by(rule)}"


def _by(rule: Rule) -> str:
    return f"by rule {rule.name} of the {rule.voice}"
