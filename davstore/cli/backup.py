"""`davstore backup` and `davstore restore`: a store as it was at one instant, in a directory of its own."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from davstore import backup_wiring
from davstore.cli.check import render_finding
from davstore.cli.options import FilePath, with_settings
from davstore.errors import DavstoreError
from davstore.server.supervisor import hold_data_directory
from davstore.settings import Settings
from davstore.store.backups import Meter

_directory = click.argument("directory", metavar="DIR", type=FilePath())


@click.command()
@with_settings
@_directory
def backup(settings: Settings, *, directory: Path) -> None:
    """Back the store up into DIR, while it is served or not. Bodies of an earlier backup there are not copied again.

    Ends with 1 when a body is damaged in the store: it is copied as it is, and named. A backup that is interrupted
    leaves the earlier one whole.
    """
    started = time.monotonic()
    with _meter("backup") as meter:
        done = backup_wiring.back_up(settings, directory, meter)
    for finding in done.damaged:
        click.echo(f"davstore: {render_finding(finding)}", err=True)
    rows = done.manifest.rows
    click.echo(
        f"{rows['store']} stores, {sum(rows.values())} rows, {_told_bodies(meter)}, {time.monotonic() - started:.1f} s"
    )
    raise SystemExit(1 if done.damaged else 0)


@click.command()
@with_settings
@_directory
@click.option("--force", is_flag=True, help="Replace the store that is there, or use a directory that is not empty.")
def restore(settings: Settings, *, directory: Path, force: bool) -> None:
    """Restore the store from the backup DIR. It gets new epochs: devices unite with it and delete nothing.

    The store must not be served meanwhile. A backup that was cut, altered or made by a newer davstore is refused, and
    a restore that is interrupted leaves the store as it was.
    """
    started = time.monotonic()
    with backup_wiring.open_backup(directory) as opened, _meter("restore") as meter:
        backup_wiring.verify_backup(settings, opened, meter)
        with hold_data_directory(settings.data.path):
            done = backup_wiring.restore(settings, opened, meter, force=force)
    for name in done.damaged:
        click.echo(f"davstore: blob {name}: damaged when it was backed up", err=True)
    click.echo(
        f"{done.stores} stores as of {opened.manifest.made_at}, {_told_bodies(meter)}, "
        f"{time.monotonic() - started:.1f} s"
    )
    raise SystemExit(1 if done.damaged else 0)


class _Bar(Meter):
    """A meter that is seen on a terminal."""

    def __init__(self, bar: Any) -> None:
        super().__init__()
        self._bar = bar

    def begin(self, total_bytes: int) -> None:
        """Show how many bytes there are, at least."""
        self._bar.length = max(total_bytes, 1)

    def advance(self, length: int) -> None:
        """Show how many are done."""
        self._bar.update(min(length, self._bar.length - self._bar.pos))


@contextlib.contextmanager
def _meter(label: str) -> Iterator[Meter]:
    """Yield a meter, with a bar where standard error is a terminal. An error of a disk is one line too."""
    bar: Any = click.progressbar(length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())
    try:
        with bar:
            yield _Bar(bar)
    except OSError as error:
        raise DavstoreError(f"{error.filename or label}: {error.strerror}") from error


def _told_bodies(meter: Meter) -> str:
    return (
        f"bodies in files: {meter.copied} new ({meter.copied_bytes} bytes), "
        f"{meter.kept} kept ({meter.kept_bytes} bytes)"
    )
