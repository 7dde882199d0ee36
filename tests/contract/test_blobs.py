"""The promises of every backend of blobs (the list is in `davstore/blobs`)."""

from __future__ import annotations

import os
import tempfile
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from davstore.blobs import Blobs
from davstore.blobs.local import LocalBlobs
from davstore.errors import AlreadyRunning, CorruptBlob, DiskFull

PIECES = [b"one", b"", b"x" * 1_000_000, bytes(range(256))]
WHOLE = b"".join(PIECES)
DAY_US = 86_400_000_000
NOBODY = 65_534

Make = Callable[[Path], Blobs]


@pytest.fixture(params=[LocalBlobs])
def make(request: pytest.FixtureRequest) -> Make:
    """Return each backend in turn."""
    found: Make = request.param
    return found


@pytest.fixture
def blobs(make: Make, tmp_path: Path) -> Blobs:
    return make(tmp_path / "blobs")


def write(blobs: Blobs, name: str, *, store_id: int = 1) -> None:
    """Write a blob."""
    staged = blobs.stage(store_id, name)
    for piece in PIECES:
        staged.write(piece)
    staged.publish()
    staged.close()


def read(blobs: Blobs, name: str, start: int = 0, stop: int = len(WHOLE), *, store_id: int = 1) -> bytes:
    """Read a blob."""
    reader = blobs.open(store_id, name)
    try:
        return b"".join(reader.read(start, stop))
    finally:
        reader.close()


def test_what_is_free_fits(make: Make, small_disk: Path) -> None:
    blobs = make(small_disk / "blobs")
    free_bytes = blobs.free_bytes()
    assert free_bytes > 0
    blobs.require_room(free_bytes)
    with pytest.raises(DiskFull):
        blobs.require_room(free_bytes + 1)
    write(blobs, str(uuid.uuid4()))
    assert blobs.free_bytes() <= free_bytes - len(WHOLE)
    if os.geteuid() == 0:  # else it is the disk of the tests
        (small_disk / "full").write_bytes(bytes(blobs.free_bytes() + (1 << 20)))
        assert blobs.free_bytes() == 0


@pytest.fixture
def name() -> str:
    return str(uuid.uuid4())


def test_a_blob_comes_back_whole_or_in_part(blobs: Blobs, name: str) -> None:
    write(blobs, name)
    assert read(blobs, name) == WHOLE
    for start, stop in ((0, 0), (0, 1), (2, 5), (999_999, 1_000_010), (len(WHOLE) - 1, len(WHOLE))):
        assert read(blobs, name, start, stop) == WHOLE[start:stop]


def test_a_blob_is_there_whole_or_not_at_all(blobs: Blobs, name: str) -> None:
    staged = blobs.stage(1, name)
    staged.write(WHOLE)
    with pytest.raises(CorruptBlob):
        blobs.open(1, name)
    assert list(blobs.list_blobs(1)) == []
    staged.publish()
    assert read(blobs, name) == WHOLE


@pytest.mark.parametrize("published", [False, True])
def test_a_discarded_blob_is_gone(blobs: Blobs, name: str, published: bool) -> None:
    staged = blobs.stage(1, name)
    staged.write(WHOLE)
    if published:
        staged.publish()
    staged.discard()
    staged.discard()
    assert list(blobs.list_blobs(1)) == []
    with pytest.raises(CorruptBlob):
        blobs.open(1, name)


def test_blobs_of_two_stores_are_never_one(blobs: Blobs, name: str) -> None:
    write(blobs, name, store_id=1)
    write(blobs, name, store_id=12)
    blobs.delete(1, name)
    assert read(blobs, name, store_id=12) == WHOLE
    assert [len(list(blobs.list_blobs(store_id))) for store_id in (1, 12, 2)] == [0, 1, 0]


def test_what_is_retained_is_not_taken_away(make: Make, tmp_path: Path, name: str) -> None:
    """No process takes it: the blobs of another process are other objects on the same directory."""
    blobs, other = make(tmp_path / "blobs"), make(tmp_path / "blobs")
    write(blobs, name)
    blobs.set_aside(1, {name}, now_us=0)
    with blobs.retain():
        for one in (blobs, other):
            one.delete(1, name)
            assert one.set_aside(1, {name}, now_us=2 * DAY_US) == (0, 0)
        with pytest.raises(AlreadyRunning), other.retain():
            pass
    assert read(blobs, name) == WHOLE
    assert other.set_aside(1, {name}, now_us=2 * DAY_US) == (1, len(WHOLE))
    write(blobs, name)
    other.delete(1, name)
    assert list(blobs.list_blobs(1)) == []


def test_the_stores_that_have_blobs_are_listed(blobs: Blobs) -> None:
    assert blobs.list_stores() == []
    for store_id in (12, 3):
        write(blobs, str(uuid.uuid4()), store_id=store_id)
    assert blobs.list_stores() == [3, 12]


def test_delete_is_repeatable_and_an_open_blob_stays_readable(blobs: Blobs, name: str) -> None:
    write(blobs, name)
    reader = blobs.open(1, name)
    blobs.delete(1, name)
    blobs.delete(1, name)
    assert b"".join(reader.read(0, len(WHOLE))) == WHOLE
    reader.close()
    reader.close()


def test_a_listing_tells_the_length(blobs: Blobs, name: str) -> None:
    write(blobs, name)
    assert list(blobs.list_blobs(1)) == [(name, len(WHOLE))]


def test_more_than_there_is_cannot_be_read(blobs: Blobs, name: str) -> None:
    write(blobs, name)
    with pytest.raises(CorruptBlob):
        read(blobs, name, 0, len(WHOLE) + 1)


def test_an_upload_holds_its_blob_until_it_ends(blobs: Blobs, name: str) -> None:
    assert not blobs.is_held(1, name)
    staged = blobs.stage(1, name)
    staged.write(WHOLE)
    assert blobs.is_held(1, name)
    staged.publish()
    assert blobs.is_held(1, name)
    assert not blobs.is_held(2, name)
    staged.close()
    assert not blobs.is_held(1, name)


def test_what_an_upload_holds_is_not_swept(blobs: Blobs, tmp_path: Path, name: str) -> None:
    write(blobs, name)
    living, dead = (blobs.stage(1, str(uuid.uuid4())) for _ in range(2))
    dead.close()
    blobs.sweep_staged()
    assert len(list((tmp_path / "blobs" / "staged").iterdir())) == 1
    living.publish()
    assert len(list(blobs.list_blobs(1))) == 2
    assert read(blobs, name) == WHOLE


def test_no_sweep_comes_between_a_file_and_its_lock(blobs: Blobs) -> None:
    ended = threading.Event()

    def sweep() -> None:
        while not ended.is_set():
            blobs.sweep_staged()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for _ in range(200):
            staged = blobs.stage(1, str(uuid.uuid4()))
            staged.publish()
            staged.close()
    finally:
        ended.set()
        sweeper.join()


def test_a_blob_that_cannot_be_deleted_is_left(blobs: Blobs, tmp_path: Path, name: str) -> None:
    write(blobs, name)
    [file] = (tmp_path / "blobs").glob(f"*/*/{name}")
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    blobs.delete(1, name)


def test_a_full_disk_is_said_and_leaves_nothing(make: Make, small_disk: Path, name: str) -> None:
    blobs = make(small_disk / "blobs")
    write(blobs, name)
    staged = blobs.stage(1, str(uuid.uuid4()))
    if small_disk.is_mount():
        with pytest.raises(DiskFull):
            staged.write(b"x" * 40_000_000)
    staged.discard()
    assert read(blobs, name) == WHOLE
    write(blobs, str(uuid.uuid4()))


def test_a_file_that_cannot_be_opened_is_left_alone_and_the_others_go(make: Make) -> None:
    """The sweep is done as a user who may not read one of the files, as a bad disk lets nobody."""
    with tempfile.TemporaryDirectory(prefix="davstore-") as directory:
        blobs, names = make(Path(directory) / "blobs"), sorted(str(uuid.uuid4()) for _ in range(3))
        for name in names:
            blobs.stage(1, name).close()
        files = {name: Path(directory) / "blobs/staged" / f"1.{name}" for name in names}
        files[names[1]].chmod(0)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if os.geteuid() == 0:
                    for place in (Path(directory), *Path(directory).rglob("*")):
                        os.chown(place, NOBODY, NOBODY)
                    os.setuid(NOBODY)
                blobs.sweep_staged()
                status = 0 if [blobs.is_held(1, name) for name in names] == [False, True, False] else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert [name for name, file in files.items() if file.exists()] == [names[1]]
