"""`davstore sync`: keep a local folder in step with a collection of any RFC 6578 server.

Ends with 0 in step, 1 something not transferred, 2 usage or configuration, 3 safety stop, 4 refused by policy,
5 authentication, 6 network.
"""

from __future__ import annotations

import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from davstore.cli.options import FilePath, with_settings
from davstore.cli.profile import OrProfile
from davstore.cli.progress import QUIET, Progress, describe, say
from davstore.cli.sign_in import read_password, require_closed_way, with_account
from davstore.client import device as devices
from davstore.client.exit_status import IN_STEP, NETWORK, NOT_TRANSFERRED, REFUSED, USAGE, Stop
from davstore.client.folder import Folder
from davstore.client.remote import RemoteCollection
from davstore.client.run import Run
from davstore.model.bearers import is_bearer
from davstore.protocol.http.sync_context import SyncContext
from davstore.settings import Settings


@click.command(cls=OrProfile)
@with_settings
@click.argument("url")
@click.argument("folder", metavar="DIR", type=FilePath())
@with_account
@click.option("--once", is_flag=True, help="Synchronise once and exit.")
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Seconds from the end of a run to the start of the next.",
)
@click.option("--dry-run", is_flag=True, help="Print the planned actions; change nothing.")
@click.option("--force", is_flag=True, help="Carry on past a safety stop.")
@click.option("--merge", is_flag=True, help="Unite both sides: delete nothing, keep both versions of what differs.")
@click.option("--reset", is_flag=True, help="Forget earlier runs and start as a new device.")
@click.option("--manual", is_flag=True, help="Report to the server that a person started this run (Sync-Context).")
@click.option("--bearer", metavar="NAME", help="Name the network to the server, such as wifi (Sync-Context).")
@click.option(
    "--device", metavar="NAME", default=socket.gethostname, help="Name in conflict copies (this host's name)."
)
@click.option("--verbose", is_flag=True, help="Print each action.")
def sync(_settings: Settings, *, url: str, user_name: str, **words: Any) -> None:
    """Keep the folder DIR in step with the collection URL, both ways.

    davstore sync profile URL|DIR shows and changes when a device is synchronised, and what of.

    Of a file that was changed on both sides both versions are kept. A safety stop ends the run with status 3, before
    anything is deleted, when DIR is missing or was replaced, or when one side lost more than 20 files and more than
    half, or all of a folder of 20 or more. With --force such deletions are carried out, also those on a disk that is
    not mounted now; with a missing or replaced DIR it starts as a new device, which deletes nothing. Nothing is deleted
    either with --merge or --reset, or after the server was restored or made anew.

    When what another user shared is shared no longer, it is removed from DIR, but for what was changed there, and the
    command ends.
    """
    try:
        status = _sync(url, user_name, **words)
    except Stop as stop:
        say(str(stop))
        status = stop.status
    except OSError as error:
        say(str(error))
        status = NOT_TRANSFERRED
    sys.exit(status)


def _sync(
    url: str,
    user_name: str,
    *,
    folder: Path,
    password_file: Path,
    once: bool,
    interval: int,
    dry_run: bool,
    force: bool,
    merge: bool,
    reset: bool,
    insecure: bool,
    manual: bool,
    bearer: str | None,
    device: str,
    verbose: bool,
) -> int:
    root = folder.resolve()
    if bearer is not None and not is_bearer(bearer):
        raise Stop(USAGE, f"{bearer} is no name of a bearer, such as wifi or cellular-roaming")
    context = SyncContext("manual" if manual else "automatic", bearer)
    remote = RemoteCollection(url, (user_name, read_password(password_file)), context=context, say=say)
    require_closed_way(remote, insecure=insecure)
    with devices.open_state(remote.url, root, devices.state_directory()) as state:
        show = Progress(verbose=verbose)
        run = Run(state.copy() if dry_run else state, Folder(root), remote, device, force=force, merge=merge, say=say)
        run.done, run.begin, run.moved = show.count, show.begin, show.moved
        if reset:
            run.state.reset()
        if force:
            devices.accept_root(run.folder, run.state, say, write=not dry_run)
        if dry_run:
            return _rehearse(run)
        return _run_once(run, show) if once else _repeat(run, show, interval)


def _rehearse(run: Run) -> int:
    for action in run.rehearse():
        if action.verb not in QUIET:
            click.echo(describe(action))
    return IN_STEP


def _run_once(run: Run, show: Progress) -> int:
    try:
        return run.synchronise()
    finally:
        show.end()


def _repeat(run: Run, show: Progress, interval: int) -> int:
    """Synchronise again and again. Only errors that waiting can cure do not end it."""
    said = ""
    while True:
        wait = float(interval)
        try:
            in_step = _run_once(run, show) == IN_STEP
            line = f"{'in step' if in_step else 'not all is in step'}; looking again every {wait:g} s"
        except Stop as stop:
            if stop.status != NETWORK and not (stop.status == REFUSED and stop.retry_after_seconds):
                raise
            wait = max(wait, stop.retry_after_seconds or 0)
            line = f"{stop}; looking again in {wait:g} s"
        if line != said or show.did:
            say(line)
        said = line
        run = replace(run, force=False, merge=False)
        time.sleep(wait)
