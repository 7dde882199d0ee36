"""The WebDAV clients of Python: webdavclient3, webdav4 with its fsspec file system, aiodav, OpenDAL."""

from __future__ import annotations

import asyncio
import io
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.client.devices import read_tree
from tests.clients.conftest import QUOTA_BYTES
from tests.clients.place import Place
from tests.samples import fill

pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("default")]  # what they do to their own libraries

ODD = "ü %25#+&'.txt"
PLAIN = "ü +&'.txt"
"""As odd as webdav4 can name: it does not escape `#`, `?` and `%`."""
BODY = bytes(range(256)) * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the corpus."""
    fill(tmp_path / "folder")
    return tmp_path / "folder"


@pytest.mark.peer("webdavclient3")
def test_webdavclient3(place: Place, folder: Path, tmp_path: Path) -> None:
    """list, info, free, check, mkdir, up- and download in all forms, copy, move, clean, properties, lock, push, pull"""
    from webdav3.client import Client

    options = {"hostname": place.origin, "root": place.path, "login": place.user, "password": place.password}
    settings = {f"webdav_{name}": value for name, value in options.items()}
    client = Client(settings)
    here = tmp_path / "here"
    here.write_bytes(BODY)
    assert client.valid()
    assert client.check("/")
    assert not client.check("none")
    assert 0 < client.free() <= QUOTA_BYTES
    client.mkdir("a/b c", recursive=True)
    client.upload_sync(f"a/{ODD}", str(here))
    client.upload_to(io.BytesIO(BODY), "a/buffer")
    client.upload_to(iter([b"sent ", b"in chunks"]), "a/chunks")
    arrived = threading.Event()
    client.upload_async("a/async", str(here), callback=arrived.set)
    assert arrived.wait(60)
    assert place.ask("GET", f"a/{ODD}").content == BODY
    assert set(client.list("a")) == {ODD, "async", "buffer", "chunks", "b c/"}
    infos = {info["path"]: info for info in client.list("a", get_info=True)}
    assert infos[f"{place.path}a/{ODD}"]["size"] == str(len(BODY))
    assert client.info("a/buffer")["etag"] == place.ask("HEAD", "a/buffer").headers["ETag"]
    assert client.is_dir("a")
    assert not client.is_dir("a/buffer")

    client.download_sync(f"a/{ODD}", str(tmp_path / "back"))
    buffer = io.BytesIO()
    client.download_from(buffer, "a/chunks")
    assert (tmp_path / "back").read_bytes() == BODY == b"".join(client.download_iter("a/async"))
    assert buffer.getvalue() == b"sent in chunks"

    client.copy("a/buffer", "a/copied")
    client.copy("a", "whole", depth="infinity")  # its default, 1, is no depth of COPY (RFC 4918 §9.8.3)
    client.move("a/copied", f"a/b c/{ODD}")
    client.move("a/chunks", "a/buffer", overwrite=True)
    assert place.ask("GET", f"a/b c/{ODD}").content == BODY
    assert place.ask("GET", "a/buffer").content == b"sent in chunks"
    option = {"namespace": "urn:test", "name": "colour"}
    client.set_property("a/buffer", {**option, "value": "blue"})
    client.set_property_batch("a/buffer", [{**option, "value": "red"}, {"name": "size", "namespace": "urn:test"}])
    assert client.get_property("a/buffer", option) == "red"
    unchecked = Client({**settings, "webdav_disable_check": True})  # else it asks the parent whether *it* is locked
    with unchecked.lock("a/buffer", timeout=60) as locked:
        locked.upload_to(io.BytesIO(b"under a lock"), "a/buffer")
    client.clean("a")
    client.clean("whole")
    assert place.tree() == {}

    client.upload_sync("corpus", str(folder))  # a name that no member begins with: pull would cut it off
    assert place.tree() == {"corpus": None, **{f"corpus/{path}": body for path, body in read_tree(folder).items()}}
    client.download_sync("corpus", str(tmp_path / "tree"))
    assert read_tree(tmp_path / "tree") == read_tree(folder)
    (tmp_path / "tree" / "new").write_bytes(b"new")
    client.push("corpus", str(tmp_path / "tree"))
    client.pull("corpus", str(folder))
    assert (folder / "new").read_bytes() == b"new"


@pytest.mark.peer("webdav4")
def test_webdav4(place: Place, tmp_path: Path) -> None:
    """options, propfind, ls, info, up- and download, open in ranges, mkdir, copy, move, remove, properties"""
    from webdav4.client import Client, ResourceAlreadyExists, ResourceNotFound

    here = tmp_path / "here"
    here.write_bytes(BODY)
    client = Client(place.url, auth=(place.user, place.password))
    with client.http:
        assert {"1", "2", "3"} <= client.options()
        client.mkdir("a")
        client.upload_file(here, f"a/{PLAIN}")
        client.upload_fileobj(io.BytesIO(BODY), "a/object")
        with pytest.raises(ResourceAlreadyExists):
            client.upload_file(here, f"a/{PLAIN}")
        client.upload_fileobj(io.BytesIO(b"again"), "a/object", overwrite=True)
        assert client.isdir("a")
        assert client.isfile("a/object")
        assert not client.exists("none")
        assert {entry["name"]: entry["content_length"] for entry in client.ls("a")} == {
            f"a/{PLAIN}": len(BODY),
            "a/object": 5,
        }
        assert client.content_length("a/object") == 5
        assert client.content_type(f"a/{PLAIN}") == "text/plain"
        assert client.etag("a/object") == place.ask("HEAD", "a/object").headers["ETag"]
        now = datetime.now(UTC)
        assert abs((now - client.modified("a/object")).total_seconds()) < 600
        assert abs((now - client.created("a/object")).total_seconds()) < 600
        assert client.get_property("a/object", "content_length") == 5
        with client.open(f"a/{PLAIN}", "rb") as file:
            file.seek(1000)
            assert file.read(500) == BODY[1000:1500]
        client.download_file(f"a/{PLAIN}", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == BODY
        client.copy("a", "b")
        client.move("b/object", f"b/{PLAIN}", overwrite=True)
        with pytest.raises(ResourceAlreadyExists):
            client.copy("a", "b")
        client.remove("a")
        with pytest.raises(ResourceNotFound):
            client.info("a")
    assert place.tree() == {"b": None, f"b/{PLAIN}": b"again"}


@pytest.mark.peer("fsspec")
def test_fsspec(place: Place, folder: Path, tmp_path: Path) -> None:
    """put and get of the corpus, find, glob, walk, du, open to read, write and append, cat, pipe, mv, cp, rm"""
    from webdav4.fsspec import WebdavFileSystem

    files = WebdavFileSystem(place.url, auth=(place.user, place.password))
    files.put(str(folder), "folder", recursive=True)
    tree = read_tree(folder)
    assert place.tree() == {"folder": None, **{f"folder/{path}": body for path, body in tree.items()}}
    bodies = {f"folder/{path}": body for path, body in tree.items() if body is not None}
    assert set(files.find("")) == set(bodies)
    assert files.du("folder") == sum(map(len, bodies.values()))
    assert files.cat(list(bodies)[:5]) == dict(list(bodies.items())[:5])
    files.get("folder", str(tmp_path / "back"), recursive=True)
    assert read_tree(tmp_path / "back") == tree
    files.makedirs("a/b", exist_ok=True)
    files.pipe_file(f"a/b/{PLAIN}", BODY)
    with files.open("a/text", "w") as file:
        file.write("äöü\n" * 1000)
    with files.open("a/text") as file:
        file.seek(5)
        assert file.read(6) == ("äöü\n" * 2).encode()[5:11]
    assert files.cat_file(f"a/b/{PLAIN}", start=256, end=512) == bytes(range(256))
    assert files.glob("a/*") == ["a/b", "a/text"]
    assert [where for where, _, _ in files.walk("a")] == ["a", "a/b"]
    files.cp("a/text", "a/copied")
    files.mv("a/copied", "a/b/moved")
    files.cp("a", "c", recursive=True)
    files.rm("a", recursive=True)
    files.rm("folder", recursive=True)
    assert set(files.find("")) == {"c/text", f"c/b/{PLAIN}", "c/b/moved"}
    assert place.ask("GET", f"c/b/{PLAIN}").content == BODY


@pytest.mark.peer("aiodav")
def test_aiodav(place: Place, folder: Path, tmp_path: Path) -> None:
    """32 uploads at once, the corpus up and down, list, info, copy, move, properties, unlink"""
    from aiodav import Client

    async def session() -> None:
        async with Client(place.origin, root=place.path, login=place.user, password=place.password) as client:
            assert 0 < await client.free() <= QUOTA_BYTES
            await client.create_directory("a")
            await asyncio.gather(
                *(client.upload_to(f"a/{number} {ODD}", io.BytesIO(BODY + bytes([number]))) for number in range(32))
            )
            names = {f"{number} {ODD}" for number in range(32)}
            assert set(await client.list("a")) == names
            for number in range(32):
                assert place.ask("GET", f"a/{number} {ODD}").content == BODY + bytes([number])
            assert await client.exists(f"a/7 {ODD}")
            assert not await client.exists("none")
            assert await client.is_directory("a")
            assert (await client.info(f"a/7 {ODD}"))["size"] == str(len(BODY) + 1)
            buffer = io.BytesIO()
            await client.download_to(f"a/7 {ODD}", buffer)
            assert buffer.getvalue() == BODY + b"\x07"
            await client.copy(f"a/7 {ODD}", "a/copied")
            await client.copy("a", "b", depth="infinity")  # its default, 1, is no depth of COPY (RFC 4918 §9.8.3)
            await client.move("a/copied", "b/moved")
            await client.move("b/moved", f"b/1 {ODD}", overwrite=True)
            assert place.ask("GET", f"b/1 {ODD}").content == BODY + b"\x07"
            option = {"namespace": "urn:test", "name": "colour"}
            await client.set_property("b/copied", {**option, "value": "blue"})
            assert await client.get_property("b/copied", option) == "blue"
            await client.unlink("a")
            await client.delete("b")
            assert place.tree() == {}
            await client.upload("folder", str(folder))
            for path, body in read_tree(folder).items():  # its download_directory awaits nothing, and fails
                if body is not None:
                    await client.download_file(f"folder/{path}", str(tmp_path / "back"))
                    assert (tmp_path / "back").read_bytes() == body

    asyncio.run(session())
    assert place.tree() == {"folder": None, **{f"folder/{path}": body for path, body in read_tree(folder).items()}}


@pytest.mark.peer("opendal")
def test_opendal(place: Place, folder: Path) -> None:
    """create_dir, write and read of the corpus, list, stat, odd names, copy, rename, delete, remove_all"""
    import opendal

    store = opendal.Operator(
        "webdav", endpoint=place.origin, root=place.path, username=place.user, password=place.password
    )
    sent = {path: body for path, body in read_tree(folder).items() if body is not None}
    store.create_dir("a/b/")
    for path, body in sent.items():
        store.write(f"up/{path}", body)
    found = {entry.path for entry in store.scan("up/") if not entry.path.endswith("/")}
    assert found == {f"up/{path}" for path in sent}
    assert {path: bytes(store.read(f"up/{path}")) for path in sent} == sent
    store.write(f"a/{ODD}", BODY)
    assert {entry.path for entry in store.list("a/")} - {"a/"} == {"a/b/", f"a/{ODD}"}
    assert store.stat(f"a/{ODD}").content_length == len(BODY)
    store.copy(f"a/{ODD}", "a/copied")
    store.rename("a/copied", "a/b/renamed")
    store.delete(f"a/{ODD}")
    store.remove_all("up/")
    assert place.tree() == {"a": None, "a/b": None, "a/b/renamed": BODY}
