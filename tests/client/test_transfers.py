"""Transfers of a file: the bytes that are missing and no others, its time, its type and its checksum."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import requests

from davstore.client.device import open_state
from davstore.client.draft import Part
from davstore.client.tree import Remote
from tests.client.devices import Device, read_tree
from tests.client.foreign import Store, serve
from tests.client.served import Server

FILM = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(100_000))
HALF = len(FILM) // 2
TIME = 1_000_000_000
HTTP_TIME = "Sun, 09 Sep 2001 01:46:40 GMT"


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def device(tmp_path: Path, store: Store):
    with serve(store) as url:
        yield Device(url, tmp_path / "folder", tmp_path / "state")


def parts(device: Device) -> list[Path]:
    return list(device.root.rglob(".davstore~*"))


def cut_first(store: Store, *sizes: int) -> None:
    """Let the first downloads break after so many bytes."""
    waiting = iter(sizes)
    store.cut = lambda _: next(waiting, None)


def test_a_download_that_breaks_goes_on_at_the_byte_where_it_broke(device: Device, store: Store) -> None:
    store.write("film", FILM)
    cut_first(store, 1_000_000, 500_000)
    assert device.sync() == 0
    assert read_tree(device.root) == {"film": FILM}
    assert store.sent == [
        ("film", "", 1_000_000),
        ("film", "bytes=1000000-", 500_000),
        ("film", "bytes=1500000-", len(FILM) - 1_500_000),
    ]


def break_off(device: Device, store: Store) -> None:
    """Let a run end in the middle of the film: the server is gone after its first half."""
    cut_first(store, HALF, 0, 0, 0)
    assert device.sync() == 6
    assert device.said == ["the download of film broke off: the connection broke"]
    assert [part.stat().st_size for part in parts(device)] == [HALF]
    store.sent.clear()


def test_the_next_run_goes_on_where_the_last_one_ended(device: Device, store: Store) -> None:
    store.write("film", FILM)
    break_off(device, store)
    assert device.sync() == 0
    assert read_tree(device.root) == {"film": FILM}
    assert store.sent == [("film", f"bytes={HALF}-", len(FILM) - HALF)]
    assert (device.sync(), len(store.sent)) == (0, 1)


def test_what_a_server_without_ranges_sends_begins_anew(device: Device, store: Store) -> None:
    store.write("film", FILM)
    break_off(device, store)
    store.knows_ranges = False
    assert device.sync() == 0
    assert read_tree(device.root) == {"film": FILM}
    assert store.sent == [("film", f"bytes={HALF}-", len(FILM))]


def test_of_a_file_that_was_edited_meanwhile_nothing_old_is_kept(device: Device, store: Store) -> None:
    store.write("film", FILM)
    break_off(device, store)
    store.write("film", FILM[::-1])
    assert device.sync() == 0
    assert read_tree(device.root) == {"film": FILM[::-1]}
    assert store.sent == [("film", "", len(FILM))]


def test_of_a_file_that_was_edited_after_the_report_nothing_old_is_kept(device: Device, store: Store) -> None:
    store.write("film", FILM)
    break_off(device, store)

    def edit(method: str, path: str) -> None:
        if method == "GET" and store.nodes["film"].content == FILM:
            store.write("film", FILM[::-1])

    store.before = edit
    assert device.sync() == 0
    assert read_tree(device.root) == {"film": FILM[::-1]}


def test_what_is_left_of_a_file_that_is_gone_goes_too(device: Device, store: Store) -> None:
    store.write("d", None)
    store.write("d/film", FILM)
    cut_first(store, HALF, 0, 0, 0)
    assert device.sync() == 6
    assert parts(device)
    store.remove("d")
    assert device.sync(force=True) == 0
    assert read_tree(device.root) == {}


@pytest.mark.parametrize("answer", [416, 206])
def test_an_answer_that_does_not_fit_begins_anew(device: Device, store: Store, answer: int) -> None:
    """416, and a part that begins elsewhere."""
    store.write("film", FILM)
    break_off(device, store)
    answers = iter([(answer, {"Content-Range": "bytes 0-0/1"} if answer == 206 else {}, b"x")])
    store.answer = lambda method, _: next(answers, None) if method == "GET" else None
    assert device.sync() == 0
    assert read_tree(device.root) == {"film": FILM}
    assert store.sent[1:] == [("film", "", len(FILM))]


def test_a_part_with_a_false_byte_is_found_out_where_the_tag_is_the_digest(device: Device, store: Store) -> None:
    store.write("film", FILM)
    store.nodes["film"] = store.nodes["film"]._replace(etag=f'"{hashlib.sha256(FILM).hexdigest()}"')
    break_off(device, store)
    (part,) = parts(device)
    part.write_bytes(b"x" + part.read_bytes()[1:])
    assert device.sync() == 0
    assert read_tree(device.root) == {"film": FILM}
    assert [given[1] for given in store.sent] == [f"bytes={HALF}-", ""]


def test_a_small_download_that_breaks_leaves_nothing(device: Device, store: Store) -> None:
    store.write("note", b"n" * 1000)
    cut_first(store, 500, 0, 0, 0)
    assert device.sync() == 6
    assert parts(device) == []


def test_a_server_that_always_breaks_off_is_left(device: Device, store: Store) -> None:
    store.write("film", FILM)
    store.knows_ranges = False
    store.cut = lambda _: HALF
    assert device.sync() == 6
    assert 1 < len(store.sent) < 10


def test_a_download_keeps_its_time_and_is_no_edit(device: Device, store: Store) -> None:
    store.write("photo.jpg", b"photo")
    store.nodes["photo.jpg"] = store.nodes["photo.jpg"]._replace(headers=(("Last-Modified", HTTP_TIME),))
    assert device.sync() == 0
    assert (device.root / "photo.jpg").stat().st_mtime_ns == TIME * 10**9
    store.requests.clear()
    assert device.sync() == 0
    assert {method for method, _ in store.requests} == {"REPORT"}


def test_an_upload_tells_time_type_and_checksum(device: Device, store: Store) -> None:
    device.write("photo.jpg", b"photo")
    os.utime(device.root / "photo.jpg", (TIME, TIME + 0.75))
    assert device.sync() == 0
    ((_, told),) = store.told
    assert told["X-OC-Mtime"] == "1000000000"
    assert told["Content-Type"] == "image/jpeg"
    assert told["OC-Checksum"] == f"SHA1:{hashlib.sha1(b'photo').hexdigest()}"
    device.write("photo.jpg", b"another photo")
    assert device.sync() == 0
    assert "Content-Type" not in store.told[1][1]


def test_a_time_alone_is_no_edit(device: Device, store: Store) -> None:
    device.write("a", b"a")
    assert device.sync() == 0
    os.utime(device.root / "a", (TIME, TIME))
    assert device.sync() == 0
    assert len(store.told) == 1


def test_a_server_that_fails_on_an_unset_time_gets_none(device: Device, store: Store) -> None:
    device.write("a", b"a")
    os.utime(device.root / "a", (0, 0))
    answers = iter([(400, {}, b"")])
    store.answer = lambda method, _: next(answers, None) if method == "PUT" else None
    assert device.sync() == 0
    assert [headers.get("X-OC-Mtime") for _, headers in store.told] == [None]


def test_davstore_carries_all_of_it_to_another_device(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", tmp_path / "log")
    try:
        laptop, phone = (
            Device(server.url, tmp_path / name, tmp_path / f"{name}-state", name, server.credentials)
            for name in ("laptop", "phone")
        )
        for number, name in enumerate(("photo.jpg", "copy of it.jpg", "film.mp4")):
            laptop.write(name, FILM if name == "film.mp4" else b"photo")
            os.utime(laptop.root / name, (TIME + number, TIME + number))
        assert [laptop.sync(), phone.sync()] == [0, 0]
        assert read_tree(phone.root) == read_tree(laptop.root)
        for name in read_tree(laptop.root):
            assert (phone.root / name).stat().st_mtime == (laptop.root / name).stat().st_mtime
        body = (
            '<D:propfind xmlns:D="DAV:" xmlns:o="http://owncloud.org/ns"><D:prop><o:checksums/></D:prop></D:propfind>'
        )
        answer = requests.request("PROPFIND", f"{server.url}film.mp4", data=body, auth=server.credentials, timeout=30)
        assert f"SHA1:{hashlib.sha1(FILM).hexdigest()}" in answer.text
        answer = requests.head(f"{server.url}film.mp4", auth=server.credentials, timeout=30)
        assert answer.headers["Content-Type"] == "video/mp4"
    finally:
        server.kill()


def test_what_a_killed_run_left_is_gone_on_with(tmp_path: Path) -> None:
    """Only a tag that is the digest allows it: nothing was recorded but the file that the part belongs to."""
    server = Server(tmp_path / "data", tmp_path / "log")
    try:
        device = Device(server.url, tmp_path / "here", tmp_path / "state", credentials=server.credentials)
        requests.put(f"{server.url}film", data=FILM, auth=server.credentials, timeout=30)
        digest = hashlib.sha256(FILM).hexdigest()
        device.root.mkdir()
        with open_state(device.url, device.root, device.states) as state:
            name = f".davstore~{state.find_or_make_stem()}{'0' * 32}.part"
            state.parts.put("film", Part(name, f'"{digest}"', 0))
            state.put_remote("film", Remote(folder=False, etag=f'"{digest}"', length=len(FILM)))
        (device.root / name).write_bytes(FILM[:HALF])
        assert device.sync() == 0
        assert read_tree(device.root) == {"film": FILM}
        assert f"206 {len(FILM) - HALF}" in server.log.read_text()
    finally:
        server.kill()


def test_a_server_that_tells_no_tag_after_a_put_is_asked_for_it(device: Device, store: Store) -> None:
    store.tells_etag = False
    device.write("film", FILM)
    assert device.sync() == 0
    assert store.tree() == read_tree(device.root) == {"film": FILM}
    store.requests.clear()
    assert device.sync() == 0
    assert {method for method, _ in store.requests} == {"REPORT"}
