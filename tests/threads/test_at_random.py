"""Threads, their counts and URLs, and what reports tell of them, beside the model, while a store changes by chance."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterable
from typing import Any

import pytest

from tests.dav.client import HOME, Client
from tests.threads import letters, reading
from tests.threads.model import Message, Thread, Threads
from tests.threads.reading import THREADS, C

FOLDERS = ("Inbox", "Sent", "Archive")
PEOPLE = ("ann@example.org", "ben@example.org", "cleo@example.org", "dan@example.org")


class Story:
    """A store and the model of it. Each action returns the threads that it changed."""

    def __init__(self, dav: Client, seed: int) -> None:
        self.dav, self.chance = dav, random.Random(seed)
        self.model = Threads()
        self.seen: set[str] = set()
        self.people: dict[str, tuple[str, ...]] = {}
        self.urls: dict[Thread, str] = {}
        self.left: set[Thread] = set()  # threads that a message left: either part may keep the URL
        self.made = 0
        self.token, self.level_1 = "", ""
        self.mirror: dict[str, str] = {}
        dav.mkcol(*FOLDERS)

    def act(self) -> list[Thread]:
        """Change something, and return the threads that are not as they were."""
        often = [self.put, self.put, self.put, self.copy, self.move, self.delete, self.mark, self.mark]
        often += [self.delete_member, self.mark_member, self.put_over]
        rare = [
            self.delete_thread,
            self.delete_folder,
            self.move_folder,
            self.copy_folder,
            self.move_over,
            self.copy_over,
        ]
        actions = rare if self.chance.random() < 0.2 else often
        return self.chance.choice(actions if self.model.messages else [self.put])()

    def put(self) -> list[Thread]:
        return self._put(self.name())

    def put_over(self) -> list[Thread]:
        name = self.any()
        thread = self.model.thread_of(name)
        self.left.add(thread)
        others = thread.members - {name}
        return [*self._put(name), *map(self.model.thread_of, others)]

    def _put(self, name: str) -> list[Thread]:
        self.made += 1
        ids = [f"{number}@example.org" for number in range(self.made + 3)]
        own = f"{self.made}@example.org" if self.chance.random() < 0.9 else None
        follows = tuple(self.chance.sample(ids, self.chance.choice((0, 0, 1, 1, 1, 2))))
        is_named = self.chance.random() < 0.5
        message = Message(
            own,
            follows if is_named else (),
            () if is_named else follows,
            f"c/{self.chance.randrange(4)}" if self.chance.random() < 0.2 else None,
            date=float(self.made + 1000 * self.chance.randrange(1000)),
            identity=f"{self.made}",
            sent=self.chance.random() < 0.3,
        )
        self.people[message.identity] = tuple(self.chance.sample(PEOPLE, 2))
        before = [one for one in self.model.threads if one.keys & message.keys or name in one.members]
        self.dav.put(f"{HOME}/{name}", letters.write(message, people=self.people[message.identity]))
        self.model.put(name, message)
        return [*before, self.model.thread_of(name)]

    def copy(self) -> list[Thread]:
        source, name = self.any(), self.name()
        assert self.dav("COPY", source, Destination=f"{HOME}/{name}").status == 201
        self.model.put(name, self.model.messages[source])
        return [self.model.thread_of(name)]

    def move(self) -> list[Thread]:
        source, name = self.any(), self.name()
        assert self.dav("MOVE", source, Destination=f"{HOME}/{name}").status == 201
        self._rename({source: name})
        return [self.model.thread_of(name)]  # a view of folders may show it there, and did not before

    def move_over(self) -> list[Thread]:
        source, name = self.any(), self.any()
        if source == name:
            return []
        thread = self.model.thread_of(name)
        assert self.dav("MOVE", source, Destination=f"{HOME}/{name}").status == 204
        self._forget(name)
        self._rename({source: name})
        return [thread, self.model.thread_of(name)]

    def copy_over(self) -> list[Thread]:
        source, name = self.any(), self.any()
        if source == name:
            return []
        thread = self.model.thread_of(name)
        assert self.dav("COPY", source, Destination=f"{HOME}/{name}").status == 204
        self._forget(name)
        self.model.put(name, self.model.messages[source])
        return [thread, self.model.thread_of(name)]

    def move_folder(self) -> list[Thread]:
        source, names = self.folder()
        assert self.dav("MOVE", source, Destination=f"{HOME}/{self.made}").status == 201
        self.dav("MKCOL", source)
        self._rename({name: name.replace(source, f"{self.made}", 1) for name in names})
        return []

    def copy_folder(self) -> list[Thread]:
        source, names = self.folder()
        assert self.dav("COPY", source, Destination=f"{HOME}/{self.made}").status == 201
        for name in names:
            self.model.put(name.replace(source, f"{self.made}", 1), self.model.messages[name])
        return [self.model.thread_of(name) for name in names]

    def delete_folder(self) -> list[Thread]:
        source, names = self.folder()
        threads = [self.model.thread_of(name) for name in names]
        assert self.dav("DELETE", source).status == 204
        self.dav("MKCOL", source)
        for name in names:
            self._forget(name)
        return threads

    def folder(self) -> tuple[str, list[str]]:
        """Return a folder by chance and the files in it."""
        self.made += 1
        folder = self.any().partition("/")[0]
        return folder, [name for name in self.model.messages if name.startswith(f"{folder}/")]

    def delete(self) -> list[Thread]:
        return self._delete(name := self.any(), f"{HOME}/{name}")

    def delete_member(self) -> list[Thread]:
        return self._delete(name := self.any(), self.member(name))

    def _delete(self, name: str, path: str) -> list[Thread]:
        thread = self.model.thread_of(name)
        assert self.dav("DELETE", path).status == 204
        self._forget(name)
        return [thread]

    def delete_thread(self) -> list[Thread]:
        thread = self.model.thread_of(self.any())
        assert self.dav("DELETE", self.urls[thread]).status == 204
        for name in [*thread.members]:
            self._forget(name)
        return [thread]

    def mark(self) -> list[Thread]:
        return self._mark(name := self.any(), f"{HOME}/{name}")

    def mark_member(self) -> list[Thread]:
        return self._mark(name := self.any(), self.member(name))

    def _mark(self, name: str, path: str) -> list[Thread]:
        seen = '<C:seen xmlns:C="urn:davstore:cpm">T</C:seen>'
        what = "remove" if name in self.seen else "set"
        assert self.dav.patch(path, f"<D:{what}><D:prop>{seen}</D:prop></D:{what}>").status == 207
        self.seen ^= {name}
        return [self.model.thread_of(name)]

    def _rename(self, names: dict[str, str]) -> None:
        for name, to in names.items():
            self.model.move(name, to)
            if name in self.seen:
                self.seen ^= {name, to}

    def _forget(self, name: str) -> None:
        self.model.delete(name)
        self.seen.discard(name)

    def any(self) -> str:
        """Return a file by chance."""
        return self.chance.choice(sorted(self.model.messages))

    def name(self) -> str:
        """Return a name that nothing has had."""
        self.made += 1
        return f"{self.chance.choice(FOLDERS)}/{self.made}"

    def member(self, name: str) -> str:
        """Return the href of a file in its thread."""
        names = reading.names_by_id(self.dav)
        found = reading.threads(self.dav)[self.urls[self.model.thread_of(name)]]
        return next(href for href, one in found.items() if names[one] == name)

    def check(self, touched: Iterable[Thread]) -> None:
        """Compare everything with the model."""
        hrefs = reading.hrefs_by_name(self.dav)
        assert {frozenset(n for n in hrefs if hrefs[n] == href) for href in hrefs.values()} == self.model.partition
        before = dict(self.urls)
        self.urls = {thread: hrefs[min(thread.members)] for thread in self.model.threads}
        for thread in self.model.threads:
            assert thread in self.left or before.get(thread, self.urls[thread]) == self.urls[thread], (
                "a URL has changed"
            )
        self.check_counts()
        self.check_reports({urls[one] for one in [*touched, *self.left] for urls in (before, self.urls) if one in urls})
        self.left.clear()

    def check_counts(self) -> None:
        """Compare what threads say of themselves."""
        found = reading.read_counts(self.dav)
        assert set(found) == set(self.urls.values())
        for thread in self.model.threads:
            assert _told(found[self.urls[thread]]) == self.expected(thread), thread.members

    def expected(self, thread: Thread) -> dict[str, Any]:
        """Return what a thread should say: copies of a message count once, and are seen when one of them is."""
        messages = self.model.messages
        copies = self.model.identities(thread)
        received = [names for names in copies.values() if not any(messages[name].sent for name in names)]
        return {
            "message-count": len(copies),
            "unread-count": sum(not names & self.seen for names in received),
            "last-activity": letters.BEGIN + max(messages[name].date for name in thread.members),
            "participants": {one for name in thread.members for one in self.people[messages[name].identity]},
        }

    def check_reports(self, touched: set[str]) -> None:
        """Hold a mirror that follows against a first report; level 1 tells which threads changed."""
        rows, self.token = reading.follow(self.dav, THREADS, self.token)
        assert len({row.href for row in rows}) == len(rows)
        for row in rows:
            if row.props is not None:
                self.mirror[row.href] = reading.resource_id(row)
            else:
                self.mirror = {href: one for href, one in self.mirror.items() if not href.startswith(row.href)}
        now, _ = reading.follow(self.dav, THREADS)
        assert self.mirror == {row.href: reading.resource_id(row) for row in now}
        rows, self.level_1 = reading.follow(self.dav, THREADS, self.level_1, level="1")
        assert {row.href for row in rows} == touched
        assert {row.href for row in rows if row.props} == touched & set(self.urls.values())


def _told(props: dict[str, Any]) -> dict[str, Any]:
    """Return the counts of a thread as Python has them."""
    activity = datetime.datetime.fromisoformat(props[f"{C}last-activity"].text)
    return {
        "message-count": int(props[f"{C}message-count"].text),
        "unread-count": int(props[f"{C}unread-count"].text),
        "last-activity": activity.timestamp(),
        "participants": {str(one.get("comm-addr")) for one in props[f"{C}participants"]},
    }


@pytest.mark.parametrize("seed", range(2))
def test_at_random(dav: Client, seed: int) -> None:
    tell(dav, seed, 50)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(100, 130))
def test_at_random_for_long(dav: Client, seed: int) -> None:
    tell(dav, seed, 300)


def tell(dav: Client, seed: int, length: int) -> None:
    """Let a store change by chance, and look at it after each change."""
    story = Story(dav, seed)
    for _ in range(length):
        story.check(story.act())
