"""`davstore lock`: list the locks that are held, and end one. Works while the server runs."""

from __future__ import annotations

import time

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.cli.tables import render_table, render_time
from davstore.settings import Settings
from davstore.store import enrolling, locking


@click.group()
def lock() -> None:
    """List locks and end them."""


@lock.command("list")
@with_settings
@click.argument("user", required=False)
def list_(settings: Settings, *, user: str | None) -> None:
    """List the locks of all users, or of USER: user, scope, time of expiry, token, path in the store."""
    database = wiring.find_storage(settings).database
    if user is not None:
        enrolling.get_user(database, user)
    rows = [
        (
            held.root.store,
            held.scope.value,
            render_time(held.expires_us),
            held.token,
            repr(held.root.key + ("/" if held.is_collection else "")),
        )
        for held in locking.list_all(database, user, now_us=time.time_ns() // 1000)
    ]
    click.echo(render_table(("USER", "SCOPE", "UNTIL", "TOKEN", "PLACE"), rows))


@lock.command()
@with_settings
@click.argument("user")
@click.argument("token")
def end(settings: Settings, *, user: str, token: str) -> None:
    """End the lock of USER with this TOKEN, for a client that cannot end it itself."""
    database = wiring.find_storage(settings).database
    enrolling.get_user(database, user)
    locking.end(database, user, token, now_us=time.time_ns() // 1000)
