"""`davstore import`: mail and files of other programs into a store. Works while the server runs."""

from __future__ import annotations

from pathlib import Path

import click

from davstore import wiring
from davstore.cli.options import FAILED, FilePath, with_settings
from davstore.cli.sums import Sums
from davstore.errors import Unprocessable
from davstore.interchange import sources
from davstore.interchange.names import is_legal
from davstore.model import paths
from davstore.model.principals import Principal
from davstore.settings import Settings
from davstore.store import enrolling, importing
from davstore.store.importing import Fate, Outcome


@click.command("import")
@with_settings
@click.argument("user")
@click.argument("source", type=FilePath())
@click.option("--into", metavar="FOLDER", default="", help="Folder of the store, as Archive/2024 (its top).")
def import_(settings: Settings, *, user: str, source: Path, into: str) -> None:
    """Import SOURCE into the store of USER: an mbox, a Maildir, a directory, a zip of one, or one file.

    What is there already is not made twice: an import that was interrupted goes on when it is run again. Flags,
    keywords and times come along, and every message byte for byte. Ends with 1 when something was refused or left out,
    which is named.
    """
    data = settings.data.path.resolve()
    if source.resolve().is_relative_to(data):
        raise Unprocessable(f"{source}: lies in the data directory")
    folder = paths.Path(user, _read_folder(into))
    sums, control = Sums("import"), list[str]()
    with wiring.open_services(settings) as services:
        context = services.context(Principal(enrolling.get_user(services.database, user)))
        entries = sources.each_entry(source, data)
        with sums.shown(lambda: sources.sum_bytes(source)):
            for outcome in importing.import_entries(context, folder, entries):
                _count(sums, outcome)
                if outcome.fate is Fate.CONTROL:
                    control.append(outcome.where)
    if control:
        sums.say(f"files of mail programs, which hold no mail, were not taken: {', '.join(control)}")
    raise SystemExit(FAILED if sums.incomplete else 0)


def _read_folder(text: str) -> tuple[str, ...]:
    """Return the names of a folder. Raises Unprocessable."""
    names = tuple(name for name in text.split("/") if name)
    if not all(map(is_legal, names)):
        raise Unprocessable(f"--into: {text!r} is no folder of a store")
    return names


def _count(sums: Sums, outcome: Outcome) -> None:
    fate, where, text, source_bytes = outcome
    sums.advance(source_bytes)
    if fate is Fate.RENAMED:
        sums.say(f"{where}: another has its name; it is {text} now")
        fate = Fate.IMPORTED
    elif fate in (Fate.REFUSED, Fate.LEFT_OUT):
        sums.say(f"{where}: {fate.value}: {text}")
        sums.incomplete = True
    if fate in (Fate.IMPORTED, Fate.ALREADY_THERE, Fate.REFUSED, Fate.LEFT_OUT):
        sums.count(fate.value)
