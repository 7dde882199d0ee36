"""States of files between two devices and a real server: they go both ways, and no content goes with them."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from davstore.client.remote import RemoteCollection
from davstore.model.states import Flag, StateChange
from tests.client.devices import Device, read_tree
from tests.client.foreign import Store, serve
from tests.client.served import Server

SEEN, UNSEEN = StateChange(set=Flag.SEEN), StateChange(clear=Flag.SEEN)
FLAGGED, UNFLAGGED = StateChange(set=Flag.FLAGGED), StateChange(clear=Flag.FLAGGED)
MAIL = b"From: anna@example.org\nSubject: tea\n\nAt four?\n"


@dataclass
class Place:
    """A collection of a real server, and two devices that synchronise it."""

    server: Server
    url: str
    root: Path

    def device(self, name: str) -> Device:
        """Return a device with an empty folder."""
        (self.root / name).mkdir()
        return Device(self.url, self.root / name, self.root / f"{name}-state", name, self.server.credentials)

    def patch(self, path: str, change: str) -> None:
        """Change properties as any client does."""
        namespaces = 'xmlns:D="DAV:" xmlns:C="urn:davstore:cpm" xmlns:K="urn:davstore:cpm:keyword"'
        body = f"<D:propertyupdate {namespaces}>{change}</D:propertyupdate>"
        answer = requests.request("PROPPATCH", self.url + path, data=body, auth=self.server.credentials, timeout=30)
        assert answer.status_code == 207
        assert "200 OK" in answer.text

    def watch(self, work: Callable[[], int]) -> Counter[str]:
        """Return how many requests of each method some work needed, by the server's own log; it has to succeed."""
        before = self.server.log.stat().st_size
        assert work() == 0
        with self.server.log.open() as log:
            log.seek(before)
            return Counter(line.split()[6] for line in log if " davstore.access " in line)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("server")
    running = Server(place / "data", place / "log", SERVER__WORKERS="1")
    yield running
    running.kill()


@pytest.fixture
def place(server: Server, tmp_path: Path) -> Place:
    url = f"{server.url}{tmp_path.name}/"
    requests.request("MKCOL", url, auth=server.credentials, timeout=30).raise_for_status()
    return Place(server, url, tmp_path)


@pytest.fixture
def phone(place: Place) -> Device:
    return place.device("phone")


@pytest.fixture
def laptop(place: Place) -> Device:
    return place.device("laptop")


def bring_in_step(*devices: Device) -> None:
    """Let each device send and take what there is."""
    for _ in range(2):
        for device in devices:
            assert device.sync() == 0, device.said


def start(phone: Device, laptop: Device, count: int = 1) -> list[str]:
    """Give both devices some messages; return their paths."""
    paths = [f"Inbox/{number}.eml" for number in range(count)]
    for path in paths:
        phone.write(path, MAIL + path.encode())
    bring_in_step(phone, laptop)
    return paths


# What both sides agree on


def test_what_is_read_on_one_device_is_seen_read_on_the_other(phone: Device, laptop: Device) -> None:
    (path,) = start(phone, laptop)
    phone.mark(SEEN, path)
    assert phone.words() == {path: ["seen"]}
    assert laptop.words() == {}
    assert phone.sync() == 0
    assert laptop.sync() == 0
    assert phone.done == ["SEND_STATES"]
    assert laptop.done == ["TAKE_STATES"]
    assert laptop.words() == {path: ["seen"]}


def test_offline_marks_of_300_messages_and_moves_of_20_meet_in_two_rounds(
    place: Place, phone: Device, laptop: Device
) -> None:
    paths = start(phone, laptop, 300)
    phone.mark(SEEN, *paths)
    laptop.mark(FLAGGED, *paths)
    for device, moved in ((phone, paths[:10]), (laptop, paths[10:20])):
        (device.root / "Archive").mkdir()
        for path in moved:
            (device.root / path).rename(device.root / "Archive" / Path(path).name)
    methods = Counter[str]()
    for device in (phone, laptop, phone, laptop):
        methods += place.watch(device.sync)
    kept = {f"Archive/{Path(path).name}" if path in paths[:20] else path: ["seen", "flagged"] for path in paths}
    assert phone.words() == laptop.words() == kept
    assert read_tree(phone.root) == read_tree(laptop.root)
    assert methods["PROPPATCH"] == 600
    assert methods["MOVE"] == 20
    assert not methods.keys() & {"GET", "HEAD", "PUT", "DELETE", "COPY"}


def test_both_devices_move_the_same_messages_and_mark_them(place: Place, phone: Device, laptop: Device) -> None:
    paths = start(phone, laptop, 4)
    phone.mark(SEEN, *paths)
    for device in (phone, laptop):
        (device.root / "Archive").mkdir()
        for path in paths:
            (device.root / path).rename(device.root / "Archive" / Path(path).name)
    laptop.mark(FLAGGED, *(f"Archive/{Path(path).name}" for path in paths))
    assert place.watch(phone.sync)["PUT"] == 0
    assert place.watch(laptop.sync).keys() & {"GET", "PUT"} == set()
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {f"Archive/{Path(path).name}": ["seen", "flagged"] for path in paths}


def test_a_flag_that_another_client_sets_or_clears_arrives(place: Place, phone: Device, laptop: Device) -> None:
    (path,) = start(phone, laptop)
    place.patch(path, "<D:set><D:prop><C:flagged>T</C:flagged><K:work>T</K:work></D:prop></D:set>")
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {path: ["flagged", "work"]}
    place.patch(path, "<D:remove><D:prop><C:flagged/><K:work/></D:prop></D:remove>")
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {}


def test_a_change_wins_over_no_change(phone: Device, laptop: Device) -> None:
    """Both had it seen; one says so again, the other takes it back."""
    (path,) = start(phone, laptop)
    phone.mark(SEEN, path)
    bring_in_step(phone, laptop)
    phone.mark(UNSEEN, path)
    laptop.mark(SEEN, path)
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {}


def test_a_mark_that_was_taken_back_is_no_change(phone: Device, laptop: Device) -> None:
    (path,) = start(phone, laptop)
    laptop.mark(SEEN, path)
    laptop.mark(UNSEEN, path)
    phone.mark(SEEN, path)
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {path: ["seen"]}


def test_the_same_mark_on_both_devices_is_sent_once(place: Place, phone: Device, laptop: Device) -> None:
    (path,) = start(phone, laptop)
    for device in (phone, laptop):
        device.mark(StateChange(set=Flag.SEEN | Flag.ANSWERED, added=frozenset({"work"})), path)
    assert place.watch(phone.sync)["PROPPATCH"] == 1
    assert place.watch(laptop.sync)["PROPPATCH"] == 0
    assert phone.words() == laptop.words() == {path: ["seen", "answered", "work"]}


def test_a_mark_during_a_run_is_kept(phone: Device, laptop: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person takes a mark back at the moment at which it is on its way to the server."""
    (path,) = start(phone, laptop)
    phone.mark(SEEN, path)
    send = RemoteCollection.change_states

    def meanwhile(remote: RemoteCollection, path: str, change: StateChange) -> None:
        if change == SEEN:
            phone.mark(UNSEEN, path)
        send(remote, path, change)

    monkeypatch.setattr(RemoteCollection, "change_states", meanwhile)
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {}


# Files that come, change, move and go


def test_a_new_message_is_marked_before_the_server_has_it(phone: Device, laptop: Device) -> None:
    start(phone, laptop)
    phone.write("new.eml", MAIL)
    phone.mark(FLAGGED, "new.eml")
    bring_in_step(phone, laptop)
    assert laptop.words() == {"new.eml": ["flagged"]}


def test_states_follow_a_message_that_another_device_moved(phone: Device, laptop: Device) -> None:
    (path,) = start(phone, laptop)
    phone.mark(SEEN, path)
    bring_in_step(phone, laptop)
    (phone.root / path).rename(phone.root / "moved.eml")
    assert phone.words() == {"moved.eml": ["seen"]}
    laptop.mark(FLAGGED, path)
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {"moved.eml": ["seen", "flagged"]}


def test_states_follow_a_folder_that_was_moved(phone: Device, laptop: Device) -> None:
    start(phone, laptop, 2)
    phone.mark(SEEN, "Inbox/0.eml")
    (phone.root / "Inbox").rename(phone.root / "Old")
    phone.mark(FLAGGED, "Old/1.eml")
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {"Old/0.eml": ["seen"], "Old/1.eml": ["flagged"]}


def test_new_content_keeps_states_and_a_copy_starts_without(phone: Device, laptop: Device) -> None:
    (path,) = start(phone, laptop)
    phone.mark(SEEN, path)
    bring_in_step(phone, laptop)
    shutil.copy(phone.root / path, phone.root / "copy.eml")
    phone.write(path, MAIL * 2)
    bring_in_step(phone, laptop)
    assert (laptop.root / path).read_bytes() == MAIL * 2
    assert phone.words() == laptop.words() == {path: ["seen"]}


@pytest.mark.parametrize("first", ["the deletion", "the mark"])
def test_a_mark_brings_no_deleted_message_back(phone: Device, laptop: Device, first: str) -> None:
    start(phone, laptop, 2)
    (phone.root / "Inbox/0.eml").unlink()
    laptop.mark(FLAGGED, "Inbox/0.eml")
    bring_in_step(*((phone, laptop) if first == "the deletion" else (laptop, phone)))
    assert read_tree(phone.root).keys() == read_tree(laptop.root).keys() == {"Inbox", "Inbox/1.eml"}
    assert phone.words() == laptop.words() == {}
    laptop.write("Inbox/0.eml", MAIL)  # another message of that name has no part in the mark
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {}


def test_the_dry_run_tells_what_would_be_sent_and_taken(place: Place, phone: Device, laptop: Device) -> None:
    paths = start(phone, laptop, 2)
    phone.mark(SEEN, paths[0])
    assert phone.sync() == 0
    laptop.mark(StateChange(set=Flag.FLAGGED, dropped=frozenset({"work"})), paths[1])
    actions = laptop.rehearse()
    assert actions == ["states from the server: Inbox/0.eml (seen)", "send states: Inbox/1.eml (flagged)"]
    assert place.watch(laptop.sync)["PROPPATCH"] == 1


# Runs that end early, and servers


def test_a_run_that_is_killed_between_the_request_and_its_record_repeats_harmlessly(
    place: Place, phone: Device, laptop: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = start(phone, laptop)
    phone.mark(SEEN, path)
    send = RemoteCollection.change_states

    def cut_off(remote: RemoteCollection, path: str, change: StateChange) -> None:
        send(remote, path, change)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RemoteCollection, "change_states", cut_off)
        with pytest.raises(KeyboardInterrupt):
            phone.sync()
    assert phone.words() == {path: ["seen"]}
    assert place.watch(phone.sync)["PROPPATCH"] == 0
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {path: ["seen"]}


def test_a_locked_message_is_told_and_marked_when_it_is_free(place: Place, phone: Device, laptop: Device) -> None:
    (path,) = start(phone, laptop)
    kind = "<D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>"
    body = f'<D:lockinfo xmlns:D="DAV:">{kind}</D:lockinfo>'
    lock = requests.request("LOCK", place.url + path, data=body, auth=place.server.credentials, timeout=30)
    phone.mark(SEEN, path)
    assert phone.sync() == 1
    assert phone.said == [f"{path}: it is locked (423)"]
    token = {"Lock-Token": lock.headers["Lock-Token"]}
    requests.request("UNLOCK", place.url + path, headers=token, auth=place.server.credentials, timeout=30)
    bring_in_step(phone, laptop)
    assert laptop.words() == {path: ["seen"]}


def test_another_server_is_asked_for_no_states_and_told_none(tmp_path: Path) -> None:
    store = Store()
    with serve(store) as url:
        (tmp_path / "phone").mkdir()
        phone = Device(url, tmp_path / "phone", tmp_path / "state")
        phone.write("a.eml", MAIL)
        bring_in_step(phone)
        phone.mark(SEEN, "a.eml")
        store.requests.clear()
        bring_in_step(phone)
        assert store.requests == [("REPORT", ""), ("REPORT", "")]
        assert [b"seen" in body for body in store.questions[-2:]] == [False, False]
        assert phone.words() == {"a.eml": ["seen"]}


def test_a_device_of_an_older_version_learns_the_states_once(place: Place, phone: Device, laptop: Device) -> None:
    (path,) = start(phone, laptop)
    phone.mark(SEEN, path)
    assert phone.sync() == 0
    make_older(laptop)
    assert laptop.sync() == 0
    assert laptop.words() == {path: ["seen"]}
    assert laptop.done == ["TAKE_STATES"]
    assert place.watch(laptop.sync) == {"REPORT": 1}


def make_older(device: Device) -> None:
    """Bring the memory of a device to the second format, which knew no states."""
    (file,) = device.states.glob("*.sqlite")
    database = sqlite3.connect(file, isolation_level=None)
    for table in ("wish", "earlier", "letter", "outside", "title"):
        database.execute(f"DROP TABLE {table}")
    for column in ("flags", "keywords", "own"):
        database.execute(f"ALTER TABLE remote DROP COLUMN {column}")
    database.execute("PRAGMA user_version = 2")
    database.close()


def test_merge_unites_states_too(phone: Device, laptop: Device) -> None:
    paths = start(phone, laptop, 2)
    phone.mark(SEEN, *paths)
    bring_in_step(phone, laptop)
    laptop.mark(UNSEEN, paths[0])
    assert laptop.sync() == 0
    assert phone.sync(merge=True) == 0
    bring_in_step(phone, laptop)
    assert phone.words() == laptop.words() == {path: ["seen"] for path in paths}


def test_states_that_a_restored_server_lost_are_set_again(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    server = Server(data, tmp_path / "log", SERVER__WORKERS="1")
    try:
        place = Place(server, server.url, tmp_path)
        phone, laptop = place.device("phone"), place.device("laptop")
        paths = start(phone, laptop, 2)
        phone.mark(SEEN, paths[0])
        bring_in_step(phone, laptop)
        shutil.copytree(data, copy)  # nobody writes now
        phone.mark(SEEN, paths[1])
        laptop.write("new.eml", MAIL)
        laptop.mark(FLAGGED, "new.eml")
        bring_in_step(phone, laptop)
        server.kill()
        shutil.rmtree(data)
        copy.rename(data)
        server.start()
        bring_in_step(phone, laptop)
        assert read_tree(phone.root) == read_tree(laptop.root)
        expected = {paths[0]: ["seen"], paths[1]: ["seen"], "new.eml": ["flagged"]}
        assert phone.words() == laptop.words() == expected
        fresh = place.device("fresh")
        bring_in_step(fresh)
        assert fresh.words() == expected
    finally:
        server.kill()
