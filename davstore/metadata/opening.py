"""The database that the settings name, opened: the one place that knows both kinds."""

from __future__ import annotations

from pathlib import Path

from davstore.errors import BadSettings
from davstore.metadata.database import Database
from davstore.metadata.sqlite import SQLite

_FILE = "davstore.sqlite"


def open_database(url: str, directory: Path) -> Database:
    """Return the database that the settings name: a `postgresql://` URL, or '' for SQLite in the data directory.

    Nothing is made and nothing opened yet.

    Raises:
        BadSettings: the driver of PostgreSQL, an extra of the package, is not installed.
    """
    if url:
        try:  # 12 MB and a tenth of a second that SQLite can do without
            from davstore.metadata.postgresql import PostgreSQL
        except ImportError as error:
            raise BadSettings(f"database.url: PostgreSQL needs `pip install '.[postgresql]'` ({error})") from error
        return PostgreSQL(url)
    return SQLite(directory / _FILE)
