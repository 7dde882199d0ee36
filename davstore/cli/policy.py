"""`davstore policy`: check the provider's policy, and explain it for one device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from davstore import wiring
from davstore.cli.options import FilePath, with_settings
from davstore.client.profile import as_span
from davstore.model.bearers import is_bearer
from davstore.model.principals import Device, User
from davstore.model.rules import BOTH, DEVICE, USER, Mode, Rule, parse_text, text_of
from davstore.policy.explaining import by, describe
from davstore.policy.idle_rules import find_idle
from davstore.policy.preferences import parse_json
from davstore.policy.sync_rules import Attempt, Defer, Reject, decide
from davstore.policy.terms import Subject, Terms, merge
from davstore.rule_sources.file import GroupsFile, PolicyFile
from davstore.settings import Settings
from davstore.store import enrolling
from davstore.toml_lines import find_line


class _Bearer(click.ParamType[str]):
    name = "bearer"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return a bearer."""
        return value if is_bearer(value) else self.fail(f"{value!r} is not the name of a bearer", param, ctx)


class _Folder(click.ParamType[tuple[str, ...]]):
    name = "text"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names by which patterns find a folder or a thread."""
        names = value if isinstance(value, tuple) else tuple(filter(None, parse_text(value)))
        if {".", ".."}.intersection(names):
            self.fail(f"{value!r} is not a folder below the user's store such as Media/raw", param, ctx)
        return names


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
    """Check FILE, or the policy of the settings. A wrong one ends with status 2 and names file, line and key.

    That of a URL is fetched, and not taken into force; a URL that does not answer ends with status 6. Rules for groups,
    users and devices that do not exist, and such members of groups, are listed, and are no mistake: they may be added
    later. So are rules, and keys of rules, that change nothing whichever device comes, and those that let none of
    theirs through.
    """
    rules = PolicyFile(file).rules() if file else wiring.read_policy(settings)
    source, has_lines = file or wiring.name_policy(settings), file or not settings.policy.url
    click.echo(f"{source or 'no policy file'}: {len(rules)} rules")
    for line in wiring.list_unknown_names(settings, rules):
        click.echo(f"warning: {line}", err=True)
    idle = find_idle(rules)
    text = Path(source).read_text(encoding="utf-8") if idle and has_lines else ""
    for found in idle:
        line = f":{find_line(text, 'rule', found.key or 'name', index=found.place)}" if has_lines else ""
        click.echo(f"warning: {source}{line}: rule {rules[found.place].name}: {found.text}", err=True)


@policy.command()
@with_settings
@click.argument("user")
@click.argument("device")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="In this mode alone.")
@click.option("--bearer", type=_Bearer(), help="When it comes over this bearer, such as cellular-roaming.")
@click.option("--at", type=_Time(), help="At this time, such as 2026-12-01T23:30+01:00.")
@click.option("--folder", type=_Folder(), default="", help="When it asks for this folder or thread.")
def explain(
    settings: Settings,
    *,
    user: str,
    device: str,
    mode: str | None,
    bearer: str | None,
    at: datetime | None,
    folder: tuple[str, ...],
) -> None:
    """Print the decision for the device DEVICE of USER, and the rule that decides, with its source.

    The rules of a URL are those in force: the ones that the server fetched last.
    """
    rules = wiring.open_policy(settings).rules()
    database = wiring.find_storage(settings).database
    found, owner = enrolling.get_device(database, user, device).device, enrolling.get_user(database, user)
    now_us = time.time_ns() // 1000 if at is None else int(at.timestamp()) * 1_000_000
    terms = _terms(rules, wiring.open_groups(settings), owner, found)
    click.echo(f"{user}/{found.name} ({found.device_class.value})")
    if found.suspended:
        click.echo("suspended: refused, device-enrolled, whatever the rules say")
    for one in Mode:
        if mode in (None, one.value):
            attempt = Attempt(one, folder, now_us, bearer=bearer)
            click.echo(_decision(terms, attempt))
            for sentence in describe(terms, attempt)[1][1:]:
                click.echo(f"  {sentence}")
    for line in _explanation(terms):
        click.echo(line)


@policy.command()
@with_settings
@click.argument("old", type=FilePath())
@click.argument("new", type=FilePath(), required=False)
def diff(settings: Settings, *, old: Path, new: Path | None) -> None:
    """Print the devices that NEW, or the policy of the settings, decides about otherwise than OLD, and how.

    Each device of the store that is not revoked is looked at. Nothing is printed where none is met. The policy of a URL
    is fetched, as by `davstore policy check`.
    """
    database = wiring.find_storage(settings).database
    before, after = PolicyFile(old).rules(), PolicyFile(new).rules() if new else wiring.read_policy(settings)
    groups = wiring.open_groups(settings)
    for user in enrolling.list_users(database):
        for facts in enrolling.list_devices(database, user.user.name):
            device = facts.device
            if device.revoked:
                continue
            terms = [_list_values(_terms(rules, groups, user.user, device)) for rules in (before, after)]
            if terms[0] != terms[1]:
                click.echo(f"{user.user.name}/{device.name} ({device.device_class.value})")
                for sign, own, others in (("-", *terms), ("+", *terms[::-1])):
                    for line in own:
                        if line not in others:
                            click.echo(f"{sign} {line}")


def _terms(rules: Sequence[Rule], groups: GroupsFile, user: User, device: Device) -> Terms:
    said = ((user.preferences, USER), (device.preferences, DEVICE))
    preferences = [parse_json(text, voice) for text, voice in said if text is not None]
    return merge(rules, preferences, Subject(user.name, device.name, device.device_class, groups.of(user.name)))


def _list_values(terms: Terms) -> list[str]:
    """Return the terms on which a device may synchronise, whichever rules they come from."""
    if not all(rule.allowed for rule in terms.rules):
        return ["may not synchronise"]
    modes = [mode.value for mode in Mode if mode in terms.modes]
    return sorted({f"modes: {', '.join(modes) or 'none'}", *(value for _, value in _values(terms))})


def _decision(terms: Terms, attempt: Attempt) -> str:
    mode = attempt.mode.value
    match decide(terms, attempt):
        case Reject(condition, rule):
            return f"{mode}: refused, {condition}, by {by(rule)}"
        case Defer(condition, rule, seconds):
            return f"{mode}: not now, {condition}, for {seconds} s, by {by(rule)}"
    return f"{mode}: accepted"


def _explanation(terms: Terms) -> Iterator[str]:
    for rule in terms.binding["modes"]:
        if rule.modes not in (None, BOTH):
            yield f"modes: {', '.join(mode.value for mode in Mode if mode in (rule.modes or ()))}, by {by(rule)}"
    for rule, value in _values(terms):
        yield f"{value}, by {by(rule)}"


def _values(terms: Terms) -> Iterator[tuple[Rule, str]]:
    """Yield the values that bind but for modes, each with its rule."""
    if terms.interval is not None and terms.interval_seconds:
        yield terms.interval, f"interval: {terms.interval_seconds} s"
    for key, show in _SHOWN.items():
        for rule in terms.binding[key]:
            text = show(getattr(rule, key))
            if text:
                yield rule, text
    largest, oldest = terms.strictest("max_body_bytes"), terms.strictest("max_age_seconds")
    if largest is not None:
        yield largest, f"max body: {largest.max_body_bytes} bytes"
    if oldest is not None:
        yield oldest, f"max age: {as_span(oldest.max_age_seconds or 0)}"
    for rule in terms.rules:
        for pattern in rule.exclude:
            yield rule, f"excluded: {text_of(pattern)}"


_SHOWN: dict[str, Callable[[Any], str]] = {
    "bearers_not": lambda bearers: bearers and f"not by itself over {', '.join(sorted(bearers))}",
    "window": lambda window: f"window: {window}",
    "include": lambda reaches: f"included: {', '.join(text_of(one.pattern) for one in reaches) or 'nothing'}",
    "kinds": lambda kinds: f"kinds: {', '.join(sorted(kinds)) or 'none'}",
    "where": lambda _where: "filtered",
    "list_only": lambda is_on: "lists only" if is_on else "",
    "withhold_states": lambda states: states and f"states withheld: {', '.join(sorted(states))}",
}
