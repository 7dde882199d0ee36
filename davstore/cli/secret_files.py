"""New secrets, which are shown once: on the terminal, or in a new file for its owner alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

from davstore.errors import Unprocessable

secret_file_option = click.option(
    "--secret-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the secret to this new file, mode 0600.",
)


def give_secret(file: Path | None, make: Callable[[], str]) -> None:
    """Print the secret that make returns, or write it to a new file; where there cannot be one, nothing is made.

    Raises:
        Unprocessable: the file is there, or cannot be written.
    """
    if file is None:
        click.echo(make())
        return
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            try:
                written.write(f"{make()}\n")
            except BaseException:
                file.unlink()
                raise
    except OSError as error:
        raise Unprocessable(f"--secret-file: {file}: {error.strerror}") from error
