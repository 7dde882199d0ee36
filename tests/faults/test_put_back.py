"""`davstore serve` on a data directory or a database that was put back, taken away, or not named."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from tests.contract.conftest import create_database, drop_database
from tests.faults.served import PATIENCE_SECONDS, Served
from tests.waiting import until

LARGE = b"x" * 200_000
REPORT = (
    '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>infinite</D:sync-level>'
    "<D:prop><D:getetag/></D:prop></D:sync-collection>"
)
Serve = Callable[..., Served]


class Place:
    """A store, served with its settings or without them."""

    def __init__(self, serve: Serve, data: Path, url: str) -> None:
        self._serve = serve
        self.data = data
        self.url = url
        self._settings = data.with_name("davstore.toml")
        self._settings.write_text(f'[database]\nurl = "{url}"\n')
        self.served = self.start()
        self.me = ("me", self.served.password())

    def start(self, *, with_settings: bool = True) -> Served:
        """Start the server."""
        words = ["-c", str(self._settings)] if with_settings else []
        self.served = self._serve("--workers", "1", *words)
        if with_settings:
            self.served.ready()
        return self.served

    def stop(self) -> None:
        """Stop it cleanly."""
        self.served.process.terminate()
        assert self.served.end()[0] == 0

    def kill(self) -> None:
        """End all its processes."""
        workers = self.served.workers()
        os.killpg(self.served.process.pid, signal.SIGKILL)
        self.served.end()
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))

    def request(self, method: str, name: str = "", body: bytes | str = b"") -> requests.Response:
        """Ask for something in the store."""
        url = f"{self.served.url}dav/store/me/{name}"
        return requests.request(method, url, data=body, auth=self.me, timeout=PATIENCE_SECONDS)

    def report(self, token: str = "") -> requests.Response:
        """Ask for what changed since a token."""
        return self.request("REPORT", body=REPORT.format(token))

    def token(self) -> str:
        """Return the sync token of now."""
        found = re.search(r"<D:sync-token>([^<]+)<", self.report().text)
        assert found
        return found[1]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> Iterator[Place]:
    """Yield a store on each database."""
    if request.param == "sqlite":
        yield Place(serve, tmp_path / "data", "")
        return
    server: str = request.getfixturevalue("postgresql_server")
    url = create_database(server)
    yield Place(serve, tmp_path / "data", url)
    drop_database(server, url.rpartition("/")[2])


def put_database_back(url: str, copy: str) -> None:
    """Replace a PostgreSQL database by a copy that was made with `create_database`, as a restored dump does."""
    server, _, name = url.rpartition("/")
    drop_database(server, name)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {copy.rpartition('/')[2]}")
    drop_database(server, copy.rpartition("/")[2])


def test_a_start_without_its_database_costs_no_body(place: Place) -> None:
    """The settings that name it are left out, or its file is moved aside, or is empty."""
    for name in "abc":
        assert place.request("PUT", name, LARGE).status_code == 201
    place.stop()
    file, aside = place.data / "davstore.sqlite", place.data.with_name("aside")
    if file.exists():
        file.rename(aside)
    for make in (False, True):
        if make and not place.url:
            file.touch()
        status, said = place.start(with_settings=False).end()
        assert status == 2
        assert re.fullmatch(
            r"davstore: data.path: \S+/data (has|belongs to) .*: name its database with -c FILE or .*\n", said
        )
    if aside.exists():
        aside.rename(file)
    place.start()
    assert "put back" not in place.served.log()
    assert [place.request("GET", name).content for name in "abc"] == [LARGE] * 3


def test_a_restart_a_reload_and_a_kill_leave_every_token_good(place: Place) -> None:
    place.request("PUT", "a", LARGE)
    token = place.token()
    place.served.process.send_signal(signal.SIGHUP)
    until(lambda: "reloaded" in place.served.log())
    place.request("PUT", "b", b"b")
    for end in (place.kill, place.stop):
        end()
        place.data.chmod(0o700)
        place.start()
        assert "put back" not in place.served.log()
        assert place.report(token).status_code == 207


def test_what_was_put_back_while_the_server_was_down_has_new_epochs(place: Place) -> None:
    """The directory that was copied back; and, where it has none, the database alone. It is said once."""
    place.request("PUT", "a", LARGE)
    place.stop()
    copy = create_database(*_server_and_name(place.url)) if place.url else ""
    shutil.copytree(place.data, place.data.with_name("copy"))
    place.start()
    place.request("PUT", "b", b"b")
    token = place.token()
    place.kill()
    if place.url:
        put_database_back(place.url, copy)
    else:
        shutil.rmtree(place.data)
        shutil.copytree(place.data.with_name("copy"), place.data)
    place.start()
    assert re.search(r"WARNING \S+ was put back \(.*\): devices will compare everything once\n", place.served.log())
    refused = place.report(token)
    assert refused.status_code == 403
    assert "valid-sync-token" in refused.text
    token = place.token()
    place.stop()
    place.start()
    assert "put back" not in place.served.log()
    assert place.report(token).status_code == 207
    assert place.request("GET", "a").content == LARGE


def _server_and_name(url: str) -> tuple[str, str]:
    server, _, name = url.rpartition("/")
    return server, name


def test_a_second_server_with_another_directory_is_refused(
    serve: Serve, postgresql_server: str, tmp_path: Path
) -> None:
    url = create_database(postgresql_server)
    place = Place(serve, tmp_path / "data", url)
    status, said = serve("-c", str(tmp_path / "davstore.toml"), data="other").end()
    assert status == 2
    assert re.fullmatch(r"davstore: data.path: \S+/other and the database belong to different stores: .*\n", said)
    place.stop()
    drop_database(postgresql_server, url.rpartition("/")[2])


def test_an_open_data_directory_is_told(serve: Serve, tmp_path: Path) -> None:
    """No file in it is open: files are for their owner only, with any umask of the operator."""
    (tmp_path / "data").mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        served = serve("--workers", "1")
    finally:
        os.umask(before)
    url = served.ready()
    told = re.findall(r"WARNING the data directory .*", served.log())
    closes = f"chmod -R go= {tmp_path}/data closes it"
    assert told == [
        f"WARNING the data directory {tmp_path}/data is open to other users of this machine (mode 0755): {closes}"
    ]
    me = ("me", served.password())
    assert requests.put(f"{url}dav/store/me/a", data=LARGE, auth=me, timeout=PATIENCE_SECONDS).status_code == 201
    assert [file for file in (tmp_path / "data").rglob("*") if file.stat().st_mode & 0o077] == []
