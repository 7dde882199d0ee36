"""`davstore user`: the people who have a store. Works while the server runs, and counts from the next request on."""

from __future__ import annotations

import re
import sys
import time

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.cli.tables import render_table, render_time
from davstore.errors import Unprocessable
from davstore.policy.quota import charged_bytes
from davstore.settings import Settings
from davstore.store import enrolling

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_MOST_BYTES = (1 << 63) - 1
"""The largest number that a column of the database holds."""


class _Size(click.ParamType[int]):
    """A number of bytes, with K, M, G or T behind it times 1024, 1024 K and so on."""

    name = "bytes"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes."""
        match = re.fullmatch(r"([0-9]{1,19})([KMGT]?)", str(value), re.ASCII)
        size = int(match[1]) << _UNITS[match[2]] if match else -1
        if not 0 <= size <= _MOST_BYTES:
            self.fail(f"a quota is a number of bytes, as 500000 or 20G, not {value!r}", param, ctx)
        return size


_password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@click.group()
def user() -> None:
    """Add, change, list, disable and remove users."""


@user.command()
@with_settings
@click.argument("name")
@_password_stdin
@click.option("--quota", metavar="BYTES", type=_Size(), help="Most bytes of the store, as 500000 or 20G (no limit).")
def add(settings: Settings, *, name: str, password_stdin: bool, quota: int | None) -> None:
    """Add the user NAME with an empty store.

    The password is asked for on a terminal; without one and without --password-stdin it is made up and printed.
    """
    database = wiring.find_storage(settings).database
    password, made_up = _obtain_password(password_stdin=password_stdin)
    enrolling.add_user(database, name, password, now_us=time.time_ns() // 1000, quota_bytes=quota)
    _show(password, made_up=made_up)


@user.command()
@with_settings
@click.argument("name")
@_password_stdin
def passwd(settings: Settings, *, name: str, password_stdin: bool) -> None:
    """Give the user NAME another password. Devices keep their secrets."""
    database = wiring.find_storage(settings).database
    password, made_up = _obtain_password(password_stdin=password_stdin)
    enrolling.set_password(database, name, password)
    _show(password, made_up=made_up)


@user.command()
@with_settings
@click.argument("name")
@click.argument("size", metavar="BYTES|none")
@click.pass_context
def quota(ctx: click.Context, settings: Settings, *, name: str, size: str) -> None:
    """Set the most bytes that the store of NAME may hold: 500000, 20G, or none for as much as the disk.

    A store that holds more keeps it, and takes nothing new until it holds less.
    """
    database = wiring.find_storage(settings).database
    quota_bytes = None if size == "none" else _Size().convert(size, None, ctx)
    enrolling.set_quota(database, name, quota_bytes)


@user.command()
@with_settings
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def remove(settings: Settings, *, name: str, yes: bool) -> None:
    """Remove the user NAME with all devices, locks and files, for ever.

    On SQLite all writes wait meanwhile, about a second for each 100,000 files.
    """
    storage = wiring.find_storage(settings)
    enrolling.get_user(storage.database, name)
    if not yes:
        if not sys.stdin.isatty():
            raise Unprocessable(f"add --yes to remove {name} with all devices and files")
        click.confirm(f"Remove {name} with all devices and files?", abort=True)
    enrolling.remove_user(storage.database, storage.blobs, name)


@user.command("list")
@with_settings
def list_(settings: Settings) -> None:
    """List users: name, state, bytes used, quota, when they were added."""
    rows = [
        (
            account.user.name,
            "disabled" if account.user.disabled else "active",
            str(charged_bytes(account.used_bytes, account.entries)),
            "-" if account.quota_bytes is None else str(account.quota_bytes),
            render_time(account.created_us),
        )
        for account in enrolling.list_users(wiring.find_storage(settings).database)
    ]
    click.echo(render_table(("NAME", "STATE", "USED", "QUOTA", "ADDED"), rows))


@user.command()
@with_settings
@click.argument("name")
def disable(settings: Settings, *, name: str) -> None:
    """Refuse the user NAME and all its devices. The store is kept."""
    enrolling.set_disabled(wiring.find_storage(settings).database, name, disabled=True)


@user.command()
@with_settings
@click.argument("name")
def enable(settings: Settings, *, name: str) -> None:
    """Accept a disabled user again, with its old password and devices."""
    enrolling.set_disabled(wiring.find_storage(settings).database, name, disabled=False)


def _obtain_password(*, password_stdin: bool) -> tuple[str, bool]:
    """Return the password, and whether it was made up here."""
    if password_stdin:
        try:
            return sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r"), False
        except UnicodeDecodeError as error:
            raise Unprocessable("the password is not UTF-8") from error
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True), False
    return enrolling.new_password(), True


def _show(password: str, *, made_up: bool) -> None:
    if made_up:
        click.echo(f"password: {password}")
