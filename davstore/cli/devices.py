"""`davstore device`: the machines that keep a user's store in step, each with a secret of its own."""

from __future__ import annotations

import time
from pathlib import Path

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.cli.secret_files import give_secret, secret_file_option
from davstore.cli.tables import render_table, render_time
from davstore.model.decisions import ACCEPTED, LastDecision
from davstore.model.principals import DeviceClass
from davstore.settings import Settings
from davstore.store import enrolling


@click.group()
def device() -> None:
    """Add, list, rename, suspend and revoke devices."""


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
    help="Class of the device, which policy rules can name.",
)
@secret_file_option
def add(settings: Settings, *, user: str, name: str, device_class: str, secret_file: Path | None) -> None:
    """Add the device NAME of USER and print its secret, or write it to a file; it cannot be shown again.

    The device signs in as USER with the secret for a password, or with the secret as a bearer token.
    """
    database = wiring.find_storage(settings).database
    now_us, kind, most = time.time_ns() // 1000, DeviceClass(device_class), settings.policy.devices_per_user

    def enrol() -> str:
        return enrolling.add_device(database, user, name, device_class=kind, now_us=now_us, most=most).secret

    give_secret(secret_file, enrol)


@device.command()
@with_settings
@click.argument("user")
@click.argument("old")
@click.argument("new")
def rename(settings: Settings, *, user: str, old: str, new: str) -> None:
    """Give the device OLD of USER the name NEW. Its secret stays, and so does the state of its synchronisation."""
    database = wiring.find_storage(settings).database
    enrolling.rename_device(database, user, old, new)


@device.command("list")
@with_settings
@click.argument("user")
def list_(settings: Settings, *, user: str) -> None:
    """List the devices of USER: name, class, state, id, when added, when they last synchronised, and the token of then.

    Then the last decision about them: when, and accepted or what refused them, by which rule of which voice.
    """
    rows = [
        (
            facts.device.name,
            facts.device.device_class.value,
            facts.device.state,
            facts.device.id,
            render_time(facts.created_us),
            render_time(facts.seen_us),
            facts.token or "-",
            render_time(facts.decided_us),
            _told(facts.decision),
        )
        for facts in enrolling.list_devices(wiring.find_storage(settings).database, user)
    ]
    click.echo(render_table(("NAME", "CLASS", "STATE", "ID", "ADDED", "SYNCED", "TOKEN", "DECIDED", "DECISION"), rows))


def _told(decision: LastDecision | None) -> str:
    if decision is None:
        return "-"
    if decision == ACCEPTED:
        return "accepted"
    return f"{decision.condition} by rule {decision.rule} of the {decision.voice}"


@device.command()
@with_settings
@click.argument("user")
@click.argument("name")
def revoke(settings: Settings, *, user: str, name: str) -> None:
    """Refuse the device NAME of USER from its next request on."""
    enrolling.revoke_device(wiring.find_storage(settings).database, user, name)


@device.command()
@with_settings
@click.argument("user")
@click.argument("name")
def suspend(settings: Settings, *, user: str, name: str) -> None:
    """Refuse the device NAME of USER from its next request on, until `davstore device resume`. Its locks stay."""
    enrolling.set_suspended(wiring.find_storage(settings).database, user, name, suspended=True)


@device.command()
@with_settings
@click.argument("user")
@click.argument("name")
def resume(settings: Settings, *, user: str, name: str) -> None:
    """Let the suspended device NAME of USER come again."""
    enrolling.set_suspended(wiring.find_storage(settings).database, user, name, suspended=False)
