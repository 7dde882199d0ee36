"""Files that cannot be brought in step are reported in each run, until they can; and one run asks the server once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.client.device import open_state
from tests.client.devices import Device, read_tree
from tests.client.foreign import Store, serve

ROW = (
    "<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:resourcetype/>{tag}</D:prop>"
    "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
)
GONE = "<D:response><D:href>{href}</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>"
TAG = '<D:getetag>"1"</D:getetag>'


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def device(tmp_path: Path, store: Store) -> Iterator[Device]:
    with serve(store) as url:
        device = Device(url, tmp_path / "folder", tmp_path / "state")
        for path in ("a.txt", "b.txt", "d/e.txt"):
            device.write(path, path.encode())
        assert device.sync() == 0
        store.requests.clear()
        yield device


def tell_once(store: Store, row: str, number: int) -> None:
    """Let the next report have this row; those after it are the server's own."""
    body = f'<D:multistatus xmlns:D="DAV:">{row}<D:sync-token>token:{number}</D:sync-token></D:multistatus>'
    answers = iter([(207, {}, body.encode())])
    store.answer = lambda method, _: next(answers, None) if method == "REPORT" else None


@pytest.mark.parametrize(
    ("href", "tag", "reason"),
    [("/files/a%2Fb", TAG, "no file here can have this name"), ("/files/x", "", "the server gives no entity tag")],
)
def test_what_cannot_be_taken_is_told_in_each_run_until_it_is_gone(
    device: Device, store: Store, href: str, tag: str, reason: str
) -> None:
    tell_once(store, ROW.format(href=href, tag=tag), store.number)
    for _ in range(3):
        assert device.sync() == 1
        assert reason in device.said[0]
    tell_once(store, GONE.format(href=href), store.number)
    assert device.sync() == 0
    assert device.said == []


@pytest.mark.parametrize("href", ["/elsewhere/a.txt", "/", "/file/a.txt", "http://other.example/prefix/files/a.txt"])
def test_an_href_outside_the_collection_ends_each_run_with_the_setting_to_look_at(
    device: Device, store: Store, href: str
) -> None:
    body = (
        f'<D:multistatus xmlns:D="DAV:">{ROW.format(href=href, tag=TAG)}<D:sync-token>t</D:sync-token></D:multistatus>'
    )
    store.answer = lambda method, _: (207, {}, body.encode()) if method == "REPORT" else None
    for _ in range(2):
        assert device.sync() == 2
        assert "server.trusted_proxies" in device.said[-1]
    store.answer = lambda _method, _path: None
    store.write("c.txt", b"c")
    assert device.sync() == 0
    assert read_tree(device.root) == store.tree()


def test_what_failed_is_tried_and_told_in_each_run(device: Device, store: Store) -> None:
    store.write("c.txt", b"c")
    device.write("mine.txt", b"mine")
    store.answer = lambda method, _: (507, {}, b"") if method in ("GET", "PUT") else None
    for _ in range(3):
        store.requests.clear()
        assert device.sync() == 1
        assert {("GET", "c.txt"), ("PUT", "mine.txt")} <= set(store.requests)
        assert {line.partition(":")[0] for line in device.said} == {"c.txt", "mine.txt"}
    store.answer = lambda _method, _path: None
    assert device.sync() == 0
    assert read_tree(device.root) == store.tree()


# No file that the device did not make is removed

STRANGE = [".davstore~" + "0" * 32 + ".part", ".davstore~" + "f" * 32, ".davstore~" + "a" * 32 + "A"]


@pytest.mark.parametrize("name", STRANGE)
def test_a_file_that_only_looks_like_one_in_the_making_stays_and_is_told(device: Device, name: str) -> None:
    device.write(name, b"somebody's")
    device.write(f"d/{name}", b"somebody's")
    for _ in range(2):
        assert device.sync() == 1
        assert {line.partition(":")[0] for line in device.said} == {name, f"d/{name}"}
        assert (device.root / name).read_bytes() == (device.root / "d" / name).read_bytes() == b"somebody's"


def test_what_a_killed_run_of_this_device_left_is_removed(device: Device) -> None:
    with open_state(device.url, device.root, device.states) as state:
        stem = state.find_or_make_stem()
    device.write(f"d/.davstore~{stem}{'1' * 32}.part", b"half")
    assert device.sync() == 0
    assert sorted(path.name for path in (device.root / "d").iterdir()) == ["e.txt"]


# Once


def reports(store: Store) -> int:
    return sum(method == "REPORT" for method, _ in store.requests)


def test_a_change_during_a_run_is_left_for_the_next(device: Device, store: Store) -> None:
    device.write("a.txt", b"edited here")

    def meddle(method: str, path: str) -> None:
        if (method, path) == ("PUT", "a.txt"):
            store.before = lambda _method, _path: None
            store.write("a.txt", b"edited there")

    store.before = meddle
    assert device.sync() == 1
    assert reports(store) == 1
    assert device.sync() == 0
    assert reports(store) == 2
    assert set(store.tree().values()) == {b"edited here", b"edited there", b"b.txt", None, b"d/e.txt"}
    assert read_tree(device.root) == store.tree()


@pytest.mark.parametrize("habits", [{}, {"tells_etag": False}, {"guards": False}])
def test_whatever_a_person_did_one_report_is_enough(device: Device, store: Store, habits: dict[str, bool]) -> None:
    for name, value in habits.items():
        setattr(store, name, value)
    device.write("new.txt", b"new")
    device.write("a.txt", b"edited")
    (device.root / "d/e.txt").rename(device.root / "out.txt")
    (device.root / "d").rmdir()
    (device.root / "b.txt").rename(device.root / "c.txt")
    assert device.sync() == 0
    assert reports(store) == 1
    assert read_tree(device.root) == store.tree()


def test_a_refused_listing_of_a_folder_does_not_fail_what_was_done(device: Device, store: Store) -> None:
    """The listing is a gate point too: with an interval in force a second one is answered 429."""
    store.guards = False
    (device.root / "d/e.txt").unlink()
    (device.root / "d").rmdir()
    device.write("z.txt", b"z")
    store.answer = lambda method, path: (
        (429, {"Retry-After": "900"}, b"") if (method, path) == ("PROPFIND", "d") else None
    )
    assert device.sync() == 1
    assert store.tree()["z.txt"] == b"z"
    store.answer = lambda _method, _path: None
    assert device.sync() == 0
    assert read_tree(device.root) == store.tree()


# A MOVE that is refused


@pytest.mark.parametrize("source", ["a.txt", "d"])
def test_a_move_across_hosts_is_made_up_for_and_its_cure_named(device: Device, store: Store, source: str) -> None:
    """The server asked once takes its own address for another host's: it is not asked for each file."""
    before = sorted(filter(None, store.tree().values()))
    store.answer = lambda method, _: (502, {}, b"") if method == "MOVE" else None
    (device.root / source).rename(device.root / "moved")
    store.requests.clear()
    assert device.sync() == 0
    assert [line for line in device.said if "server.trusted_proxies" in line] == device.said != []
    assert [method for method, _ in store.requests].count("MOVE") == 1
    assert not {"MOVE_REMOTE", "MOVE_TREE"} & set(device.done)
    assert read_tree(device.root) == store.tree()
    assert sorted(filter(None, store.tree().values())) == before
    assert device.sync() == 0
    assert device.said == []


@pytest.mark.parametrize("refused", ["MKCOL", "MOVE"])
def test_what_was_moved_into_a_place_that_is_refused_stays_where_it_was(
    device: Device, store: Store, refused: str
) -> None:
    """Its old place is the only one on the server, and other devices would delete it."""
    before = sorted(filter(None, store.tree().values()))
    store.answer = lambda method, _: (423, {}, b"") if method == refused else None
    (device.root / "new").mkdir()
    for step in range(3):
        if step == 0:
            (device.root / "a.txt").rename(device.root / "new/a.txt")
        else:
            (device.root / ("new" if step == 1 else "new1")).rename(device.root / f"new{step}")
        assert device.sync() == 1
        assert sorted(filter(None, store.tree().values())) == before
    store.answer = lambda _method, _path: None
    assert device.sync() == 0
    assert read_tree(device.root) == store.tree()
    assert sorted(filter(None, store.tree().values())) == before


@pytest.mark.parametrize("source", ["a.txt", "d"])
@pytest.mark.parametrize("refusal", [403, 405, 409, 501])
def test_a_move_is_made_up_for_only_when_the_content_arrived(
    device: Device, store: Store, source: str, refusal: int
) -> None:
    before = set(store.tree().values())
    refused = {"MOVE": (refusal, {}, b""), "PUT": (507, {}, b"")}
    store.answer = lambda method, _: refused.get(method)
    (device.root / source).rename(device.root / "moved")
    assert device.sync() == 1
    assert set(store.tree().values()) == before
    del refused["PUT"]
    assert device.sync() == 0
    assert read_tree(device.root) == store.tree()


# A memory of the first format

NEWER = ("left_out", "refused", "mount", "told", "part", "wish", "earlier", "letter", "outside", "title")
NEWER_COLUMNS = ("flags", "keywords", "own")


def test_a_memory_of_the_first_format_goes_on(device: Device, store: Store) -> None:
    (file,) = device.states.glob("*.sqlite")
    with sqlite3.connect(file) as database:
        for table in NEWER:
            database.execute(f"DROP TABLE {table}")
        for column in NEWER_COLUMNS:
            database.execute(f"ALTER TABLE remote DROP COLUMN {column}")
        database.execute("DELETE FROM fact WHERE name IN ('stem', 'mounts', 'root-id')")
        database.execute("PRAGMA user_version = 0")
    database.close()
    (device.root / "a.txt").unlink()
    store.remove("b.txt")
    assert device.sync() == 0
    assert sorted(device.done) == ["DELETE_LOCAL", "DELETE_REMOTE"]
    assert read_tree(device.root) == store.tree() == {"d": None, "d/e.txt": b"d/e.txt"}


def test_a_memory_of_a_newer_format_is_left_alone(device: Device) -> None:
    (file,) = device.states.glob("*.sqlite")
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = file.read_bytes()
    assert device.sync() == 2
    assert "newer" in device.said[-1]
    assert file.read_bytes() == before
