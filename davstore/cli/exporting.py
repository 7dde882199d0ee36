"""`davstore export`: a store in the forms of other programs. Works while the server runs."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from davstore import wiring
from davstore.cli.options import FAILED, FilePath, with_settings
from davstore.cli.sums import Sums
from davstore.errors import CorruptBlob, Malformed, Unprocessable
from davstore.interchange.items import Folder, Outgoing
from davstore.interchange.mail_targets import Maildir, Mbox
from davstore.interchange.targets import Files, Marked, Target
from davstore.model import paths
from davstore.model.principals import Principal
from davstore.settings import Settings
from davstore.store import enrolling, exporting

FORMATS: dict[str, Callable[[Marked], Target]] = {"maildir": Maildir, "mbox": Mbox, "files": Files}
_OF_ONE_NAME = (
    errno.EINVAL,
    errno.EILSEQ,
    errno.ENAMETOOLONG,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ELOOP,
)
"""The errors of a file or folder that cannot have its name there; others are of the disk, and end an export."""


@click.command()
@with_settings
@click.argument("user")
@click.argument("target", type=FilePath())
@click.option(
    "--format", "form", type=click.Choice([*FORMATS]), default="files", show_default=True, help="Form of the export."
)
def export(settings: Settings, *, user: str, target: Path, form: str) -> None:
    """Export the store of USER into the directory TARGET, which is new, empty, or an earlier export of the same.

    `maildir` and `mbox` have the messages, with their flags and keywords, `files` has everything, without them. What
    an earlier export brought there is not written again, and nothing is deleted. Ends with 1 when something was left
    out, which is named.
    """
    if target.resolve().is_relative_to(settings.data.path.resolve()):
        raise Unprocessable(f"{target}: lies in the data directory")
    sums = Sums("export")
    with wiring.open_services(settings) as services:
        context = services.context(Principal(enrolling.get_user(services.database, user)))
        marked = Marked(target, form, user, exporting.find_instance(services.database))
        marked.open()
        with (
            sums.shown(lambda: exporting.sum_bytes(context, paths.Path(user))),
            contextlib.closing(exporting.each_outgoing(context, paths.Path(user))) as found,
        ):
            _write_all(FORMATS[form](marked), found, sums)
    raise SystemExit(FAILED if sums.incomplete else 0)


def _write_all(into: Target, found: Iterator[Folder | Outgoing], sums: Sums) -> None:
    """Write all that comes out of a store. A folder that cannot be made is left out with all beneath it."""
    without: tuple[str, ...] | None = None
    for one in found:
        if without is not None and one.folder[: len(without)] == without:
            if isinstance(one, Outgoing):
                sums.count("refused")
                sums.advance(one.length)
        elif isinstance(one, Folder):
            into.finish()
            try:
                into.begin(one.folder)
            except OSError as error:
                without = one.folder
                _refuse(error, one.folder, sums)
        else:
            _write(into, one, sums)
    into.finish()


def _refuse(error: OSError, names: tuple[str, ...], sums: Sums) -> None:
    """Name what cannot have its name there. Raises the error, if it is another one."""
    if error.errno not in _OF_ONE_NAME:
        raise error
    sums.incomplete = True
    sums.say(f"{'/'.join(names)}: {error.strerror or 'cannot be written'}")


def _write(into: Target, one: Outgoing, sums: Sums) -> None:
    reason = ""
    try:
        reason = into.write(one)
        sums.count("exported" if one.is_mail or not reason else "left out")
    except (CorruptBlob, Malformed) as error:
        sums.count("refused")
        reason = f"damaged, or replaced meanwhile: {error}"
    except OSError as error:
        _refuse(error, (*one.folder, one.name), sums)
        sums.count("refused")
    sums.advance(one.length)
    if reason:
        sums.incomplete = True
        sums.say(f"{'/'.join((*one.folder, one.name))}: {reason}")
