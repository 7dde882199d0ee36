"""The options with which `davstore sync` signs in to a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from davstore.client.exit_status import USAGE, Stop
from davstore.client.remote import RemoteCollection


def with_account(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an account: its user, its password, and whether the way may be open."""
    return _with_account(command, required=True)


def with_optional_account(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an account, which it may be called without."""
    return _with_account(command, required=False)


def _with_account(command: Callable[..., Any], *, required: bool) -> Callable[..., Any]:
    for option in (
        click.option("--insecure", is_flag=True, help="Allow plain http to another machine, which shows the password."),
        click.option(
            "--password-file",
            metavar="FILE",
            required=required,
            type=click.Path(path_type=Path),
            help="File whose first line is the password or the device's secret.",
        ),
        click.option("--user", "user_name", metavar="USER", required=required, help="Name of the account."),
    ):
        command = option(command)
    return command


def read_password(file: Path) -> str:
    """Return the first line of a file. Raises Stop: there is none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Stop(USAGE, f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Stop(USAGE, f"{file} is not UTF-8 text") from error
    if not lines or not lines[0]:
        raise Stop(USAGE, f"{file} holds no password")
    return lines[0]


def require_closed_way(remote: RemoteCollection, *, insecure: bool) -> None:
    """Raise Stop when others may read the password on its way."""
    if remote.is_readable_on_the_way and not insecure:
        raise Stop(USAGE, f"{remote.url} is not encrypted: use https, or --insecure if others may read the password")
