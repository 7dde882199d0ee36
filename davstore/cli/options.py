"""The options of every command, `-c FILE` and `--data DIR`, and the exit statuses of its failures."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from davstore.errors import DavstoreError, OperatorError, Unavailable, Unprocessable
from davstore.settings import Settings, load_settings

USAGE = 2
"""The exit status for a wrong call, a wrong setting, or a store that is in use."""
FAILED = 1
"""The exit status for a correct call that could not be carried out: there is no such user, or there is one already."""
UNAVAILABLE = 6
"""The exit status when the database does not answer, as that of `sync` when the server does not."""


class FilePath(click.Path):
    """A file or directory that a person names: an empty word, as a variable without a value leaves it, is none."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, never that of the working directory for no word at all."""
        if value == "":
            self.fail("it is empty", param, ctx)
        return super().convert(value, param, ctx)


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `-c` and `--data` and call it with the settings as its first argument."""

    @with_loader
    @functools.wraps(command)
    def run(load: Callable[[], Settings], *args: Any, **words: Any) -> Any:
        return command(load(), *args, **words)

    return run


def with_loader(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `-c` and `--data` and call it with a function that reads the settings anew as its first argument.

    Parameters of the command whose names hold two underscores are settings too: `server__bind` is `server.bind`.
    An `OperatorError` and `Unprocessable` end it with status 2 and one line on standard
    error, `Unavailable` with 6, any other error that davstore raises on purpose with 1, and a file that cannot be read
    or written with 2.
    """

    @click.option("-c", "config", metavar="FILE", type=click.Path(path_type=Path), help="File with settings (TOML).")
    @click.option("--data", "data__path", metavar="DIR", help="The data directory (./davstore-data).")
    @functools.wraps(command)
    def run(*args: Any, config: Path | None, **words: Any) -> Any:
        flags = {name.replace("__", "."): words.pop(name) for name in list(words) if "__" in name}
        try:
            return command(functools.partial(load_settings, config, flags=flags), *args, **words)
        except DavstoreError as error:
            click.echo(f"davstore: {error}", err=True)
            if isinstance(error, OperatorError | Unprocessable):
                raise SystemExit(USAGE) from error
            raise SystemExit(UNAVAILABLE if isinstance(error, Unavailable) else FAILED) from error
        except OSError as error:  # a data directory that cannot be read or written
            click.echo(f"davstore: {error.filename or 'the system'}: {error.strerror or error}", err=True)
            raise SystemExit(USAGE) from error

    return run
