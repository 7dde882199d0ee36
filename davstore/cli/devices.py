"""`davstore device`: the machines that keep a user's store in step, each with a secret of its own."""

from __future__ import annotations

import time

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.cli.tables import render_table, render_time
from davstore.model.principals import DeviceClass
from davstore.settings import Settings
from davstore.store import enrolling


@click.group()
def device() -> None:
    """Add, list and revoke devices."""


@device.command()
@with_settings
@click.argument("user")
@click.argument("name")
@click.option(
    "--class",
    "device_class",
    type=click.Choice([item.value for item in DeviceClass]),
    default=DeviceClass.OTHER.value,
    show_default=True,
    help="What policy rules may know it by.",
)
def add(settings: Settings, *, user: str, name: str, device_class: str) -> None:
    """Add the device NAME of USER and print its secret, which nobody can show again.

    The device signs in as USER with the secret for a password, or with the secret as a bearer token.
    """
    added = enrolling.add_device(
        wiring.find_house(settings).database,
        user,
        name,
        device_class=DeviceClass(device_class),
        now_us=time.time_ns() // 1000,
    )
    click.echo(added.secret)


@device.command("list")
@with_settings
@click.argument("user")
def list_(settings: Settings, *, user: str) -> None:
    """List the devices of USER: name, class, state, id, when added, and when they last synchronised."""
    rows = [
        (
            facts.device.name,
            facts.device.device_class.value,
            "revoked" if facts.device.revoked else "active",
            facts.device.id,
            render_time(facts.created_us),
            render_time(facts.seen_us),
        )
        for facts in enrolling.list_devices(wiring.find_house(settings).database, user)
    ]
    click.echo(render_table(("NAME", "CLASS", "STATE", "ID", "ADDED", "SYNCED"), rows))


@device.command()
@with_settings
@click.argument("user")
@click.argument("name")
def revoke(settings: Settings, *, user: str, name: str) -> None:
    """Refuse the device NAME of USER from its next request on."""
    enrolling.revoke_device(wiring.find_house(settings).database, user, name)
