"""`davstore service`: functions of the network that deliver into the stores of users, each with a secret of its own."""

from __future__ import annotations

import time
from pathlib import Path

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.cli.secret_files import give_secret, secret_file_option
from davstore.cli.tables import render_table, render_time
from davstore.model.principals import Ability
from davstore.settings import Settings
from davstore.store import enrolling


@click.group()
def service() -> None:
    """Add, list and revoke services, such as the recorder of a network."""


@service.command()
@with_settings
@click.argument("name")
@click.option(
    "--may",
    type=click.Choice([item.value for item in Ability]),
    required=True,
    help="What the service may do: deliver into the store of every user.",
)
@secret_file_option
def add(settings: Settings, *, name: str, may: str, secret_file: Path | None) -> None:
    """Add the service NAME and print its secret, or write it to a file; it cannot be shown again.

    The service signs in as NAME with the secret for a password, or with the secret as a bearer token. It can POST to
    /dav/drop/USER/ of any USER, and everything else is 404 for it.
    """
    database, now_us = wiring.find_storage(settings).database, time.time_ns() // 1000
    give_secret(secret_file, lambda: enrolling.add_service(database, name, Ability(may), now_us=now_us).secret)


@service.command("list")
@with_settings
def list_(settings: Settings) -> None:
    """List the services: name, what they may do, state, id, when added."""
    rows = [
        (service.name, service.may.value, service.state, service.key, render_time(created_us))
        for service, _, created_us in enrolling.list_services(wiring.find_storage(settings).database)
    ]
    click.echo(render_table(("NAME", "MAY", "STATE", "ID", "ADDED"), rows))


@service.command()
@with_settings
@click.argument("name")
def revoke(settings: Settings, *, name: str) -> None:
    """Refuse the service NAME from its next request on."""
    enrolling.revoke_service(wiring.find_storage(settings).database, name)
