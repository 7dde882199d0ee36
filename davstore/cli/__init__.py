"""The `davstore` command. Each subcommand is a module that parses its words and hands them on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import import_module
from typing import IO, Any

import click

from davstore.cli.options import USAGE

_MODULES = {
    "acl": "access",
    "backup": "backup",
    "check": "check",
    "device": "devices",
    "export": "exporting",
    "import": "importing",
    "init": "init",
    "lock": "locks",
    "mail": "mail",
    "policy": "policy",
    "restore": "backup",
    "serve": "serve",
    "service": "services",
    "share": "sharing",
    "shares": "sharing",
    "sync": "sync",
    "unshare": "sharing",
    "user": "users",
}
"""The module of each command, which is imported for that command alone: a server needs no client, nor this a server."""


class _WrongCall(click.ClickException):
    """A call that click refuses, reported in one line as every error is."""

    exit_code = USAGE

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the line to standard error."""
        click.echo(f"davstore: {' '.join(self.format_message().split())}", file, err=True)


class _Commands(click.Group):
    """The commands; a wrong call of one ends with a line and not with the whole usage."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  the parent's
        """Return the names of the commands."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  the parent's
        """Return the command of a name."""
        if cmd_name not in _MODULES:
            return None
        function = "import_" if cmd_name == "import" else cmd_name
        command: click.Command = getattr(import_module(f"{__name__}.{_MODULES[cmd_name]}"), function)
        return command

    def make_context(self, *args: Any, **words: Any) -> click.Context:
        """Read the words before the command."""
        with _in_one_line():
            return super().make_context(*args, **words)

    def invoke(self, ctx: click.Context) -> Any:
        """Read the words of the command and call it."""
        with _in_one_line():
            return super().invoke(ctx)


@contextlib.contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        hint = f" ({error.ctx.command_path} --help)" if error.ctx else ""
        raise _WrongCall(f"{error.format_message()}{hint}") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="davstore")
@click.pass_context
def main(context: click.Context) -> None:
    """Network message and media storage that a person's devices share."""
    if context.invoked_subcommand not in (
        "sync",
        "mail",
    ):  # the files of a person's folder are as open as that person's others
        context.with_resource(_for_the_owner_only())


@contextlib.contextmanager
def _for_the_owner_only() -> Iterator[None]:
    """Let the files that a store is made of be read by no other user of the machine."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
