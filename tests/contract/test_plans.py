"""No statement of a request scans a store: SQLite's plans, read (docs/adr/0003)."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

from davstore import metadata
from davstore.metadata import answers, bindings, changed_members, listings, memberships, sorted_pages
from davstore.metadata.statements import Statement
from davstore.model.pages import Sort
from tests.contract.storage import Storage

READ_ALL = {"dump", "integrity", "integrity_of_people", "integrity_of_threads"}
"""Modules that read whole databases, for a backup and for a check."""
MODULES = [
    import_module(f"{metadata.__name__}.{module.name}")
    for module in pkgutil.iter_modules(metadata.__path__)
    if module.name not in READ_ALL
]
WHOLE_BY_INTENT = {
    "_OWNERS",
    "_BLOBS",
    "_UPLOADING",
    "_RESERVED",
    "_EXPIRE",
    "_OLD_ENOUGH",
    "_FORGET_INSTANTS",
    "_CREATE",
    "_HELD",
    "_HOLDS_NONE",
    "_REMOVE",
    "_REMOVE_EXPIRED",
    "_REMOVE_STORE",
    "_ACCOUNTS",
    "_NAMES",
    "_COUNT_WAITING",
    "_STOP_WAITING",
    "_ENTRIES_OF_STORE",
    "_WAYS_OF_STORE",
}
"""Those of the sweeper, the operator, locks and uploads: they read all of a small table, or of a store, on purpose."""

STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": statement
    for module in MODULES
    for name, statement in vars(module).items()
    if isinstance(statement, Statement) and name not in WHOLE_BY_INTENT
}
BY_COLUMN = ("etag", "length", "node_id")
FORMS = {"ROWS": changed_members.ROWS, "BY_COLUMN": changed_members.by_column_form(BY_COLUMN)}
STATEMENTS |= {
    f"changed_members.{form}.{name}": statement
    for form, statements in FORMS.items()
    for name, statement in statements._asdict().items()
    if isinstance(statement, Statement)
}
STATEMENTS["memberships.MY_PRINCIPALS"] = Statement[tuple[int]](memberships.MY_PRINCIPALS)
STATEMENTS["listings.BY_COLUMN"] = listings._by_column(("name", *BY_COLUMN))
OF_FEW_ROWS = ("SEARCH store_root", "SEARCH view")
"""A store has one root of each area, and 200 views at most."""
FIRST_COLUMN_ONLY = (
    "(store_id=?)",
    "SCAN binding",
    "SCAN node",
    "SCAN gone",
    "SCAN body",
    "SCAN property",
    "SCAN membership",
    "SCAN acting",
    "SCAN owner",
    "SCAN device",
)


def _plan(storage: Storage, statement: Statement) -> list[str]:
    text, _ = statement.on(storage.database.dialect)
    engine = storage.database.engine()
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        return [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {text}", _Any())]


class _Any(dict[str, object]):
    def __missing__(self, name: str) -> object:
        return {"ids": "[1]", "ps": "[1]", "rows": "[[1, 2, 3, 4]]", "beneath": "[[1, 2]]"}.get(name, 1)


@pytest.mark.parametrize("name", STATEMENTS)
def test_an_index_is_searched_by_more_than_the_store(sqlite_storage: Storage, name: str) -> None:
    plan = [step for step in _plan(sqlite_storage, STATEMENTS[name]) if not step.startswith(OF_FEW_ROWS)]
    assert not [step for step in plan for bad in FIRST_COLUMN_ONLY if bad in step or "BLOOM" in step]


@pytest.mark.parametrize("sort", Sort)
def test_a_page_looks_at_its_collection_alone(sqlite_storage: Storage, sort: Sort) -> None:
    plan = _plan(sqlite_storage, sorted_pages._paging(sort, descending=True))
    assert not [step for step in plan for bad in FIRST_COLUMN_ONLY if bad in step]


def test_answers_are_found_by_the_id_they_name(sqlite_storage: Storage) -> None:
    plan = _plan(sqlite_storage, answers._ANSWERS)
    assert [step for step in plan if "message_answers (store_id=? AND in_reply_to=?)" in step]
    assert not [step for step in plan if step.startswith("SCAN") and "json" not in step.lower() and "ids" not in step]


def test_a_long_path_too(sqlite_storage: Storage) -> None:
    plan = _plan(sqlite_storage, bindings._resolving(bindings.HOP))
    assert not [step for step in plan for bad in FIRST_COLUMN_ONLY if bad in step]
