"""Single stories: names, conflicts, what is transferred and what is not, and what changes while a run looks away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from davstore.client.device import open_state
from davstore.client.exit_status import Changed
from davstore.client.folder import Folder
from davstore.client.local_names import Traits
from davstore.client.scan import scan
from davstore.client.tree import Tree
from tests.client.devices import Device, read_tree
from tests.client.foreign import Store, serve

TRICKY = [
    "a%2Fb",
    "100% #1.txt",
    "\U0001f600.jpg",
    "n" * 255,
    "dot.",
    ".leading",
    " space ",
    "e\u0301",
    "\u00e9",
    "a&<b>;c",
]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def devices(tmp_path: Path, store: Store):
    with serve(store) as url:
        yield [Device(url, tmp_path / name, tmp_path / f"{name}-state", name) for name in ("phone", "laptop")]


def test_tricky_names_survive_both_ways(devices: list[Device], store: Store) -> None:
    phone, laptop = devices
    for name in TRICKY:
        phone.write(name, name.encode())
        phone.write(f"in {name[:200]}/{name}", name.encode())
    assert [phone.sync(), laptop.sync()] == [0, 0]
    assert read_tree(laptop.root) == read_tree(phone.root) == store.tree()
    for name in TRICKY:
        (laptop.root / name).write_bytes(b"edited" + name.encode())
    assert [laptop.sync(), phone.sync()] == [0, 0]
    assert read_tree(laptop.root) == read_tree(phone.root) == store.tree()


def test_a_conflict_keeps_both(devices: list[Device], store: Store) -> None:
    phone, laptop = devices
    phone.write("letter.txt", b"draft")
    assert [phone.sync(), laptop.sync()] == [0, 0]
    phone.write("letter.txt", b"from the phone")
    laptop.write("letter.txt", b"from the laptop")
    assert [phone.sync(), laptop.sync(), phone.sync()] == [0, 0, 0]
    assert store.tree() == {
        "letter.txt": b"from the phone",
        "letter (conflict laptop 2026-11-24 12-00-00).txt": b"from the laptop",
    }
    assert read_tree(phone.root) == read_tree(laptop.root) == store.tree()


def test_equal_edits_are_no_conflict(devices: list[Device], store: Store) -> None:
    for device in devices:
        device.write("same.txt", b"same")
    assert [devices[0].sync(), devices[1].sync()] == [0, 0]
    assert store.tree() == {"same.txt": b"same"}


def test_an_edit_wins_over_a_deletion(devices: list[Device], store: Store) -> None:
    phone, laptop = devices
    phone.write("d/letter.txt", b"draft")
    phone.write("d/other.txt", b"other")
    phone.write("rest.txt", b"rest")
    assert [phone.sync(), laptop.sync()] == [0, 0]
    phone.write("d/letter.txt", b"final")
    for name in ("letter.txt", "other.txt"):
        (laptop.root / "d" / name).unlink()
    (laptop.root / "d").rmdir()
    assert [laptop.sync(force=True), phone.sync(force=True), laptop.sync()] == [0, 0, 0]
    assert store.tree() == {"d": None, "d/letter.txt": b"final", "rest.txt": b"rest"}
    assert read_tree(phone.root) == read_tree(laptop.root) == store.tree()


def test_renames_carry_no_content(devices: list[Device], store: Store) -> None:
    phone, _ = devices
    phone.write("a/b/c.txt", b"content")
    phone.write("x.txt", b"another")
    assert phone.sync() == 0
    (phone.root / "a").rename(phone.root / "z")
    (phone.root / "x.txt").rename(phone.root / "y.txt")
    assert phone.sync() == 0
    assert sorted(phone.done) == ["MOVE_REMOTE", "MOVE_TREE"]
    assert store.tree() == {"z": None, "z/b": None, "z/b/c.txt": b"content", "y.txt": b"another"}


def test_empty_folders_are_kept_in_step(devices: list[Device], store: Store) -> None:
    phone, laptop = devices
    (phone.root / "empty" / "inner").mkdir(parents=True)
    assert [phone.sync(), laptop.sync()] == [0, 0]
    assert read_tree(laptop.root) == {"empty": None, "empty/inner": None}
    (laptop.root / "empty" / "inner").rmdir()
    assert [laptop.sync(force=True), phone.sync(force=True)] == [0, 0]
    assert read_tree(phone.root) == store.tree() == {"empty": None}


def test_a_folder_that_gains_a_member_is_not_deleted(devices: list[Device], store: Store) -> None:
    """The member comes after the report and before the DELETE: only the guard can find it."""
    phone, _ = devices
    phone.write("d/old.txt", b"old")
    phone.write("rest.txt", b"rest")
    assert phone.sync() == 0
    (phone.root / "d" / "old.txt").unlink()
    (phone.root / "d").rmdir()

    def meddle(method: str, path: str) -> None:
        if method == "DELETE" and "d/new.txt" not in store.nodes:
            store.write("d/new.txt", b"new")

    store.before = meddle
    assert [phone.sync(), phone.sync()] == [1, 0]
    assert store.tree() == {"d": None, "d/new.txt": b"new", "rest.txt": b"rest"}
    assert read_tree(phone.root) == store.tree()


def test_a_file_written_while_it_is_downloaded_over_is_kept(devices: list[Device], store: Store) -> None:
    phone, _ = devices
    phone.write("letter.txt", b"draft")
    assert phone.sync() == 0
    store.write("letter.txt", b"from the server")

    def meddle(method: str, path: str) -> None:
        if method == "GET":
            store.before = lambda method, path: None
            phone.write("letter.txt", b"written just now")

    store.before = meddle
    assert [phone.sync(), phone.sync()] == [1, 0]
    assert set(store.tree().values()) == {b"from the server", b"written just now"}
    assert read_tree(phone.root) == store.tree()


def test_a_change_that_keeps_size_and_time_is_seen(devices: list[Device], store: Store) -> None:
    phone, _ = devices
    phone.write("a.txt", b"one")
    assert phone.sync() == 0
    times = (phone.root / "a.txt").stat()
    phone.write("a.txt", b"two")
    os.utime(phone.root / "a.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert phone.sync() == 0
    assert store.tree() == {"a.txt": b"two"}


def test_on_a_file_system_that_folds_case_both_names_are_kept(
    devices: list[Device], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Folder, "_probe", lambda self: Traits(folds_case=True, folds_form=True, drops_tail=True))
    phone, _ = devices
    remote = {"Readme": b"upper", "README": b"all upper", "e\u0301": b"two", "\u00e9": b"one", "dot.": b"tail"}
    for name, content in remote.items():
        store.write(name, content)
    assert phone.sync() == 0
    local = read_tree(phone.root)
    assert sorted(local.values()) == sorted(remote.values())
    traits = Traits(folds_case=True, folds_form=True, drops_tail=True)
    assert len({traits.fold(name) for name in local}) == 5
    assert not any(name.endswith(".") for name in local)
    for name, content in local.items():
        (phone.root / name).write_bytes(content + b" edited")
    assert phone.sync() == 0
    assert store.tree() == {name: content + b" edited" for name, content in sorted(remote.items())}


def test_a_remote_name_like_a_file_in_the_making_is_spelled_otherwise(devices: list[Device], store: Store) -> None:
    phone, _ = devices
    name = ".davstore~" + "0" * 32 + ".part"
    store.write(name, b"not mine")
    assert [phone.sync(), phone.sync()] == [0, 0]
    assert list(read_tree(phone.root).values()) == [b"not mine"]
    assert store.tree() == {name: b"not mine"}


def test_a_name_that_no_folder_can_hold_is_left_out_loudly(devices: list[Device], store: Store) -> None:
    phone, _ = devices
    body = (
        b'<D:multistatus xmlns:D="DAV:"><D:response><D:href>/files/a%2Fb</D:href><D:propstat><D:prop><D:resourcetype/>'
        b'<D:getetag>"1"</D:getetag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>'
        b"<D:sync-token>token:1</D:sync-token></D:multistatus>"
    )
    store.answer = lambda method, path: (207, {}, body) if method == "REPORT" else None
    assert phone.sync() == 1
    assert "/files/a%2Fb" in phone.said[0]


def test_what_is_written_during_an_upload_is_never_mixed_in(devices: list[Device]) -> None:
    """A mixture of the first half of the old content and the second half of the new one is never sent."""
    laptop, _ = devices
    laptop.write("a.bin", b"old" * 1_000_000)
    with open_state(laptop.url, laptop.root, laptop.states) as state:
        folder = Folder(laptop.root)
        folder.probe(state, write=True)
        seen = scan(folder, state, clean=True).local.rows["a.bin"]
        with folder.read("a.bin", seen) as chunks:
            next(chunks)
            with (laptop.root / "a.bin").open("r+b") as file:
                file.write(b"new" * 1_000_000)
            with pytest.raises(Changed):
                list(chunks)


def test_a_tree_of_any_depth_is_walked() -> None:
    path = "/".join("d" * 3000)
    tree = Tree[None](dict.fromkeys((path[:end] for end in range(1, len(path) + 1, 2)), None))
    assert list(tree.walk("d"))[-1] == path
    assert list(tree.walk("")) == list(tree.walk("d")) == sorted(tree.rows)


@pytest.mark.parametrize("status", [403, 405, 412, 501])
def test_on_a_server_that_will_not_move_a_file_is_sent_anew(devices: list[Device], store: Store, status: int) -> None:
    laptop, phone = devices
    laptop.write("a.txt", b"a")
    for name in ("stays.txt", "stays too.txt"):
        laptop.write(name, name.encode())
    assert laptop.sync() == phone.sync() == 0
    store.answer = lambda method, _: (status, {}, b"") if method == "MOVE" else None
    (laptop.root / "a.txt").rename(laptop.root / "c.txt")
    assert laptop.sync() == phone.sync() == 0
    assert store.tree() == read_tree(laptop.root) == read_tree(phone.root)
    assert store.tree().keys() == {"c.txt", "stays.txt", "stays too.txt"}
