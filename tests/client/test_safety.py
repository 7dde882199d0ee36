"""Refusals of a device: what it says, and the exit status (README.md)."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from davstore.client.device import accept_root, open_state
from davstore.client.exit_status import Stop
from davstore.client.folder import Folder
from davstore.client.refusals import tell_time
from davstore.protocol.http.sync_context import SyncContext
from tests.client.devices import NOW, Device, read_tree
from tests.client.foreign import Store, serve

FILES = {f"f{number}.txt": f"content {number}".encode() for number in range(10)}


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def device(tmp_path: Path, store: Store):
    with serve(store) as url:
        device = Device(url, tmp_path / "folder", tmp_path / "state")
        for path, content in FILES.items():
            device.write(path, content)
        yield device


@pytest.fixture
def in_step(device: Device) -> Device:
    assert device.sync() == 0
    return device


def files(store: Store) -> dict[str, bytes | None]:
    return store.tree()


@pytest.fixture
def many(in_step: Device) -> Device:
    for number in range(40):
        in_step.write(f"d/{number}", b"%d" % number)
    assert in_step.sync() == 0
    return in_step


@pytest.mark.parametrize("count", [26, 40])
def test_more_than_half_deleted_here_stops(many: Device, store: Store, count: int) -> None:
    before = files(store)
    for number in range(count):
        (many.root / "d" / str(number)).unlink()
    assert many.sync() == 3
    assert files(store) == before
    assert many.sync(force=True) == 0
    assert len(files(store)) == len(before) - count


def test_more_than_half_deleted_on_the_server_stops(many: Device, store: Store) -> None:
    before = read_tree(many.root)
    store.remove("d")
    assert many.sync() == 3
    assert read_tree(many.root) == before
    assert many.sync(force=True) == 0
    assert read_tree(many.root) == FILES


def test_a_few_files_may_all_go(in_step: Device, store: Store) -> None:
    for path in FILES:
        (in_step.root / path).unlink()
    assert in_step.sync() == 0
    assert files(store) == {}


def test_a_missing_root_stops(in_step: Device, store: Store) -> None:
    shutil.rmtree(in_step.root)
    assert in_step.sync() == 3
    assert not in_step.root.exists()
    assert files(store) == FILES


def test_a_replaced_root_stops(in_step: Device, store: Store) -> None:
    in_step.root.rename(in_step.root.with_name("away"))
    in_step.root.mkdir()
    assert in_step.sync() == 3
    assert files(store) == FILES


def test_a_replaced_root_that_is_accepted_deletes_nothing(in_step: Device, store: Store) -> None:
    in_step.root.rename(in_step.root.with_name("away"))
    in_step.write("new.txt", b"new")
    with open_state(in_step.url, in_step.root, in_step.states) as state:
        accept_root(Folder(in_step.root), state, in_step.said.append)
    assert in_step.sync() == 0
    assert read_tree(in_step.root) == files(store) == {**FILES, "new.txt": b"new"}


def test_the_state_is_never_inside_the_folder(device: Device) -> None:
    device.states = device.root / "state"
    assert device.sync() == 2
    assert set(read_tree(device.root)) == set(FILES)


def test_nothing_but_files_of_the_user_is_in_the_folder(in_step: Device) -> None:
    assert {path.name for path in in_step.root.iterdir()} == set(FILES)


def test_one_folder_has_one_run_at_a_time(device: Device) -> None:
    with open_state(device.url, device.root, device.states):
        assert device.sync() == 2


def test_a_damaged_memory_is_told(in_step: Device, store: Store) -> None:
    for file in in_step.states.glob("*.sqlite*"):
        file.write_bytes(b"damaged" * 1000)
    assert in_step.sync() == 2
    assert "cannot be used" in in_step.said[0]
    assert read_tree(in_step.root) == files(store) == FILES


def test_links_and_special_files_are_told_once_and_are_no_failure(in_step: Device, store: Store) -> None:
    (in_step.root / "link").symlink_to(in_step.root / "f0.txt")
    os.mkfifo(in_step.root / "pipe")
    in_step.write("after.txt", b"after")
    assert in_step.sync() == 0
    assert in_step.said == ["link: left out: a symbolic link", "pipe: left out: neither file nor folder"]
    assert files(store) == {**FILES, "after.txt": b"after"}
    assert (in_step.sync(), in_step.said) == (0, [])
    (in_step.root / "link").unlink()
    assert (in_step.sync(), in_step.said) == (0, [])
    (in_step.root / "link").symlink_to(in_step.root / "f0.txt")
    assert (in_step.sync(), in_step.said) == (0, ["link: left out: a symbolic link"])


def test_a_file_replaced_by_a_link_is_not_deleted_on_the_server(in_step: Device, store: Store) -> None:
    (in_step.root / "f0.txt").unlink()
    (in_step.root / "f0.txt").symlink_to("f1.txt")
    assert in_step.sync() == 1
    assert files(store) == FILES


def test_nothing_is_written_through_a_link_to_a_folder(in_step: Device, store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    store.write("d", None)
    assert in_step.sync() == 0
    (in_step.root / "d").rmdir()
    (in_step.root / "d").symlink_to(outside)
    store.write("d/secret", b"x")
    assert in_step.sync() == 1
    assert not any(outside.iterdir())


def test_a_name_that_is_not_unicode_is_skipped_loudly(in_step: Device, store: Store) -> None:
    Path(os.fsdecode(os.fsencode(in_step.root) + b"/\xff")).write_bytes(b"x")
    assert in_step.sync() == 1
    assert files(store) == FILES


def test_wrong_credentials(device: Device) -> None:
    device.credentials = ("user", "wrong")
    assert device.sync() == 5


def test_no_server(device: Device) -> None:
    device.url = "http://127.0.0.1:9/files/"
    assert device.sync() == 6


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "http:///x",
        "http://u:p@127.0.0.1/",
        "http://127.0.0.1/a/../b/",
        "http://[bad/",
        "http://127.0.0.1:port/",
        "http://127.0.0.1:99999/",
    ],
)
def test_a_url_that_cannot_be(device: Device, url: str) -> None:
    device.url = url
    assert device.sync() == 2


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_url_without_a_collection(device: Device, store: Store, status: int) -> None:
    store.answer = lambda method, path: (status, {}, b"")
    assert device.sync() == 2


REFUSED = "the sync policy refuses: "
BY_ITSELF = "this device may not synchronise by itself now"
PROFILE = "; davstore sync profile changes that"


@pytest.mark.parametrize(
    ("condition", "status", "voice", "modes", "sentence"),
    [
        ("sync-allowed", 403, "provider", "", "this device may not synchronise now (decided by the provider, rule r)"),
        (
            "sync-allowed",
            403,
            "provider",
            "manual",
            f"{BY_ITSELF} (decided by the provider, rule r); with --manual it may",
        ),
        ("sync-allowed", 403, "user", "manual", f"{BY_ITSELF} (decided by you, rule r); with --manual it may{PROFILE}"),
        (
            "automatic-sync-enabled",
            409,
            "device",
            "",
            f"{BY_ITSELF} (decided by this device, rule r); with --manual it may{PROFILE}",
        ),
        (
            "sync-scope-allowed",
            403,
            "user",
            "",
            f"this device may not synchronise this folder (decided by you, rule r){PROFILE}",
        ),
        (
            "device-enrolled",
            403,
            "",
            "",
            "this account synchronises with the secret of a device only, which davstore device add gives (rule r)",
        ),
        ("moon-is-full", 403, "provider", "", "moon is full (decided by the provider, rule r)"),
    ],
)
def test_the_policy_is_obeyed_and_told_in_a_sentence(
    device: Device, store: Store, condition: str, status: int, voice: str, modes: str, sentence: str
) -> None:
    refuse(store, condition, status, voice, modes)
    assert device.sync() == 4
    assert device.said == [f"{REFUSED}{sentence}"]
    assert files(store) == {}


def test_a_suspended_device_is_told_so(device: Device, store: Store) -> None:
    body = (
        b'<D:error xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">'
        b"<C:device-enrolled><C:state>suspended</C:state></C:device-enrolled></D:error>"
    )
    store.answer = lambda method, path: (403, {"Content-Type": "application/xml"}, body)
    assert device.sync() == 4
    assert device.said == [f"{REFUSED}this device is suspended"]
    assert files(store) == {}


def refuse(store: Store, condition: str, status: int, voice: str, modes: str = "", seconds: int | None = None) -> None:
    """Let the server refuse everything by a rule of its policy."""
    inner = f"<C:rule>r</C:rule><C:decided-by>{voice}</C:decided-by>"
    inner += f"<C:allowed-modes><C:mode>{modes}</C:mode></C:allowed-modes>" if modes else ""
    namespaces = 'xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"'
    body = f"<D:error {namespaces}><C:{condition}>{inner}</C:{condition}></D:error>".encode()
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    store.answer = lambda method, path: (status, headers, body)


@pytest.mark.parametrize(("condition", "status"), [("sync-interval-respected", 429), ("sync-window-open", 503)])
def test_a_time_to_come_again_is_told_and_kept_to(device: Device, store: Store, condition: str, status: int) -> None:
    """A run by itself does not ask before, nor one that only rehearses; a person may."""
    refuse(store, condition, status, "provider", seconds=3600)
    assert device.sync() == 4
    assert "; the next run may ask " in device.said[-1]
    store.answer = lambda method, path: None
    store.requests.clear()
    device.now += timedelta(seconds=3599)
    assert device.sync() == 4
    with pytest.raises(Stop, match="the next run asks"):
        device.rehearse()
    assert store.requests == []
    device.context = SyncContext("manual", "wifi")
    assert device.sync() == 0
    assert store.modes[-1] == "mode=manual, bearer=wifi"
    device.context = SyncContext()
    assert device.sync() == 0


def test_after_the_time_a_run_by_itself_asks(device: Device, store: Store) -> None:
    refuse(store, "sync-window-open", 503, "provider", seconds=3600)
    assert device.sync() == 4
    store.answer = lambda method, path: None
    device.now += timedelta(seconds=3600)
    assert device.sync() == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "at 12:01"),
        (60, "at 12:01"),
        (90, "at 12:02"),
        (11 * 3600, "at 23:00"),
        (12 * 3600, "on 2026-11-25 at 00:00"),
    ],
)
def test_a_time_in_words(seconds: int, words: str) -> None:
    assert tell_time(NOW, seconds) == words


def test_a_busy_server_is_waited_for(device: Device, store: Store) -> None:
    waited: list[float] = []
    answers = iter([(503, {"Retry-After": "7"}, b""), (429, {"Retry-After": "8"}, b"")])
    store.answer = lambda method, path: next(answers, None)
    device.pause = waited.append
    assert device.sync() == 0
    assert waited == [7, 8]
    assert files(store) == FILES


def test_a_file_that_the_server_refuses_does_not_keep_the_others(device: Device, store: Store) -> None:
    store.answer = lambda method, path: (507, {}, b"") if (method, path) == ("PUT", "f3.txt") else None
    assert device.sync() == 1
    assert len(files(store)) == 9
    store.answer = lambda method, path: None
    assert device.sync() == 0
    assert files(store) == FILES
