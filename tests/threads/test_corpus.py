"""The partition of real mail is notmuch's, whatever the order in which it comes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import corpus
from tests.dav.client import HOME, Client
from tests.threads import letters, model, reading, record_notmuch
from tests.threads.model import Message

NO_MAIL = "insert/mbox-attachment.eml"
"""notmuch takes an mbox of one message for no mail; here it is the message in it."""
FOLDERS = ("Inbox", "Sent", "Archive")


def make_mail() -> dict[str, bytes]:
    """Return the sample mail, or where there is none a forest of replies, some to messages that nobody has."""
    chance = random.Random(1)
    ids = [f"{number}@example.org" for number in range(150)]
    named = {name: tuple(chance.sample(ids, chance.choice((0, 0, 1, 1, 2)))) for name in ids[:100]}
    made = {name: Message(name, references=named[name], date=float(at)) for at, name in enumerate(ids[:100])}
    return record_notmuch.read_samples() or {name: letters.write(message) for name, message in made.items()}


MAIL = make_mail()


def expected() -> set[frozenset[str]]:
    """Return what notmuch has recorded of the sample mail, the model of another."""
    if record_notmuch.read_samples():
        return {*record_notmuch.recorded(), frozenset((NO_MAIL,))}
    return model.partition({name: model.read(content) for name, content in MAIL.items()})


def test_the_model_has_the_partition_of_notmuch() -> None:
    assert model.partition({name: model.read(content) for name, content in MAIL.items()}) == expected()


@pytest.mark.parametrize("seed", range(3))
def test_the_partition_is_that_of_notmuch_in_any_order(dav: Client, seed: int) -> None:
    assert partition_of(dav, MAIL, seed) == expected()


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(3, 20))
def test_the_partition_is_that_of_notmuch_in_many_orders(dav: Client, seed: int) -> None:
    assert partition_of(dav, MAIL, seed) == expected()


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(2))
def test_the_partition_of_6000_messages(dav: Client, tmp_path: Path, seed: int) -> None:
    messages = corpus.copy(tmp_path / "corpus")
    found = model.partition({name: model.read(content) for name, content in messages.items()})
    assert partition_of(dav, messages, seed) == found


def partition_of(dav: Client, messages: Mapping[str, bytes], seed: int) -> set[frozenset[str]]:
    """Store messages in folders by chance and in an order by chance, and return the names of them by threads."""
    chance = random.Random(seed)
    dav.mkcol(*FOLDERS)
    places = {f"{chance.choice(FOLDERS)}/{number}": name for number, name in enumerate(messages)}
    for place in chance.sample([*places], len(places)):
        dav.put(f"{HOME}/{place}", messages[places[place]])
    return {frozenset(places[place] for place in members) for members in reading.partition(dav)}
