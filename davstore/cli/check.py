"""`davstore check`: look for damage, while the server runs or not."""

from __future__ import annotations

import json

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.settings import Settings
from davstore.store.checking import check as find_damage
from davstore.store.checking import list_unfinished


@click.command()
@with_settings
@click.option("--read-data", is_flag=True, help="Also read every body and compare it with its digest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def check(settings: Settings, *, read_data: bool, as_json: bool) -> None:
    """Look for damage. Ends with 0 when there is none, with 1 when there is some; repairs nothing.

    Unfinished uploads are told, and are no damage: a server that is killed leaves them, and a server that runs a day
    later moves their bodies to `lost+found` in the data directory.
    """
    house = wiring.find_house(settings)
    unfinished = list_unfinished(house.database, house.blobs)
    found = find_damage(house.database, house.blobs, read_data=read_data)
    if as_json:
        told = {"findings": found, "unfinished_uploads": unfinished}
        click.echo(json.dumps({name: [finding._asdict() for finding in rows] for name, rows in told.items()}))
    else:
        for finding in [*unfinished, *found]:
            click.echo(f"{finding.store or 'database'}: {finding.kind}: {finding.what}")
        click.echo(f"{len(found)} findings, {len(unfinished)} unfinished uploads")
    raise SystemExit(1 if found else 0)
