"""A server that was restored, made anew or lost its memory: nothing is deleted, and what differs is kept twice."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from davstore.client.device import open_state
from davstore.client.identity import list_rewound
from davstore.client.state import Scope, State
from tests.client.devices import Device, read_tree
from tests.client.foreign import Store, serve
from tests.client.served import Server

FILES = {f"f{number}.txt": f"content {number}".encode() for number in range(6)}
INVALID = b'<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>'
HEAD = "urn:davstore:sync:1."
SCOPE = "0123456789abcdef"


@pytest.fixture(params=[True, False], ids=["infinite", "level 1"])
def store(request: pytest.FixtureRequest) -> Store:
    return Store(resource_id="urn:uuid:first", infinite=request.param)


@pytest.fixture
def device(tmp_path: Path, store: Store) -> Iterator[Device]:
    with serve(store) as url:
        device = Device(url, tmp_path / "folder", tmp_path / "state")
        for path, content in FILES.items():
            device.write(path, content)
        assert device.sync() == 0
        yield device


def lose(store: Store, *paths: str) -> None:
    """Forget files without a trace, as a restored server does."""
    for path in paths:
        del store.nodes[path]


def refuse_old_tokens(store: Store) -> None:
    store.floor = store.number + 1
    store.write("later.txt", b"later")


def test_after_a_refused_token_nothing_is_deleted_on_either_side(device: Device, store: Store) -> None:
    lose(store, "f0.txt")
    store.write("f1.txt", b"set back")
    (device.root / "f2.txt").unlink()
    device.write("f3.txt", b"edited here")
    refuse_old_tokens(store)
    assert device.sync() == 0
    assert store.tree() == {
        **FILES,
        "f1.txt": b"set back",
        "f1 (conflict laptop 2026-11-24 12-00-00).txt": FILES["f1.txt"],
        "f3 (conflict laptop 2026-11-24 12-00-00).txt": b"edited here",
        "later.txt": b"later",
    }
    assert read_tree(device.root) == store.tree()
    assert "DELETE" not in {method for method, _ in store.requests}
    (said,) = [line for line in device.said if "united" in line]
    assert "3 files sent, 2 taken from it, 2 kept twice, nothing deleted" in said
    assert device.sync() == 0
    assert device.said == []


def test_another_collection_at_the_url_is_united_with(device: Device, store: Store) -> None:
    """The server takes the token and reports deletions; only its identity shows that no user made them."""
    store.resource_id = "urn:uuid:second"
    store.remove("f0.txt")
    assert device.sync() == 0
    assert store.tree() == read_tree(device.root) == FILES
    assert "another collection" in device.said[-1]


def test_the_same_collection_may_delete(device: Device, store: Store) -> None:
    store.remove("f0.txt")
    (device.root / "f1.txt").unlink()
    assert device.sync() == 0
    assert store.tree() == read_tree(device.root) == {path: FILES[path] for path in sorted(FILES)[2:]}


def test_a_run_cut_off_while_it_lists_anew_unites_all_the_same(device: Device, store: Store) -> None:
    lose(store, "f0.txt")
    store.page = 2
    answers = iter([(403, {}, INVALID), None, (500, {}, b"")])
    store.answer = lambda method, _: next(answers, None) if method == "REPORT" else None
    assert device.sync() == 6
    assert device.sync() == 0
    assert store.tree() == read_tree(device.root) == FILES


def test_a_server_that_refuses_its_own_new_tokens_is_not_asked_for_ever(device: Device, store: Store) -> None:
    store.page = 2
    store.floor = 10**9
    assert device.sync() == 6
    assert "does not list the collection to its end" in device.said[-1]


def test_merging_by_wish_deletes_nothing(device: Device, store: Store) -> None:
    store.remove("f0.txt")
    (device.root / "f1.txt").unlink()
    assert device.sync(merge=True) == 0
    assert store.tree() == read_tree(device.root) == FILES
    assert "as asked for" in device.said[-1]


def test_a_reset_device_starts_anew_and_keeps_its_names(device: Device, store: Store) -> None:
    store.remove("f0.txt")
    (device.root / "f1.txt").unlink()
    with open_state(device.url, device.root, device.states) as state:
        stem = state.find_or_make_stem()
        state.reset()
        assert state.find_or_make_stem() == stem
        assert not state.agreed.rows
    assert device.sync() == 0
    assert store.tree() == read_tree(device.root) == FILES


@pytest.mark.parametrize(
    ("refused", "given", "rewound"),
    [
        (f"{HEAD}1.7.{SCOPE}.-.40", f"{HEAD}1.7.{SCOPE}.-.41", False),
        (f"{HEAD}1.7.{SCOPE}.-.40", f"{HEAD}1.7.{SCOPE}.-.40", False),
        (f"{HEAD}1.7.{SCOPE}.-.40", f"{HEAD}1.7.{SCOPE}.-.39", True),
        (f"{HEAD}1.7.{SCOPE}.-.3.0.3.40.0", f"{HEAD}1.7.{SCOPE}.-.39", True),
        (f"{HEAD}1.7.{SCOPE}.-.40", f"{HEAD}1.8.{SCOPE}.-.41", True),
        (f"{HEAD}1.7.{SCOPE}.-.40", f"{HEAD}2.7.{SCOPE}.-.41", True),
        (f"{HEAD}1.7.{SCOPE}.-.40", "token:41", True),
        ("token:40", "token:41", True),
    ],
)
def test_only_the_own_token_can_prove_that_it_was_too_old(refused: str, given: str, rewound: bool) -> None:
    state = State(None)
    state.refuse("", refused)
    state.set_scope("", Scope(given, infinite=True, listing=0))
    assert list_rewound(state) == ([""] if rewound else [])
    state.close()


class Site:
    """A davstore whose data directory can be put back, and two devices of it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.server = Server(place / "data", place / "log", SERVER__WORKERS="1")
        self.phone, self.laptop = (
            Device(self.server.url, place / name, place / f"{name}-state", name, self.server.credentials)
            for name in ("phone", "laptop")
        )

    def alter(self, statement: str) -> None:
        """Change the database as only a test may."""
        with sqlite3.connect(self.place / "data" / "davstore.sqlite") as database:
            database.execute(statement)
        database.close()

    def put_back(self) -> None:
        """Stop the server and give it the data directory that was copied before."""
        self.server.kill()
        shutil.rmtree(self.place / "data")
        shutil.copytree(self.place / "copy", self.place / "data")

    def settle(self) -> set[bytes]:
        """Let both come in step; return all contents."""
        for device in (self.phone, self.laptop, self.phone, self.laptop, self.phone):
            assert device.sync() == 0, device.said
        assert read_tree(self.phone.root) == read_tree(self.laptop.root)
        return {content for content in read_tree(self.phone.root).values() if content is not None}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.server.kill()


def begin(site: Site) -> None:
    """Come in step, copy the data directory of the stopped server, and go on."""
    for number in range(8):
        site.phone.write(f"d/{number}.txt", b"first %d" % number)
    site.laptop.root.mkdir()
    site.settle()
    site.server.kill()
    shutil.copytree(site.place / "data", site.place / "copy")
    site.server.start()


def go_on(site: Site) -> set[bytes]:
    """Work on both devices after the copy; return what must not be lost."""
    site.phone.write("d/0.txt", b"edited on the phone")
    site.phone.write("after.txt", b"made after the copy")
    (site.phone.root / "d/1.txt").rename(site.phone.root / "moved.txt")
    site.settle()
    site.laptop.write("never sent.txt", b"never sent")
    site.laptop.write("d/2.txt", b"edited on the laptop")
    return {b"edited on the phone", b"made after the copy", b"first 1", b"never sent", b"edited on the laptop"}


@pytest.mark.parametrize("epoch", ["same", "new"])
def test_a_data_directory_put_back_costs_no_byte(site: Site, epoch: str) -> None:
    """With the same epoch it was copied back by hand, unnoticed by the server; a restored one has a new epoch."""
    begin(site)
    kept = go_on(site)
    site.put_back()
    if epoch == "new":
        site.alter("UPDATE store SET epoch = epoch + 1")
    site.server.start()
    assert kept <= site.settle()


def test_a_server_made_anew_gets_everything_back(site: Site) -> None:
    begin(site)
    kept = go_on(site)
    site.server.kill()
    shutil.rmtree(site.place / "data")
    site.server.log.write_text("")
    site.server.start()
    password = site.server.log.read_text().split("password:")[1].split()[0]
    site.phone.credentials = site.laptop.credentials = ("me", password)
    assert kept <= site.settle()
    assert len(read_tree(site.phone.root)) >= 11


def test_a_token_whose_history_was_swept_still_deletes(site: Site) -> None:
    """Same store, same epoch, same root: the list holds the server's resources of now, and may be compared."""
    begin(site)
    site.laptop.write("new.txt", b"new")
    (site.phone.root / "d/0.txt").unlink()
    assert site.phone.sync() == 0
    site.alter("UPDATE store SET floor = seq")
    assert site.laptop.sync() == 0
    assert not (site.laptop.root / "d/0.txt").exists()
    assert (site.phone.root / "d/0.txt").exists() is False
    assert b"first 0" not in site.settle()
