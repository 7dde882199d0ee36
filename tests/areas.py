"""One more area, as a later subject adds one: a member of `Area`, a line of the URL space, and a root in each store."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from davstore.metadata.database import Database
from davstore.model.paths import Area
from davstore.protocol import urls

ELSEWHERE = "/dav/elsewhere/alice"
"""The root of alice's store in the area."""
NUMBER = 9


def add_area(monkeypatch: pytest.MonkeyPatch, database: Database | None = None) -> Area:
    """Add an area to the URL space and to the stores that are in a database, and return it."""
    added = int.__new__(Area, NUMBER)
    added._name_, added._value_ = "ELSEWHERE", NUMBER
    monkeypatch.setitem(Area._value2member_map_, NUMBER, added)
    monkeypatch.setitem(Area._member_map_, "ELSEWHERE", added)
    monkeypatch.setitem(urls.AREAS, ("dav", "elsewhere"), added)  # type: ignore[arg-type]  # a dictionary
    monkeypatch.setitem(urls._STARTS, added, ("dav", "elsewhere"))
    if database is not None:
        with database.engine().begin() as connection:
            columns = "is_coll, type, created_us, modified_us"
            connection.execute(
                text(
                    f"INSERT INTO node (store_id, id, resource_id, {columns}) SELECT store_id, next_id,"
                    f" 'elsewhere', {columns}"
                    " FROM node JOIN store ON store.id = node.store_id WHERE node.id = 1"
                )
            )
            connection.execute(
                text(f"INSERT INTO store_root (store_id, area, node_id) SELECT id, {NUMBER}, next_id FROM store")
            )
            connection.execute(text("UPDATE store SET next_id = next_id + 1"))
    return added
