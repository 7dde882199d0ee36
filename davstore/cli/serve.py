"""`davstore serve`: start the store and stay until told to stop."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from functools import partial

import click

from davstore import wiring
from davstore.cli.first_steps import render_first_steps
from davstore.cli.init import show_first_user
from davstore.cli.options import with_loader
from davstore.directory.openness import describe_openness
from davstore.server.child import apart, log_format
from davstore.server.supervisor import hold_address, hold_data_directory, supervise
from davstore.settings import Settings

log = logging.getLogger("davstore.directory")


@click.command()
@with_loader
@click.option("--bind", "server__bind", metavar="HOST:PORT", help="Address to listen on (127.0.0.1:8080); port 0: any.")
@click.option("--workers", "server__workers", metavar="N", type=int, help="Worker processes (0: one for each core).")
def serve(load: Callable[[], Settings]) -> None:
    """Serve the store. The first start makes the user `me`, prints its password, once, and what to do next.

    SIGTERM stops it when the requests in flight are done, a second one at once. SIGHUP reads the settings again.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])  # one that comes while we start is answered then
    settings = load()
    logging.basicConfig(level=logging.INFO, format=log_format())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs each of its plugins
    with hold_data_directory(settings.data.path), hold_address(*settings.server.address) as listener:
        wiring.import_driver(settings)
        first = apart(partial(_prepare, settings))

        def announce(url: str) -> None:
            lines = [f"davstore serves {url}", *([render_first_steps(url, first)] if first else [])]
            click.echo("\n".join(lines))  # at once: a script may close the pipe behind the first of them

        status = supervise(settings, listener, load=load, announce=announce)
        wiring.renew_identity(settings)
        raise SystemExit(status)


def _prepare(settings: Settings) -> str | None:
    """Open the store, print and log its state, and return the name of the user that was made, if one was."""
    first = wiring.prepare_store(settings)
    show_first_user(first)
    wiring.log_policy(settings)
    if warning := describe_openness(settings.data.path):
        log.warning(warning)
    return first.name if first else None
