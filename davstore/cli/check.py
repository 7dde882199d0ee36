"""`davstore check`: look for damage, while the server runs or not."""

from __future__ import annotations

import json
import time

import click

from davstore import wiring
from davstore.cli.options import with_settings
from davstore.settings import Settings
from davstore.store.checking import check as find_damage


@click.command()
@with_settings
@click.option("--read-data", is_flag=True, help="Also read every body and compare it with its digest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def check(settings: Settings, *, read_data: bool, as_json: bool) -> None:
    """Look for damage. Ends with 0 when there is none, with 1 when there is some; repairs nothing."""
    house = wiring.find_house(settings)
    found = find_damage(house.database, house.blobs, now_us=time.time_ns() // 1000, read_data=read_data)
    if as_json:
        click.echo(json.dumps({"findings": [finding._asdict() for finding in found]}))
    else:
        for finding in found:
            click.echo(f"{finding.store or 'database'}: {finding.kind}: {finding.what}")
        click.echo(f"{len(found)} findings")
    raise SystemExit(1 if found else 0)
