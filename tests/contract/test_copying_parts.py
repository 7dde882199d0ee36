"""COPY of a part while others write: what is copied is the part that the conditions were judged on."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterable, Iterator

import pytest

from davstore.engine import opening, parts
from davstore.engine.opening import OpenPart
from davstore.errors import NotFound, PreconditionFailed, Unavailable
from davstore.model.conditions import ETagList, Preconditions
from davstore.model.paths import PartPath
from davstore.protocol.message.transfer import decode
from davstore.store import copying_parts
from tests.contract.storage import MAIL, Storage, told


class Rival:
    """Replaces the message each time that one of its parts was opened to be copied."""

    def __init__(self, storage: Storage, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self._storage = storage
        self._left = times
        self._numbers = itertools.count()
        self._open = opening.open_part
        monkeypatch.setattr(opening, "open_part", self)

    def __call__(self, *asked: object) -> OpenPart:
        found: OpenPart = self._open(*asked)  # type: ignore[arg-type]
        if self._left:
            self._left -= 1
            self._storage.put("m", MAIL + b"%d" % next(self._numbers))
        return found


def copy(storage: Storage, conditions: Preconditions = Preconditions()) -> None:  # noqa: B008  a value
    place = PartPath(storage.at("m"), "1")
    copying_parts.copy_part(storage.context, place, storage.at("x"), conditions, overwrite=True)


@pytest.mark.parametrize("content", [MAIL, MAIL + b"x" * 300], ids=["short", "long"])
def test_a_message_that_was_replaced_is_read_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    storage.put("m", content)
    Rival(storage, monkeypatch, 2)
    copy(storage)
    assert storage.get("x") == b"body1"


def test_a_condition_on_a_part_that_was_replaced_does_not_hold(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("m", MAIL)
    etag = f"{storage.find('m').etag}.1"
    Rival(storage, monkeypatch, 1)
    with pytest.raises(PreconditionFailed):
        copy(storage, Preconditions(if_match=ETagList(any=False, strong=frozenset({etag}))))
    with pytest.raises(NotFound):
        storage.find("x")


def test_a_message_that_is_replaced_again_and_again(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.put("m", MAIL)
    Rival(storage, monkeypatch, copying_parts.TRIES)
    with pytest.raises(Unavailable):
        copy(storage)
    assert storage.blob_files == []


def test_a_copy_of_a_part_is_told_as_a_new_member(storage: Storage) -> None:
    storage.put("m", MAIL)
    storage.mkcol("x")
    storage.put("x/a")
    token = storage.report().token
    used = storage.facts.used_bytes
    storage.copy_part("m", "1", "x")
    assert sorted(told(storage.report("", token))) == ["+x", "-x/a"]
    assert storage.get("x") == storage.part("m", "1") == b"body"
    assert storage.facts.used_bytes == used - len(b"body") + len(b"body")


ENCODED = b"From: a@x\nContent-Transfer-Encoding: %s\n\n%s"
LONG = bytes(range(256)) * 2_000
"""Longer than a block of base64, and than what lies in the database."""


@pytest.mark.parametrize("content", [b"short", LONG], ids=["short", "long"])
def test_a_part_is_decoded_once_to_be_copied(storage: Storage, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    storage.put("m", ENCODED % (b"base64", base64.encodebytes(content)))
    decoded = []

    def counted(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
        decoded.append(encoding)
        return decode(blocks, encoding)

    monkeypatch.setattr(parts, "decode", counted)
    copy(storage)
    assert storage.get("x") == content
    assert decoded == ["base64"]


def test_a_block_without_content_does_not_end_a_copied_part(storage: Storage) -> None:
    prose = b"what follows is a file\n" * 20_000
    storage.put("m", ENCODED % (b"x-uuencode", prose + b"begin 644 x\n#8V%T\n`\nend\n"))
    copy(storage)
    assert storage.get("x") == b"cat"
