"""A part of a collection on a device: what leaves its view leaves the folder, and nothing else goes anywhere."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from davstore.client import losses, questions
from davstore.client.folder import Folder
from davstore.client.outside import KEPT
from davstore.client.transport import Response, Transport
from davstore.client.tree import Local
from davstore.model.states import Flag, StateChange
from tests.client.devices import Device, read_tree
from tests.client.served import Server

C = 'xmlns:C="urn:davstore:cpm"'
UNREAD = "<D:not><D:is-defined><D:prop><C:seen/></D:prop></D:is-defined></D:not>"
SMALL = "<D:lt><D:prop><D:getcontentlength/></D:prop><D:literal>10</D:literal></D:lt>"
EVERYTHING = ""
LARGE = b"more than ten bytes"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("server")
    (place / "policy.toml").touch()
    running = Server(place / "data", place / "log", SERVER__WORKERS="1", POLICY__FILE=str(place / "policy.toml"))
    yield running
    running.kill()


@pytest.fixture(scope="module")
def secret(server: Server) -> str:
    """Return the secret of a device of the user: rules bind devices only."""
    words = ["device", "add", "me", "phone", "--data", str(server.data)]
    told = subprocess.run(
        [sys.executable, "-m", "davstore", *words], check=True, capture_output=True, text=True, cwd=server.data.parent
    )
    return told.stdout.strip()


class Place:
    """A collection, a device that is shown a part of it, and what any other client does there."""

    def __init__(self, server: Server, secret: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server, self._monkeypatch, self._ask = server, monkeypatch, questions.report
        self._session = requests.Session()
        self._session.auth = server.credentials
        self._made: set[str] = set()
        self.url = f"{server.url}{root.name}/"
        self.device = Device(self.url, root / "phone", root / "state", "phone", ("me", secret))
        self.credentials = server.credentials
        self._top = root.name
        self.rule("")
        self.request("MKCOL", "")

    def rule(self, *words: str) -> None:
        """Write the provider's rules: one of these words, or none. {top} is this collection."""
        text = "\n".join(words).replace("{top}", self._top)
        policy = self._server.data.parent / "policy.toml"
        policy.write_text(f'[[rule]]\nname = "narrow"\n{text}\n' if any(words) else "")

    def show(self, where: str) -> None:
        """Narrow the view by a filter in the question: what a preference does that holds a condition."""
        content = f"<C:filter {C}><D:where>{where}</D:where></C:filter>".encode() if where else b""

        def report(token: str, *, infinite: bool, titled: bool) -> bytes:
            return self._ask(token, infinite=infinite, titled=titled).replace(b"<D:prop>", content + b"<D:prop>", 1)

        self._monkeypatch.setattr(questions, "report", report)

    def request(self, method: str, path: str, data: bytes = b"") -> requests.Response:
        """Do something as another client does."""
        answer = self._session.request(method, self.url + path, data=data, timeout=30)
        answer.raise_for_status()
        return answer

    def see(self, *paths: str) -> None:
        """Mark files as seen."""
        for path in paths:
            change = f"<D:set><D:prop><C:seen {C}>T</C:seen></D:prop></D:set>"
            self.request("PROPPATCH", path, f'<D:propertyupdate xmlns:D="DAV:">{change}</D:propertyupdate>'.encode())

    def put(self, *paths: str, content: bytes = b"old") -> None:
        """Write files, with the folders above them."""
        for path in paths:
            for folder in (path[:at] for at, mark in enumerate(path) if mark == "/"):
                if folder not in self._made:
                    self.request("MKCOL", folder)
                    self._made.add(folder)
            self.request("PUT", path, content)

    def read(self, path: str) -> bytes | None:
        """Return what the server has, None for nothing."""
        answer = self._session.get(self.url + path, timeout=30)
        return answer.content if answer.ok else None

    def writes(self, work: Callable[[], int]) -> list[str]:
        """Return the methods of the device's requests that write, for some work; it has to succeed."""
        asked: list[str] = []
        ask = Transport.ask

        def listen(transport: Transport, method: str, *words: Any) -> Response:
            asked.append(method)
            return ask(transport, method, *words)

        with self._monkeypatch.context() as patches:
            patches.setattr(Transport, "ask", listen)
            assert work() == 0
        assert asked
        return [method for method in asked if method not in ("REPORT", "PROPFIND")]


@pytest.fixture
def place(server: Server, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(server, secret, tmp_path, monkeypatch)


def test_what_left_goes_from_the_folder_and_nowhere_else(place: Place) -> None:
    phone = place.device
    place.put("a", "d/b", "d/c")
    place.show(UNREAD)
    assert phone.sync() == 0
    place.see("a", "d/b")
    assert place.writes(phone.sync) == []
    assert read_tree(phone.root) == {"d": None, "d/c": b"old"}
    assert phone.done == ["LEAVE", "LEAVE"]
    assert (place.read("a"), place.read("d/b")) == (b"old", b"old")
    assert place.writes(phone.sync) == []
    assert phone.said == phone.done == []


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the safety stop count from few files on, and return more paths than that."""
    monkeypatch.setattr(losses, "MANY", 3)
    return [f"d/{number}" for number in range(5)]


def test_a_narrower_view_trips_no_safety_stop_and_a_wider_one_brings_all_back(place: Place, few: list[str]) -> None:
    phone, paths = place.device, few
    place.put(*paths)
    place.show(EVERYTHING)
    assert phone.sync() == 0
    place.see(*paths)
    place.show(UNREAD)
    phone.write("d/0", b"edited")
    assert phone.rehearse() == ["left your view: " + path for path in sorted(paths[1:])] + ["upload: d/0"]
    assert phone.sync() == 0
    assert read_tree(phone.root) == {"d": None, "d/0": b"edited"}
    place.show(EVERYTHING)
    assert phone.sync() == 0
    assert sorted(phone.done) == ["DOWNLOAD"] * 4 + ["TAKE_STATES"], "what is here is not brought again"
    assert set(read_tree(phone.root)) == {"d", *paths}


def test_deletions_beside_what_left_still_trip_the_safety_stop(place: Place, few: list[str]) -> None:
    phone, paths = place.device, few
    place.put(*paths)
    place.show(UNREAD)
    assert phone.sync() == 0
    place.see(paths[0])
    for path in paths[1:]:
        place.request("DELETE", path)
    assert phone.sync() == 3
    assert len(read_tree(phone.root)) == 6


def test_an_edit_of_what_left_is_sent_and_stays_and_is_named_once(place: Place) -> None:
    phone = place.device
    place.put("a")
    place.show(UNREAD)
    assert phone.sync() == 0
    place.see("a")
    phone.write("a", b"edited here")
    for expected in (["UPLOAD"], [], []):
        assert phone.sync() == 0
        assert phone.done == expected
        assert phone.said == ([f"a: {KEPT}"] if expected else [])
        assert read_tree(phone.root) == {"a": b"edited here"}
        assert place.read("a") == b"edited here"


def test_an_edit_of_what_left_and_was_edited_there_is_kept_beside_it(place: Place) -> None:
    phone = place.device
    place.put("a.txt")
    place.show(SMALL)
    assert phone.sync() == 0
    place.request("PUT", "a.txt", LARGE)
    phone.write("a.txt", b"mine")
    assert phone.sync() == 0
    (aside,) = read_tree(phone.root)
    assert aside.startswith("a (conflict phone")
    assert (place.read("a.txt"), place.read(aside)) == (LARGE, b"mine")
    assert phone.sync() == 0
    assert phone.done == []


def test_an_own_upload_outside_stays_and_is_named_once(place: Place) -> None:
    phone = place.device
    place.show(SMALL)
    phone.write("d/film", LARGE)
    assert [phone.sync() for _ in range(3)] == [0, 0, 0]
    assert phone.said == phone.done == []
    phone.write("d/film", LARGE * 2)
    assert phone.sync() == 0
    assert place.read("d/film") == LARGE * 2
    assert read_tree(phone.root) == {"d": None, "d/film": LARGE * 2}
    (phone.root / "d/film").unlink()
    assert phone.sync() == 0
    assert phone.said == ["d/film: deleted here only, because the server does not show it to this device"]
    assert place.read("d/film") == LARGE * 2
    assert phone.sync() == 0
    assert phone.said == phone.done == []


def test_an_own_upload_outside_is_named(place: Place) -> None:
    phone = place.device
    place.show(SMALL)
    phone.write("film", LARGE)
    assert [phone.sync(), phone.sync()] == [0, 0]
    assert phone.said == [f"film: {KEPT}"]
    place.show(EVERYTHING)
    assert phone.sync() == 0
    assert phone.done == []
    (phone.root / "film").unlink()
    assert phone.sync() == 0
    assert place.read("film") is None


@pytest.mark.parametrize("was_told", [True, False])
def test_a_name_that_the_server_has_outside_is_not_written_over(place: Place, was_told: bool) -> None:
    phone = place.device
    place.put("a.txt")
    place.show(UNREAD)
    if was_told:
        assert phone.sync() == 0
    place.see("a.txt")
    assert phone.sync() == 0
    phone.write("a.txt", b"mine")
    if not was_told:
        assert phone.sync() == 1
        assert "a.txt" in phone.said[-1]
    assert phone.sync() == 0
    (aside,) = read_tree(phone.root)
    assert (place.read("a.txt"), place.read(aside)) == (b"old", b"mine")
    assert phone.sync() == 0
    assert phone.done == []


def test_the_same_content_at_a_name_outside_is_no_conflict(place: Place) -> None:
    phone = place.device
    place.put("a.txt")
    place.show(UNREAD)
    assert phone.sync() == 0
    place.see("a.txt")
    assert phone.sync() == 0
    phone.write("a.txt", b"old")
    assert phone.sync() == 0
    assert read_tree(phone.root) == {"a.txt": b"old"}
    assert phone.said == [f"a.txt: {KEPT}"]


def test_a_folder_outside_that_is_deleted_here_is_told_with_what_stayed_in_it(place: Place) -> None:
    phone = place.device
    place.put("d/a", "d/b")
    assert phone.sync() == 0
    place.rule('exclude = ["{top}/d"]')
    phone.write("d/a", b"edited here")
    assert [phone.sync(), phone.sync()] == [0, 0]
    shutil.rmtree(phone.root / "d")
    assert phone.sync() == 0
    assert phone.said == ["d/a: deleted here only, because the server does not show it to this device"]
    assert [place.read(path) for path in ("d/a", "d/b")] == [b"edited here", b"old"]
    assert phone.sync() == 0
    assert phone.said == phone.done == []


@pytest.mark.parametrize("was_shown", [True, False])
def test_a_file_with_the_name_of_a_folder_outside_goes_beside_it(place: Place, was_shown: bool) -> None:
    phone = place.device
    place.put("d/x")
    if was_shown:
        assert phone.sync() == 0
    place.rule('exclude = ["{top}/d"]')
    assert phone.sync() == 0
    phone.write("d", b"mine")
    phone.write("new", b"new")
    assert phone.sync() == (0 if was_shown else 1)
    assert phone.sync() == 0
    (aside,) = read_tree(phone.root).keys() - {"new"}
    assert aside.startswith("d (conflict phone")
    assert [place.read(path) for path in ("d/x", aside, "new")] == [b"old", b"mine", b"new"]
    assert phone.sync() == 0
    assert phone.said == phone.done == []


def test_a_folder_is_not_deleted_with_what_is_not_shown_in_it(place: Place) -> None:
    phone = place.device
    place.put("d/read", "d/new", "d/e/read")
    place.see("d/read")
    place.show(UNREAD)
    assert phone.sync() == 0
    (phone.root / "d/e/read").unlink()
    (phone.root / "d/e").rmdir()
    (phone.root / "d/new").unlink()
    (phone.root / "d").rmdir()
    assert phone.sync() == 0
    assert read_tree(phone.root) == {"d": None}
    assert any(line.startswith("d: stays on the server") for line in phone.said)
    assert [place.read(path) for path in ("d/read", "d/new", "d/e/read")] == [b"old", None, None]
    assert phone.sync() == 0
    assert phone.said == phone.done == []


def test_what_a_person_moved_while_it_left_is_moved_on_the_server(place: Place) -> None:
    phone = place.device
    place.put("a", "d/b")
    place.show(UNREAD)
    assert phone.sync() == 0
    place.see("a")
    (phone.root / "a").rename(phone.root / "d/a")
    assert phone.sync() == 0
    assert phone.done == ["MOVE_REMOTE"]
    assert (place.read("a"), place.read("d/a")) == (None, b"old")
    assert [phone.sync(), phone.done] == [0, []]
    assert read_tree(phone.root) == {"d": None, "d/a": b"old", "d/b": b"old"}


def test_marks_on_what_left_are_sent_before_it_goes(place: Place) -> None:
    phone = place.device
    place.put("a")
    place.show(UNREAD)
    assert phone.sync() == 0
    phone.mark(StateChange(set=Flag.FLAGGED), "a")
    place.see("a")
    assert phone.sync() == 0
    assert phone.done == ["SEND_STATES", "LEAVE"]
    body = f'<D:propfind xmlns:D="DAV:"><D:prop><C:flagged {C}/></D:prop></D:propfind>'.encode()
    assert ">T<" in place.request("PROPFIND", "a", body).text
    assert read_tree(phone.root) == {}


def test_a_mark_that_ends_ones_own_view_lets_the_file_go(place: Place) -> None:
    phone = place.device
    phone.write("a", b"a")
    place.show(UNREAD)
    assert [phone.sync(), phone.sync()] == [0, 0]
    phone.mark(StateChange(set=Flag.SEEN), "a")
    assert [phone.sync(), phone.sync()] == [0, 0]
    assert read_tree(phone.root) == {}
    assert place.read("a") == b"a"


class Killed(Folder):
    """A folder whose process ends after the first file was removed."""

    def remove(self, path: str, expected: Local) -> None:
        super().remove(path, expected)
        raise KeyboardInterrupt


@pytest.mark.parametrize("wider", [False, True])
def test_a_run_that_is_killed_while_files_leave_loses_nothing(place: Place, wider: bool) -> None:
    phone = place.device
    paths = ["a", "b", "c"]
    place.put(*paths)
    place.show(UNREAD)
    assert phone.sync() == 0
    place.see(*paths)
    phone.folder = Killed
    with pytest.raises(KeyboardInterrupt):
        phone.sync()
    assert len(read_tree(phone.root)) < 3
    phone.folder = Folder
    if wider:
        place.show(EVERYTHING)
    assert phone.sync() == 0
    assert set(read_tree(phone.root)) == (set(paths) if wider else set())
    assert [place.read(path) for path in paths] == [b"old"] * 3


def test_a_device_whose_history_was_swept_takes_what_it_is_not_shown_for_no_deletion(
    place: Place, few: list[str]
) -> None:
    phone, paths = place.device, few
    place.put(*paths)
    place.show(UNREAD)
    assert phone.sync() == 0
    place.see(*paths[1:])
    with phone_state(phone) as state:
        state.execute("UPDATE scope SET token = '', listing = 7")
        state.execute("UPDATE fact SET value = '7' WHERE name = 'listing'")
    assert phone.sync() == 0
    assert read_tree(phone.root) == {"d": None, "d/0": b"old"}
    assert all(place.read(path) == b"old" for path in paths)


# Views by the provider's policy

ARCHIVE = 'exclude = ["{top}/Archive"]'
LIGHT = "max_body_bytes = 10"


def test_an_excluded_folder_leaves_with_what_is_as_it_was_and_comes_back(place: Place) -> None:
    phone = place.device
    place.put("Archive/a", "Archive/2024/b", "Archive/2024/c", "Mail/d")
    assert phone.sync() == 0
    phone.write("Archive/2024/c", b"edited")
    place.rule(ARCHIVE)
    assert phone.sync() == 0
    assert read_tree(phone.root) == {
        "Archive": None,
        "Archive/2024": None,
        "Archive/2024/c": b"edited",
        "Mail": None,
        "Mail/d": b"old",
    }
    assert sorted(phone.done) == ["LEAVE", "LEAVE", "UPLOAD"]
    assert phone.said == [f"Archive/2024/c: {KEPT}"]
    assert [place.read(f"Archive/{path}") for path in ("a", "2024/b", "2024/c")] == [b"old", b"old", b"edited"]
    assert place.writes(phone.sync) == []
    assert phone.said == phone.done == []
    place.rule("")
    assert phone.sync() == 0
    assert phone.done == ["DOWNLOAD", "DOWNLOAD"]
    assert len(read_tree(phone.root)) == 7


def test_an_excluded_folder_goes_whole_when_nothing_was_edited(place: Place, few: list[str]) -> None:
    phone = place.device
    place.put(*(f"Archive/{path}" for path in few), "Archive/2024/b")
    assert phone.sync() == 0
    place.rule(ARCHIVE)
    assert phone.rehearse() == ["left your view: Archive"]
    assert place.writes(phone.sync) == []
    assert read_tree(phone.root) == {}
    assert place.read("Archive/2024/b") == b"old"


def test_ones_own_folder_of_an_excluded_name(place: Place) -> None:
    """The server's is never shown to the device, so both live side by side, and no name is written over."""
    phone = place.device
    place.put("Archive/a.txt")
    place.rule(ARCHIVE)
    assert phone.sync() == 0
    assert read_tree(phone.root) == {}
    phone.write("Archive/mine/b.txt", b"mine")
    phone.write("Archive/a.txt", b"mine")
    assert phone.sync() == 1
    assert phone.sync() == 0
    assert phone.said == [f"Archive: {KEPT}"]
    (aside,) = (path for path in read_tree(phone.root) if "conflict" in path)
    assert [place.read(path) for path in ("Archive/a.txt", aside, "Archive/mine/b.txt")] == [b"old", b"mine", b"mine"]
    for _ in range(2):
        assert place.writes(phone.sync) == []
        assert phone.said == phone.done == []
    (phone.root / "Archive").rename(phone.root / "Mine")
    assert phone.sync() == 0
    assert place.read("Mine/mine/b.txt") == b"mine"
    assert place.read("Archive/a.txt") == b"old"
    assert phone.sync() == 0
    assert phone.done == []


def test_large_files_leave_and_ones_own_stay(place: Place) -> None:
    phone = place.device
    place.put("small")
    place.put("large", content=LARGE)
    assert phone.sync() == 0
    place.rule(LIGHT)
    phone.write("film", LARGE)
    assert phone.sync() == 0
    assert set(read_tree(phone.root)) == {"small", "film"}
    assert phone.sync() == 0
    assert phone.said == [f"film: {KEPT}"]
    assert (place.read("film"), place.read("large")) == (LARGE, LARGE)


def test_only_messages(place: Place) -> None:
    phone = place.device
    mail = b"From: anna@example.org\nDate: Mon, 30 Nov 2026 10:00:00 +0000\n\nAt four?\n"
    place.put("d/mail", content=mail)
    place.put("d/picture")
    assert phone.sync() == 0
    place.rule('kinds = ["message"]')
    assert phone.sync() == 0
    assert read_tree(phone.root) == {"d": None, "d/mail": mail}
    assert place.read("d/picture") == b"old"


def test_a_folder_whose_members_are_not_all_shown_stays_on_the_server(place: Place) -> None:
    phone = place.device
    place.put("d/small", "d/e/small")
    place.put("d/e/large", content=LARGE)
    place.rule(LIGHT)
    assert phone.sync() == 0
    shutil.rmtree(phone.root / "d")
    assert phone.sync() == 0
    assert any(line.startswith("d: stays on the server") for line in phone.said)
    assert [place.read(f"d/{path}") for path in ("small", "e/small", "e/large")] == [None, None, LARGE]
    assert read_tree(phone.root) == {"d": None, "d/e": None}
    assert place.writes(phone.sync) == []
    assert phone.said == phone.done == []


def test_a_file_in_the_place_of_such_a_folder_gets_another_name(place: Place) -> None:
    phone = place.device
    place.put("d/large", content=LARGE)
    place.rule(LIGHT)
    assert phone.sync() == 0
    (phone.root / "d").rmdir()
    phone.write("d", b"mine")
    assert phone.sync() == 0
    assert set(read_tree(phone.root).values()) == {b"mine", None}
    assert place.read("d/large") == LARGE
    assert phone.sync() == 0
    assert phone.done == []


def test_what_stayed_here_and_was_deleted_there_goes_when_all_is_shown_again(place: Place) -> None:
    phone = place.device
    place.rule(ARCHIVE)
    phone.write("Archive/a", b"mine")
    phone.write("Archive/b", b"mine")
    assert [phone.sync(), phone.sync()] == [0, 0]
    place.request("DELETE", "Archive/a")
    phone.write("Archive/b", b"edited")
    place.request("DELETE", "Archive/b")
    place.rule("")
    assert phone.sync() == 0
    assert read_tree(phone.root) == {"Archive": None, "Archive/b": b"edited"}
    assert place.read("Archive/b") == b"edited"


def test_something_new_in_ones_own_folder_that_is_gone_from_the_server(place: Place) -> None:
    phone = place.device
    place.rule(ARCHIVE)
    phone.write("Archive/a", b"mine")
    assert [phone.sync(), phone.sync()] == [0, 0]
    place.request("DELETE", "Archive")
    phone.write("Archive/b", b"new")
    phone.write("Archive/d/c", b"new")
    phone.write("Archive/e/c", b"new")
    assert phone.sync() == 0
    assert [place.read(f"Archive/{path}") for path in ("a", "b", "d/c")] == [b"mine", b"new", b"new"]
    assert place.writes(phone.sync) == []


def test_a_collection_that_is_excluded_itself(place: Place) -> None:
    place.rule('exclude = ["{top}"]')
    assert place.device.sync() == 4
    assert place.device.said == [
        "the sync policy refuses: this device may not synchronise this folder (decided by the provider, rule narrow)"
    ]


@contextmanager
def phone_state(phone: Device) -> Iterator[sqlite3.Connection]:
    """Open what a device remembers."""
    (file,) = phone.states.glob("*.sqlite")
    database = sqlite3.connect(file)
    with database:
        yield database
    database.close()


def test_where_lists_are_asked_for_no_body_is_taken(place: Place) -> None:
    phone = place.device
    place.put("have", "Mail/a")
    assert phone.sync() == 0
    place.rule("list_only = true")
    place.put("have", "Mail/b", content=b"new")
    phone.write("mine", b"mine")
    told = "2 files are listed and not taken: the policy or your profile asks for lists only"
    for _ in range(2):
        assert phone.sync() == 0
        assert phone.said == [told]
    assert read_tree(phone.root) == {"have": b"old", "Mail": None, "Mail/a": b"old", "mine": b"mine"}
    assert place.read("mine") == b"mine"
    assert place.read("Mail/b") == b"new"
    place.rule("")
    assert phone.sync() == 0
    tree = read_tree(phone.root)
    assert (tree["have"], tree["Mail/b"]) == (b"new", b"new")
