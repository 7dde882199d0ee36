"""The properties of messages for pages by column: written once for each body and its flags, and kept.

Most properties of a message are facts of its body, which never change. So what one question is told of a message is
kept as text, and a folder that is listed again takes no look at the facts.

A text here is UTF-8 with one character for each byte. A page is one string, and with a single subject in Cyrillic it
would take twice the memory and four times the time to encode.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from davstore.dav.kinds import Kind
from davstore.dav.properties import LIVE_OF
from davstore.dav.properties.live import Column
from davstore.model.columns import BODY_AND_FLAGS, FOUND, MISSING, Columns, FromMessages, Load
from davstore.model.nodes import StoreFacts
from davstore.protocol.dav.elements import empty

_FLAGS: Final = "flags"
_QUESTIONS: Final = 4
"""Questions whose texts are kept; each program that reads mail has one or two."""
_MOST_BYTES: Final = 3 << 20
"""What is kept for one question may take, some 3,000 messages with eight facts."""
_ENTRY_BYTES: Final = 256
"""A message that has none of the properties takes this too: its key, its place, and two strings."""


_Texts = tuple[str, str]
"""What a message has of the properties of one question, and what it lacks."""


def is_of_messages(column: Column | None) -> bool:
    """Tell whether messages alone have a property, and many of them do not."""
    return column is not None and (column.of_message or column.fact == _FLAGS)


@lru_cache(maxsize=256)
def from_messages(names: tuple[str, ...]) -> tuple[str, FromMessages] | None:
    """Return the fact of a resource, and the facts of messages, that properties come from; None: none of them do."""
    columns = _columns(names).values()
    if not columns:
        return None
    fields = tuple(sorted({column.fact for column in columns if column.of_message}))

    def add(store: StoreFacts, page: Columns, load: Load) -> Columns:
        return _keeper(names).add(store, page, load)

    return BODY_AND_FLAGS if fields else _FLAGS, FromMessages(fields, add)


@lru_cache(maxsize=256)
def in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of properties in the order in which they are rendered: those of messages last."""
    of_messages = _columns(names)
    return (*[name for name in names if name not in of_messages], *of_messages)


def _columns(names: Collection[str]) -> dict[str, Column]:
    """Return the columns of the properties of messages: first those of their bodies, then those of their flags."""
    live = [LIVE_OF[Kind.RESOURCE][name] for name in names if name in LIVE_OF[Kind.RESOURCE]]
    found = {row.name: row.column for row in live if row.column is not None and is_of_messages(row.column)}
    return dict(sorted(found.items(), key=lambda item: not item[1].of_message))


@lru_cache(maxsize=_QUESTIONS)
def _keeper(names: tuple[str, ...]) -> _Keeper:
    return _Keeper(_columns(names))


class _Keeper:
    """The texts of one question."""

    def __init__(self, columns: dict[str, Column]) -> None:
        self._of_body = {name: column for name, column in columns.items() if column.of_message}
        self._of_flags = {name: column for name, column in columns.items() if not column.of_message}
        self._fields = sorted({column.fact for column in self._of_body.values()})
        self._key = BODY_AND_FLAGS if self._fields else _FLAGS
        self._kept: dict[tuple[int, int], dict[str, _Texts]] = {}
        self._bytes = 0

    def add(self, store: StoreFacts, page: Columns, load: Load) -> Columns:
        """Return a page with `FOUND` and `MISSING`."""
        keys = page.facts[self._key]
        kept = self._kept.setdefault((store.id, store.epoch), {})
        texts = list(map(kept.get, keys))
        if None in texts:
            written = self._write([key for key, known in zip(keys, texts, strict=True) if known is None], load)
            self._keep(kept, written)
            texts = [known or written[key] for key, known in zip(keys, texts, strict=True)]
        found, missing = zip(*[one for one in texts if one is not None], strict=True)
        return page._replace(facts={**page.facts, FOUND: found, MISSING: missing})

    def _write(self, keys: Sequence[str], load: Load) -> dict[str, _Texts]:
        """Return the texts of keys; copies of a message share its body and not its flags."""
        parted = [key.rpartition(".") for key in keys]
        bodies = {body for body, _, _ in parted if body}
        flags = sorted({flags for _, _, flags in parted})
        rows = list(load([int(body) for body in bodies]))
        values = dict(zip(("id", *self._fields), zip(*rows, strict=True), strict=True)) if rows else {}
        written = zip(map(str, values.get("id", ())), _render(self._of_body, values, len(rows)), strict=True)
        of_body = dict(written)
        of_flags = dict(zip(flags, _render(self._of_flags, {_FLAGS: flags}, len(flags)), strict=True))
        [nothing] = _render(self._of_body, {field: [None] for field in self._fields}, 1)
        texts = {}
        for key, (body, _, one) in zip(keys, parted, strict=True):
            (found, missing), (also_found, also_missing) = of_body.get(body, nothing), of_flags[one]
            texts[key] = found + also_found, _both(missing, also_missing)
        return texts

    def _keep(self, kept: dict[str, _Texts], written: dict[str, _Texts]) -> None:
        self._bytes += sum([_ENTRY_BYTES + len(found) for found, _ in written.values()])
        if self._bytes > _MOST_BYTES:
            self._kept.clear()
            self._bytes = 0
            return
        kept.update(written)


def _render(columns: dict[str, Column], values: Mapping[str, Sequence[Any]], count: int) -> list[_Texts]:
    if not columns or not count:
        return [("", "")] * count
    elements = [_elements(column, values[column.fact]) for column in columns.values()]
    found = [_as_bytes("".join(row)) for row in zip(*elements, strict=True)]
    lacking = [_empty(tuple(columns), has) for has in zip(*[map(bool, one) for one in elements], strict=True)]
    return list(zip(found, lacking, strict=True))


def _elements(column: Column, values: Sequence[Any]) -> list[str]:
    given = ["" if value is None else value for value in values]
    if column.texts is not None:
        texts = column.texts(given)
    else:
        texts = [column.text(value) if value != "" else "" for value in given]
    return [f"{column.start}{text}{column.end}" if text else "" for text in texts]


def _as_bytes(text: str) -> str:
    return text if text.isascii() else text.encode().decode("latin-1")


@lru_cache(maxsize=1024)
def _both(missing: str, also_missing: str) -> str:
    """Return the two in one string that all messages share that lack the same."""
    return missing + also_missing


@lru_cache(maxsize=1024)
def _empty(names: tuple[str, ...], there: tuple[bool, ...]) -> str:
    return b"".join([empty(name) for name, has in zip(names, there, strict=True) if not has]).decode()
