"""Brings a database to the newest tables: one linear history for both kinds (`migrations/versions`)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from davstore.errors import DiskFull, Unavailable
from davstore.metadata.database import Database

HEAD = "0016"
"""The newest revision. A database that is there already costs one query, not an import of alembic (0.65 s)."""


def migrate(database: Database) -> None:
    """Make or upgrade the tables, in one transaction: a start that was killed leaves the tables as they were.

    Raises:
        Unavailable: the tables are newer than this davstore, the file cannot be copied before they are upgraded
            (`Database.keep`), or the database is damaged or does not answer.
    """
    with _translated(database):
        _migrate(database)


def find_revision(database: Database) -> str | None:
    """Return the revision of the tables; None: there are none, or no database.

    Raises:
        Unavailable: the database is damaged or does not answer.
    """
    if not database.is_there:
        return None
    with _translated(database):
        return _revision(database)


@contextlib.contextmanager
def _translated(database: Database) -> Iterator[None]:
    """Raise in our words what SQLAlchemy wrapped around the driver's error."""
    try:
        yield
    except DBAPIError as error:
        known = error.orig and database.translate(error.orig)
        said = str(error.orig).partition("\n")[0]
        if isinstance(known, DiskFull):
            raise Unavailable("the disk is too full to upgrade the tables, which are as they were") from error
        raise known or Unavailable(f"the tables cannot be made or upgraded: {said}") from error


def _migrate(database: Database) -> None:
    database.create()
    found = _revision(database)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise Unavailable(f"the database has tables of revision {found}, newer than this davstore's {HEAD}")
    if found is not None:
        database.keep(found)
    from alembic import command  # slow to import, rarely needed
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = database.engine()
    command.upgrade(config, "head")


def _revision(database: Database) -> str | None:
    engine = database.engine()
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, "alembic_version"):
            return None
        revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return revision
