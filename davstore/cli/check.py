"""`davstore check`: look for damage, while the server runs or not."""

from __future__ import annotations

import json
from pathlib import Path

import click

from davstore import backup_wiring, wiring
from davstore.cli.options import with_settings
from davstore.errors import BadBackup, DamagedDatabase
from davstore.settings import Settings
from davstore.store.backups import is_backup
from davstore.store.checking import Finding, check_backup, list_unfinished
from davstore.store.checking import check as find_damage


@click.command()
@with_settings
@click.argument("backup", metavar="[BACKUP]", type=click.Path(path_type=Path), required=False)
@click.option("--read-data", is_flag=True, help="Also read every body and compare it with its digest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def check(settings: Settings, *, backup: Path | None, read_data: bool, as_json: bool) -> None:
    """Look for damage in the store, or in a BACKUP. Ends with 0 when there is none, with 1 when there is some.

    Nothing is repaired. Unfinished uploads are listed, and are no damage: a server that is killed leaves them, and a
    server that runs a day later moves their bodies to `lost+found` in the data directory.
    """
    directory = backup or settings.data.path
    if backup or is_backup(directory):
        found, unfinished = _check_backup(directory, read_data=read_data), list[Finding]()
    else:
        found, unfinished = _check_store(settings, read_data=read_data)
    if as_json:
        told = {"findings": found, "unfinished_uploads": unfinished}
        click.echo(json.dumps({name: [finding._asdict() for finding in rows] for name, rows in told.items()}))
    else:
        for finding in [*unfinished, *found]:
            click.echo(render_finding(finding))
        click.echo(f"{len(found)} findings, {len(unfinished)} unfinished uploads")
    raise SystemExit(1 if found else 0)


def render_finding(finding: Finding) -> str:
    """Return the line that reports a damage."""
    return f"{finding.store or 'database'}: {finding.kind}: {finding.what}"


def _check_store(settings: Settings, *, read_data: bool) -> tuple[list[Finding], list[Finding]]:
    """Return the damage of a store, and its unfinished uploads as far as its rows can be read."""
    found: list[Finding] = []
    try:
        storage = wiring.find_storage(settings, to_check=True)
        found = find_damage(storage.database, storage.blobs, read_data=read_data)
        return found, list_unfinished(storage.database, storage.blobs)
    except DamagedDatabase as error:
        return found or [Finding("", "unreadable", str(error))], []


def _check_backup(directory: Path, *, read_data: bool) -> list[Finding]:
    try:
        with backup_wiring.open_backup(directory) as opened:
            return check_backup(opened, read_data=read_data)
    except BadBackup as error:
        return [Finding("", "backup", str(error))]
