"""`davstore sync profile`: what a device, or its user, wants of synchronisation, on the server where it counts.

Ends with 0, 2 for a wrong call or a wrong profile, 4 when the provider allows less, 5 authentication, 6 network.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from davstore.cli.progress import say
from davstore.cli.sign_in import read_password, require_closed_way, with_account
from davstore.cli.terminal import as_line
from davstore.client import device as devices
from davstore.client.exit_status import USAGE, Stop
from davstore.client.patience import NOT_BEFORE
from davstore.client.profile import NOTHING, Profiled, describe_profile, open_principal
from davstore.model.bearers import is_bearer
from davstore.model.rules import (
    BOTH,
    KINDS,
    MAX_AGE_SECONDS,
    MAX_BODY_BYTES,
    MAX_INTERVAL_SECONDS,
    Mode,
    Reach,
    pattern_of,
)
from davstore.model.windows import Window, parse_hours, parse_zone
from davstore.protocol.dav import names
from davstore.protocol.http.sync_context import SyncContext

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_SIZES: Final = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


class _Span(click.ParamType[int]):
    """A time as `15m` or `1d12h`, in seconds."""

    name = "TIME"

    def __init__(self, most: int) -> None:
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the seconds."""
        parts = re.findall(r"([0-9]{1,10})([smhdw])", value)
        seconds = sum(int(count) * _UNITS[unit] for count, unit in parts)
        if not parts or "".join(map("".join, parts)) != value or seconds > self._most:
            self.fail(f"{value!r} is no time such as 15m, 2h or 30d, or too long", param, ctx)
        return seconds


class _Size(click.ParamType[int]):
    """A number of bytes, or of thousands (k), millions (M) or billions (G) of them."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the bytes."""
        found = re.fullmatch(r"([0-9]{1,16})([kMG]?)", value)
        size = int(found[1]) * _SIZES[found[2]] if found else MAX_BODY_BYTES + 1
        if size > MAX_BODY_BYTES:
            self.fail(f"{value!r} is no size such as 500k or 10M, or too large", param, ctx)
        return size


class OrProfile(click.Command):
    """The command `sync`, which is `sync profile` when its first word is that."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """Read the words of the command that is meant."""
        if args[:1] == ["profile"]:
            return profile.make_context(f"{info_name} profile", args[1:], *rest, **extra)
        return super().make_context(info_name, args, *rest, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command that is meant."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.command()
@click.argument("place", metavar="URL|DIR")
@with_account
@click.option("--device", metavar="NAME", help="The profile of this device of USER, not that of USER.")
@click.option("--reset", is_flag=True, help="Forget the profile, and take what else is given here for a new one.")
@click.option("--automatic/--manual", default=None, help="Synchronise by itself, or only when a person asks for it.")
@click.option("--every", type=_Span(MAX_INTERVAL_SECONDS), help="Not oftener than this: 15m, 2h, 1d.")
@click.option("--not-over", metavar="BEARER", multiple=True, help="Not by itself over this bearer: cellular-roaming.")
@click.option("--window", metavar="HOURS", help="Only at these hours: 22:00-06:00.")
@click.option("--zone", default="UTC", show_default=True, help="The time zone of --window: Europe/Berlin.")
@click.option(
    "--include",
    metavar="PATH",
    multiple=True,
    help="Only this folder of the collection, or the thread of this URL, and others so given.",
)
@click.option(
    "--exclude",
    metavar="PATH",
    multiple=True,
    help="Without this folder of the collection, or the thread of this URL.",
)
@click.option("--kind", type=click.Choice(sorted(KINDS)), multiple=True, help="Only files of this kind.")
@click.option("--max-body-size", type=_Size(), help="No file that is larger: 500k, 10M.")
@click.option("--max-age", type=_Span(MAX_AGE_SECONDS), help="No file that is older: 30d.")
def profile(
    place: str,
    *,
    user_name: str,
    password_file: Path,
    insecure: bool,
    device: str | None,
    reset: bool,
    **words: Any,
) -> None:
    """Show what a device or its user wants of synchronisation, and what the server's rules make of it; or change it.

    It is the profile of the device whose secret signs in, of the user whose password does, or with --device of a device
    of that user. DIR is a folder that davstore sync keeps in step. What is not named stays as it is; an option that may
    be given several times replaces all that was said of the kind.
    """
    try:
        account: dict[str, Any] = {
            "credentials": (user_name, read_password(password_file)),
            "context": SyncContext("manual"),
            "say": say,
        }
        collection = Profiled(_find_url(place), **account)
        require_closed_way(collection, insecure=insecure)
        change = _change(collection, **words)
        principal = open_principal(collection, device, **account)
        if reset or change:
            before = NOTHING if reset else principal.find_preference()
            principal.set_preference(replace(before, **change))
            _forget_wait(place)
        _show(collection, principal)
    except Stop as stop:
        say(str(stop))
        sys.exit(stop.status)


def _find_url(place: str) -> str:
    """Return the URL that is meant: of a folder that of the collection it was synchronised with."""
    if "://" in place:
        return place
    with devices.open_state_beside(Path(place).resolve(), devices.state_directory()) as state:
        url = state.find_fact(devices.URL)
    if url is None:
        raise Stop(USAGE, f"{place} was not synchronised since davstore knows profiles: name its URL")
    return url


def _forget_wait(place: str) -> None:
    """Let the next run of a folder ask at once: the time that it was told is that of the profile before."""
    if "://" not in place:
        with devices.open_state_beside(Path(place).resolve(), devices.state_directory()) as state:
            state.drop_facts(NOT_BEFORE)


def _change(
    collection: Profiled,
    *,
    automatic: bool | None,
    every: int | None,
    not_over: tuple[str, ...],
    window: str | None,
    zone: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    kind: tuple[str, ...],
    max_body_size: int | None,
    max_age: int | None,
) -> dict[str, Any]:
    """Return the keys of a rule that are named, with their values."""
    if any(not is_bearer(bearer) for bearer in not_over):
        raise Stop(USAGE, "--not-over: a bearer is one word such as cellular-roaming")

    def folders(paths: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        return tuple([pattern_of(collection.names_of(path)) for path in paths])

    return _said(
        modes=None if automatic is None else BOTH if automatic else frozenset({Mode.MANUAL}),
        min_interval_seconds=every,
        bearers_not=frozenset(not_over) or None,
        window=None if window is None else _window(window, zone),
        include=tuple(map(Reach, folders(include))) or None,
        exclude=folders(exclude) or None,
        kinds=frozenset(kind) or None,
        max_body_bytes=max_body_size,
        max_age_seconds=max_age,
    )


def _said(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _window(hours: str, zone: str) -> Window:
    try:
        return Window(*parse_hours(hours), parse_zone(zone))
    except ValueError as error:
        raise Stop(USAGE, f"{hours} {zone}: hours are two times such as 22:00-06:00, in a zone such as UTC") from error


def _show(collection: Profiled, principal: Profiled) -> None:
    found = principal.find(names.DISPLAYNAME, names.SYNC_PREFERENCES, names.EFFECTIVE_SYNC_POLICY)
    name = found.get(names.DISPLAYNAME)
    click.echo(f"profile of {as_line('' if name is None else name.text or '')}:")
    for title, element in (
        ("wants", found.get(names.SYNC_PREFERENCES)),
        ("in force", found.get(names.EFFECTIVE_SYNC_POLICY)),
    ):
        lines = [] if element is None else list(describe_profile(element, collection.shown))
        click.echo("\n".join([f"{title}:", *(f"  {as_line(line)}" for line in lines or ("nothing",))]))
