"""The threads of a real server in a folder: conversations under names for people, taken and deleted, never sent."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from davstore.client.conversations import Conversations
from davstore.client.draft import Draft
from davstore.client.folder import Folder
from davstore.client.tree import Local
from davstore.model.states import Flag, StateChange
from davstore.protocol.http.sync_context import SyncContext
from tests.client.devices import Device, read_tree
from tests.client.served import Server

MADE_BY_SERVER = "threads are made by the server"
SEEN = StateChange(set=Flag.SEEN)


def mail(
    number: int, *references: int, subject: str = "", sender: str = "Ann <ann@example.net>", more: str = ""
) -> bytes:
    """Return a message of a minute that refers to others."""
    refers = f"References: {' '.join(f'<{one}@example.net>' for one in references)}\r\n" if references else ""
    subject = f"Subject: {subject}\r\n" if subject else ""
    head = f"From: {sender}\r\nTo: me@example.net\r\nDate: Mon, 30 Nov 2026 10:{number:02}:00 +0000\r\n"
    return f"{head}Message-ID: <{number}@example.net>\r\n{refers}{subject}{more}\r\ntext {number}\r\n".encode()


@dataclass
class Place:
    """The store of the first user of a server, emptied for each test, and devices that take its threads."""

    server: Server
    root: Path

    @property
    def threads(self) -> str:
        """The URL of the threads."""
        return self.server.url.replace("/dav/store/", "/dav/threads/")

    def ask(self, method: str, path: str, body: bytes = b"") -> requests.Response:
        """Send a request of another client about a file in the folders."""
        answer = requests.request(method, self.server.url + path, data=body, auth=self.server.credentials, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer

    def device(self, name: str = "laptop") -> Device:
        """Return a device of the threads with an empty folder."""
        (self.root / name).mkdir()
        return Device(self.threads, self.root / name, self.root / f"{name}-state", name, self.server.credentials)

    def numbers(self) -> set[str]:
        """Return the names of the messages in the folders."""
        body = b'<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
        answer = self.ask("PROPFIND", "", body).text
        return {part.partition("</D:href>")[0] for part in answer.split("/dav/store/me/")[2:]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("server")
    running = Server(place / "data", place / "log", SERVER__WORKERS="1")
    yield running
    running.kill()


@pytest.fixture
def place(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("TZ", "UTC")
    place = Place(server, tmp_path)
    for name in place.numbers():
        place.ask("DELETE", name)
    return place


def test_conversations_are_folders_under_names_for_people(place: Place) -> None:
    place.ask("PUT", "1", mail(1, subject="Holiday: where?/when?"))
    place.ask("PUT", "2", mail(2, 1, subject="Re: Holiday", sender="Bob <bob@example.net>"))
    place.ask("PUT", "9", mail(9, sender="=?utf-8?q?=2E=2E=2Fe=CC=81ve=E2=80=AE?= <eve@example.net>"))
    device = place.device()
    lines = device.rehearse()
    assert read_tree(device.root) == {}
    assert device.sync() == 0
    names = {
        "2026-11-30 Ann, Bob - Holiday where-when": None,
        "2026-11-30 Ann, Bob - Holiday where-when/2026-11-30 10.01 Ann - Holiday where-when.eml": mail(
            1, subject="Holiday: where?/when?"
        ),
    }
    assert {**read_tree(device.root), **names} == read_tree(device.root)
    assert len(read_tree(device.root)) == 5
    assert {line.partition(": ")[2] for line in lines} == set(read_tree(device.root))
    assert device.sync() == 0
    assert (device.said, device.done) == ([], [])


@pytest.fixture
def synced(place: Place) -> Device:
    """A device with two conversations: of messages 1, 2 and 3, and of 7 alone."""
    for number, references in ((1, ()), (2, (1,)), (3, (1,)), (7, ())):
        place.ask("PUT", str(number), mail(number, *references, subject=f"s{number}"))
    device = place.device()
    assert device.sync() == 0
    return device


HOLIDAY, ALONE = "2026-11-30 Ann - s1", "2026-11-30 Ann - s7"


def file(number: int) -> str:
    """Return the name of a message of these conversations."""
    return f"2026-11-30 10.0{number} Ann - s{number}.eml"


def test_what_is_made_or_changed_here_stays_here_and_is_said_once(place: Place, synced: Device) -> None:
    before = place.numbers()
    synced.write("note.txt", b"mine")
    synced.write("Mine/note.txt", b"mine too")
    synced.write(f"{HOLIDAY}/{file(1)}", b"edited")
    kept = read_tree(synced.root)
    assert synced.sync() == 0
    assert sorted(line.partition(": ")[0] for line in synced.said) == [f"{HOLIDAY}/{file(1)}", "Mine", "note.txt"]
    assert all(MADE_BY_SERVER in line for line in synced.said)
    assert synced.sync() == 0
    assert (synced.said, synced.done) == ([], [])
    assert read_tree(synced.root) == kept
    assert place.numbers() == before
    place.ask("PUT", "1", mail(1, subject="changed there", sender="Ann"))
    assert synced.sync() == 0
    assert (synced.root / HOLIDAY / file(1)).read_bytes() == mail(1, subject="changed there", sender="Ann")
    assert [path.read_bytes() for path in synced.root.glob("*/*(conflict*")] == [b"edited"]


def test_what_a_person_renames_keeps_its_new_name_here(place: Place, synced: Device) -> None:
    before = place.numbers()
    (synced.root / HOLIDAY / file(2)).rename(synced.root / HOLIDAY / "read this.eml")
    (synced.root / HOLIDAY).rename(synced.root / "Holiday")
    kept = read_tree(synced.root)
    assert synced.sync() == 0
    assert (synced.said, synced.done) == ([], [])
    assert read_tree(synced.root) == kept
    assert place.numbers() == before
    place.ask("PUT", "5", mail(5, 1, subject="s5"))
    place.ask("DELETE", "2")
    assert synced.sync() == 0
    assert sorted(path.name for path in (synced.root / "Holiday").iterdir()) == [file(1), file(3), file(5)]
    (synced.root / "Holiday" / file(3)).unlink()
    assert synced.sync() == 0
    assert place.numbers() == {"1", "5", "7"}


def test_what_a_person_moves_elsewhere_in_the_folder_is_not_deleted_until_it_is(place: Place, synced: Device) -> None:
    before = place.numbers()
    (synced.root / "Archive").mkdir()
    (synced.root / HOLIDAY / file(2)).rename(synced.root / "Archive" / "2.eml")
    (synced.root / ALONE).rename(synced.root / "Archive" / "alone")
    kept = read_tree(synced.root)
    assert synced.sync() == 0
    assert [line.partition(": ")[0] for line in synced.said] == ["Archive"]
    assert place.numbers() == before
    assert read_tree(synced.root) == kept
    place.ask("PUT", "8", mail(8, 7, subject="s8"))
    assert synced.sync() == 0
    assert [path.name for path in (synced.root / ALONE).iterdir()] == [file(8)]
    shutil.rmtree(synced.root / "Archive")
    assert synced.sync() == 0
    assert place.numbers() == {"1", "3", "8"}


def test_deleted_files_and_folders_are_messages_and_conversations(place: Place, synced: Device) -> None:
    (synced.root / HOLIDAY / file(2)).unlink()
    shutil.rmtree(synced.root / ALONE)
    assert synced.sync() == 0
    assert place.numbers() == {"1", "3"}
    assert synced.said == []
    for path in (synced.root / HOLIDAY).iterdir():
        path.unlink()
    assert synced.sync() == 0
    assert place.numbers() == set()
    assert synced.sync() == 0
    assert read_tree(synced.root) == {}


def test_a_conversation_deleted_here_and_grown_there_loses_what_was_known(place: Place, synced: Device) -> None:
    shutil.rmtree(synced.root / HOLIDAY)
    place.ask("PUT", "4", mail(4, 1, subject="s4"))
    assert synced.sync() in (0, 1)
    assert synced.sync() == 0
    assert place.numbers() == {"4", "7"}
    assert [path.name for path in synced.root.glob("*/*s4.eml")] == [file(4)]


def test_threads_that_merge_take_their_files_along(place: Place, synced: Device) -> None:
    inode = (synced.root / ALONE / file(7)).stat().st_ino
    place.ask("PUT", "8", mail(8, 3, 7, subject="s8"))
    assert synced.sync() == 0
    assert [path.name for path in synced.root.iterdir()] == [HOLIDAY]
    assert sorted(path.name for path in (synced.root / HOLIDAY).iterdir()) == [file(n) for n in (1, 2, 3, 7, 8)]
    assert (synced.root / HOLIDAY / file(7)).stat().st_ino == inode
    assert synced.done.count("DOWNLOAD") == 1


def test_a_file_deleted_here_is_deleted_in_the_thread_that_took_it_meanwhile(place: Place, synced: Device) -> None:
    (synced.root / ALONE / file(7)).unlink()
    place.ask("PUT", "8", mail(8, 3, 7, subject="s8"))
    assert synced.sync() == 0
    assert place.numbers() == {"1", "2", "3", "8"}
    assert sorted(path.name for path in synced.root.glob("*/*")) == [file(n) for n in (1, 2, 3, 8)]
    assert synced.sync() == 0
    assert [path.name for path in synced.root.iterdir()] == [HOLIDAY]


def test_a_disk_that_is_not_there_deletes_no_conversations(place: Place) -> None:
    for number in range(25):
        place.ask("PUT", str(number), mail(number))
    device = place.device()
    assert device.sync() == 0
    for path in device.root.iterdir():
        shutil.rmtree(path)
    assert device.sync() == 3
    assert len(place.numbers()) == 25


def test_states_go_both_ways(place: Place, synced: Device) -> None:
    synced.mark(SEEN, f"{HOLIDAY}/{file(1)}")
    assert synced.sync() == 0
    other = place.device("phone")
    assert other.sync() == 0
    assert other.words() == {f"{HOLIDAY}/{file(1)}": ["seen"]}


def test_a_message_moved_in_the_folder_can_be_marked(place: Place, synced: Device) -> None:
    (synced.root / "Archive").mkdir()
    (synced.root / HOLIDAY / file(2)).rename(synced.root / "Archive" / "2.eml")
    synced.mark(SEEN, "Archive/2.eml")
    assert synced.sync() == 0
    other = place.device("phone")
    assert other.sync() == 0
    assert other.words() == {f"{HOLIDAY}/{file(2)}": ["seen"]}


def test_equal_names_are_told_apart(place: Place) -> None:
    for number in range(12):
        place.ask("PUT", str(number), mail(1, more=f"X-Number: {number}\r\nConversation-ID: one\r\n"))
    device = place.device()
    assert device.sync() == 0
    names = sorted(path.name for path in device.root.glob("*/*"))
    assert len(names) == 12
    assert {"2026-11-30 10.01 Ann.eml", "2026-11-30 10.01 Ann (2).eml"} < set(names)
    assert device.sync() == 0
    assert sorted(path.name for path in device.root.glob("*/*")) == names


def test_an_empty_root_takes_nothing_either(place: Place) -> None:
    device = place.device()
    device.write("note.txt", b"mine")
    assert device.sync() == 0
    assert [line.partition(": ")[0] for line in device.said] == ["note.txt"]
    assert device.sync() == 0
    assert (device.said, read_tree(device.root)) == ([], {"note.txt": b"mine"})
    place.ask("PUT", "1", mail(1, subject="s1"))
    assert device.sync() == 0
    assert (device.root / HOLIDAY / file(1)).exists()


def test_a_single_thread_is_a_folder_of_messages(place: Place) -> None:
    place.ask("PUT", "1", mail(1, subject="s1"))
    place.ask("PUT", "2", mail(2, 1, subject="s2"))
    account = place.server.credentials
    (only,) = Conversations(place.threads, account, context=SyncContext()).list_conversations()
    device = place.device()
    device.url += f"{only.name}/"
    device.write("note.txt", b"mine")
    assert device.sync() == 0
    assert set(read_tree(device.root)) == {"note.txt", file(1), file(2)}
    assert all(MADE_BY_SERVER in line for line in device.said)
    (device.root / file(1)).unlink()
    (device.root / file(2)).rename(device.root / "two.eml")
    assert device.sync() == 0
    assert place.numbers() == {"2"}


class Cut(Folder):
    """A folder whose process ends after some changes, as that of a killed run: nothing more is recorded."""

    left = 0

    def _count(self) -> None:
        Cut.left -= 1
        if Cut.left < 0:
            os._exit(9)

    def place(self, draft: Draft, path: str, expected: Local | None) -> Local:
        placed = super().place(draft, path, expected)
        self._count()
        return placed

    def make(self, path: str) -> Local:
        made = super().make(path)
        self._count()
        return made

    def remove(self, path: str, expected: Local) -> None:
        super().remove(path, expected)
        self._count()

    def rename(self, source: str, target: str, expected: Local) -> Local:
        renamed = super().rename(source, target, expected)
        self._count()
        return renamed


def cut_off(device: Device, after: int) -> bool:
    """Run a device in a process that ends after so many changes of the folder; return whether it did."""
    process = os.fork()
    if process == 0:
        Cut.left, device.folder = after, Cut
        device.sync()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9


@pytest.mark.parametrize("seed", [0, *(pytest.param(one, marks=pytest.mark.torture) for one in range(1, 20))])
def test_runs_cut_off_anywhere_lose_and_repeat_nothing(place: Place, seed: int) -> None:
    luck, device, number, removed, cut = random.Random(seed), place.device(), 0, set[str](), 0
    for _ in range(6):
        for _ in range(4):
            number += 1
            references = luck.sample(range(1, number), min(number - 1, luck.randrange(3)))
            place.ask("PUT", str(number), mail(number, *references, subject=f"s{number}"))
        if (files := sorted(device.root.glob("*/2026*"))) and luck.random() < 0.7:
            gone = luck.choice(files)
            removed.add(gone.read_bytes().split()[-1].decode())
            gone.unlink()
        cut += cut_off(device, luck.randrange(6))
    assert cut > 2
    for _ in range(3):  # the folder of a conversation goes after the run that deleted its last message
        assert device.sync() == 0
    assert (device.said, device.done) == ([], [])
    assert place.numbers() >= {str(one) for one in range(1, number + 1)} - removed  # a cut run may not know a deletion
    there = sorted(place.ask("GET", name).content for name in place.numbers())
    here = sorted(content for content in read_tree(device.root).values() if content is not None)
    assert [here.count(content) for content in there] == [1] * len(there)
    assert {content.split()[-1].decode() for content in here if content not in there} <= removed
