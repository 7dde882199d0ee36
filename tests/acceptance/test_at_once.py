"""Threads while many clients write at once, and after the server was killed."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.acceptance.device import Device
from tests.client.served import Server
from tests.threads import letters, model
from tests.threads.model import Message


def make(count: int, seed: int, word: str) -> dict[str, Message]:
    """Return messages that refer to each other by chance; some references join what were two threads."""
    chance = random.Random(seed)
    ids = [f"{number}.{word}@example.org" for number in range(count + 10)]
    return {
        f"{number}": Message(
            ids[number],
            tuple(chance.sample(ids, chance.choice((0, 0, 1, 1, 2)))),
            conversation_id=f"{word}/{number % 5}" if number % 4 == 0 else None,
            date=float(number),
        )
        for number in range(count)
    }


def partition(device: Device, folder: str) -> set[frozenset[str]]:
    """Return the names of the files of a folder by chats, as a device shows them."""
    prefix = f"{folder}/"
    chats = [frozenset(device.messages(chat)) for chat in device.chats]
    return {frozenset(path.removeprefix(prefix) for path in chat) for chat in chats if min(chat).startswith(prefix)}


def test_many_write_at_once(enrol: Callable[[str], Device], phone: Device, network: Device, conversation: str) -> None:
    messages = make(120, 1, conversation)
    writers = [enrol(f"writer-{number}") for number in range(4)]

    def write(number: int) -> None:
        for name in [*messages][number :: len(writers)]:
            writers[number].ask("PUT", network.href(f"{conversation}/{name}"), letters.write(messages[name]))

    with ThreadPoolExecutor(len(writers)) as pool:
        list(pool.map(write, range(len(writers))))
    phone.sync()
    assert partition(phone, conversation) == model.partition(messages)
    tablet = enrol("late")
    tablet.sync()
    assert tablet.chats == phone.chats

    def delete(number: int) -> None:
        for name in [*messages][number :: len(writers)]:
            writers[number].ask("DELETE", network.href(f"{conversation}/{name}"))

    with ThreadPoolExecutor(len(writers)) as pool:
        list(pool.map(delete, range(len(writers))))
    phone.sync()
    assert partition(phone, conversation) == set()


def test_chats_are_the_same_after_the_server_was_killed(
    server: Server, phone: Device, network: Device, conversation: str
) -> None:
    for name, message in make(20, 2, conversation).items():
        network.ask("PUT", network.href(f"{conversation}/{name}"), letters.write(message))
    phone.sync()
    chats = dict(phone.chats)
    server.kill()
    server.start()
    assert phone.sync().requests == 2
    assert phone.chats == chats
