"""The `davstore` command. Each subcommand is a module that parses its words and hands them on."""

from __future__ import annotations

import click

from davstore.cli.backup import backup, restore
from davstore.cli.check import check
from davstore.cli.devices import device
from davstore.cli.policy import policy
from davstore.cli.serve import serve
from davstore.cli.sync import sync
from davstore.cli.users import user


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="davstore")
def main() -> None:
    """Network message and media storage that a person's devices share."""


main.add_command(backup)
main.add_command(check)
main.add_command(device)
main.add_command(policy)
main.add_command(restore)
main.add_command(serve)
main.add_command(sync)
main.add_command(user)
