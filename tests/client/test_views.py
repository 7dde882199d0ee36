"""A part of a collection on a device: what leaves its view leaves the folder, and nothing else goes anywhere."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from davstore.client import questions
from davstore.client.folder import Folder
from davstore.client.outside import KEPT
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
    running = Server(place / "data", place / "log", SERVER__WORKERS="1")
    yield running
    running.kill()


class Place:
    """A collection, a device that is shown a part of it, and what any other client does there."""

    def __init__(self, server: Server, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server, self._monkeypatch, self._ask = server, monkeypatch, questions.report
        self._session = requests.Session()
        self._session.auth = server.credentials
        self._made: set[str] = set()
        self.url = f"{server.url}{root.name}/"
        self.device = Device(self.url, root / "phone", root / "state", "phone", server.credentials)
        self.request("MKCOL", "")

    def show(self, where: str) -> None:
        """Narrow the view: for now by a filter in the question, as the server's policy will."""
        content = f"<C:filter {C}><D:where>{where}</D:where></C:filter>".encode() if where else b""

        def report(token: str, *, infinite: bool) -> bytes:
            return self._ask(token, infinite=infinite).replace(b"<D:prop>", content + b"<D:prop>", 1)

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

    def writes(self, work: Callable[[], int]) -> Counter[str]:
        """Return how many requests of each method that write some work needed; it has to succeed."""
        before = self._server.log.stat().st_size
        assert work() == 0
        with self._server.log.open() as log:
            log.seek(before)
            methods = Counter(line.split()[6] for line in log if " davstore.access " in line)
        return Counter({method: count for method, count in methods.items() if method not in ("REPORT", "PROPFIND")})


@pytest.fixture
def place(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(server, tmp_path, monkeypatch)


def test_what_left_goes_from_the_folder_and_nowhere_else(place: Place) -> None:
    phone = place.device
    place.put("a", "d/b", "d/c")
    place.show(UNREAD)
    assert phone.sync() == 0
    place.see("a", "d/b")
    assert place.writes(phone.sync) == {}
    assert read_tree(phone.root) == {"d": None, "d/c": b"old"}
    assert phone.done == ["LEAVE", "LEAVE"]
    assert (place.read("a"), place.read("d/b")) == (b"old", b"old")
    assert place.writes(phone.sync) == {}
    assert phone.said == phone.done == []


def test_a_narrower_view_trips_no_safety_stop_and_a_wider_one_brings_all_back(place: Place) -> None:
    phone = place.device
    paths = [f"d/{number}" for number in range(25)]
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
    assert sorted(phone.done) == ["DOWNLOAD"] * 24 + ["TAKE_STATES"], "what is here is not brought again"
    assert set(read_tree(phone.root)) == {"d", *paths}


def test_deletions_beside_what_left_still_trip_the_safety_stop(place: Place) -> None:
    phone = place.device
    paths = [f"d/{number}" for number in range(30)]
    place.put(*paths)
    place.show(UNREAD)
    assert phone.sync() == 0
    place.see(*paths[:5])
    for path in paths[5:]:
        place.request("DELETE", path)
    assert phone.sync() == 3
    assert len(read_tree(phone.root)) == 31


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


def test_a_device_whose_history_was_swept_takes_what_it_is_not_shown_for_no_deletion(place: Place) -> None:
    phone = place.device
    paths = [f"d/{number}" for number in range(25)]
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


@contextmanager
def phone_state(phone: Device) -> Iterator[sqlite3.Connection]:
    """Open what a device remembers."""
    (file,) = phone.states.glob("*.sqlite")
    database = sqlite3.connect(file)
    with database:
        yield database
    database.close()
