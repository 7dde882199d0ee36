"""The notes that effects run over: one resource that came or changed, and trees that came or ended (`EFFECTS`)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from davstore.engine import effects
from davstore.engine.effects import EFFECTS
from davstore.engine.writer import Change, Writer
from tests.contract.storage import Storage
from tests.contract.test_bulk import delete, update

CASES: dict[str, tuple[Callable[[Storage], object], list[str]]] = {
    "a new file": (lambda storage: storage.put("new"), ["new"]),
    "a new collection": (lambda storage: storage.mkcol("new"), ["new"]),
    "another body": (lambda storage: storage.put("a", b"other"), ["a changed"]),
    "properties": (lambda storage: storage.proppatch("a", ("{urn:x}p", b"<p/>")), ["a changed"]),
    "a move": (lambda storage: storage.move("a", "b"), ["b changed"]),
    "a move of a tree": (lambda storage: storage.move("t", "b"), ["b changed"]),
    "a move over another": (lambda storage: storage.move("a", "t/1"), ["1 changed", "an end"]),
    "a copy": (lambda storage: storage.copy("a", "b"), ["b"]),
    "a copy of a tree": (lambda storage: storage.copy("t", "b"), ["b", "2 beneath"]),
    "a copy of an empty collection": (lambda storage: storage.copy("empty", "b"), ["b"]),
    "a copy over a tree": (lambda storage: storage.copy("empty", "t"), ["t", "an end"]),
    "the end of a file": (lambda storage: storage.delete("a"), ["an end"]),
    "the end of a tree": (lambda storage: storage.delete("t"), ["an end"]),
    "states of several": (lambda storage: update(storage, "a", "t/1", "no"), ["a changed", "1 changed"]),
    "the end of several": (lambda storage: delete(storage, "a", "t", "t/1"), ["an end"]),
    "nothing": (lambda storage: storage.get("a"), []),
}
ENDS = {"the end of several": 2}
"""Trees that end in one request, where they are more than one: each has a number."""


@pytest.mark.parametrize("case", CASES)
def test_an_effect_is_told_of_a_change(storage: Storage, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    told: list[str] = []

    def effect(writer: Writer) -> None:
        for change in writer.changes:
            if isinstance(change, Change):
                told.append(change.after.resource.name + (" changed" if change.before else ""))
            else:
                assert change.last - change.first == (change.names or ENDS.get(case, 1)) - 1
                told.append(f"{change.names} beneath" if change.names else "an end")

    storage.put("a")
    for name in ("empty", "t"):
        storage.mkcol(name)
    for name in ("t/1", "t/2"):
        storage.put(name)
    monkeypatch.setattr(effects, "EFFECTS", (*EFFECTS, effect))
    request, expected = CASES[case]
    request(storage)
    assert told == expected
