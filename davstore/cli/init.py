"""`davstore init`: make a store, as the first start of `serve` does, or join a data directory to its database again."""

from __future__ import annotations

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.server.supervisor import hold_data_directory
from davstore.settings import Settings
from davstore.wiring import FirstUser


@click.command()
@with_settings
@click.option("--adopt", is_flag=True, help="Join directory and database even if each belonged to another.")
def init(settings: Settings, *, adopt: bool) -> None:
    """Make a store with the user `me`, and print its password, once. A store that is there already is not changed.

    With --adopt the data directory and the database of the settings belong together from now on, even if each names
    another: after a move to another database, for example. Devices then compare everything once.
    """
    with hold_data_directory(settings.data.path):
        first = wiring.prepare_store(settings, adopts=adopt)
    show_first_user(first)
    if first is None:
        click.echo(f"{settings.data.path}: there is a store already")


def show_first_user(first: FirstUser | None) -> None:
    """Print the name and the password of the user that a first start made."""
    if first:
        click.echo(f"first user: {first.name}\npassword:   {first.password}  (shown this once)")
