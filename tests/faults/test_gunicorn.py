"""`davstore.wsgi:app` under gunicorn: what its framing hands on must be no less safe."""

from __future__ import annotations

import base64
import fcntl
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import requests

from davstore import wiring
from davstore.settings import load_settings
from davstore.store import enrolling
from tests.dav.test_fail2ban import banned
from tests.faults.served import PATIENCE_SECONDS
from tests.waiting import until

ME = ("me", "geheim")
AUTHORIZATION = f"Authorization: Basic {base64.b64encode(b'me:geheim').decode()}"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the data and the log are."""
    return tmp_path_factory.mktemp("gunicorn")


@pytest.fixture(scope="module")
def url(directory: Path) -> Iterator[str]:
    """Yield the URL of the first user's store, on a gunicorn of two workers."""
    database = wiring.open_storage(load_settings(flags={"data.path": directory / "data"}, environ={})).database
    enrolling.add_user(database, *ME, now_us=1)
    database.close()
    log = directory / "log"
    words = ["-k", "gthread", "--threads", "4", "-w", "2", "-b", "127.0.0.1:0", "--no-control-socket"]
    environ = os.environ | {"DAVSTORE_DATA__PATH": str(directory / "data")}
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *words, "davstore.wsgi:app"], stderr=said, env=environ
        )
    try:
        until(lambda: process.poll() is not None or re.search(r"Listening at: http://\S+", log.read_text()))
        found = re.search(r"Listening at: (http://\S+)", log.read_text())
        assert found, log.read_text()
        yield f"{found[1]}/dav/store/me/"
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def send(url: str, head: str, body: bytes = b"", *, cut: bool = False, connection: str = "close") -> bytes:
    """Send bytes as they are and return what comes back until the connection closes."""
    host, port = url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as client:
        client.sendall(f"{head}\r\nHost: h\r\nConnection: {connection}\r\n{AUTHORIZATION}\r\n\r\n".encode() + body)
        if cut:
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65_536), b""))


def test_what_is_put_is_got(url: str) -> None:
    body = os.urandom(300_000)
    assert requests.put(f"{url}large", data=body, auth=ME, timeout=PATIENCE_SECONDS).status_code == 201
    assert requests.get(f"{url}large", auth=ME, timeout=PATIENCE_SECONDS).content == body
    assert requests.put(f"{url}large", data=b"x", timeout=PATIENCE_SECONDS).status_code == 401


def test_a_body_in_chunks(url: str) -> None:
    parts = [os.urandom(50_000) for _ in range(4)]
    assert requests.put(f"{url}chunks", data=iter(parts), auth=ME, timeout=PATIENCE_SECONDS).status_code == 201
    assert requests.get(f"{url}chunks", auth=ME, timeout=PATIENCE_SECONDS).content == b"".join(parts)


def test_a_client_that_waits_to_be_asked_for_the_body(url: str) -> None:
    host, port = url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as client:
        head = f"PUT /dav/store/me/asked HTTP/1.1\r\nHost: h\r\n{AUTHORIZATION}\r\nContent-Length: 2\r\n"
        client.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ab")
        assert client.recv(100).startswith(b"HTTP/1.1 201 Created\r\n")
    assert requests.get(f"{url}asked", auth=ME, timeout=PATIENCE_SECONDS).content == b"ab"


@pytest.mark.parametrize("size", [10, 200_000])
@pytest.mark.parametrize(
    ("framing", "prefix"),
    [
        ("Content-Length: 300000", b""),
        ("Transfer-Encoding: chunked", b"493e0\r\n"),
        ("Transfer-Encoding: chunked", b""),
    ],
    ids=["counted", "inside a chunk", "between chunks"],
)
def test_a_body_that_is_cut_is_not_acknowledged(url: str, framing: str, prefix: bytes, size: int) -> None:
    name = f"cut-{size}-{len(prefix)}-{len(framing)}"
    body = prefix + b"x" * size if prefix or "Length" in framing else f"{size:x}\r\n".encode() + b"x" * size + b"\r\n"
    answer = send(url, f"PUT /dav/store/me/{name} HTTP/1.1\r\n{framing}", body, cut=True)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert requests.get(f"{url}{name}", auth=ME, timeout=PATIENCE_SECONDS).status_code == 404


@pytest.mark.parametrize("chunk", ["zz", "-1", "0x1", "5_0", "1\r\nxyz", "1;a=\x00", "1\nx"])
def test_after_a_misframed_body_nothing_is_taken_for_a_request(url: str, chunk: str) -> None:
    smuggled = f"{chunk}\r\nDELETE /dav/store/me/kept HTTP/1.1\r\nHost: h\r\n{AUTHORIZATION}\r\n\r\n"
    assert requests.put(f"{url}kept", data=b"x", auth=ME, timeout=PATIENCE_SECONDS).status_code in (201, 204)
    head = "PUT /dav/store/me/misframed HTTP/1.1\r\nTransfer-Encoding: chunked"
    answer = send(url, head, smuggled.encode() * 2, connection="keep-alive")
    assert re.findall(rb"^HTTP/1\.1 \d+", answer, re.MULTILINE) == [b"HTTP/1.1 400"]
    assert requests.get(f"{url}kept", auth=ME, timeout=PATIENCE_SECONDS).status_code == 200
    assert requests.get(f"{url}misframed", auth=ME, timeout=PATIENCE_SECONDS).status_code == 404


def test_the_path_is_read_as_it_was_sent(url: str) -> None:
    for name in ("a%20b", "a%2520b", "%C3%A4", "semi;colon", "a+b"):
        assert send(url, f"PUT /dav/store/me/{name} HTTP/1.1\r\nContent-Length: 1", b"x").startswith(b"HTTP/1.1 201 ")
    plain = {"Accept": "text/plain"}
    names = requests.get(url, auth=ME, headers=plain, timeout=PATIENCE_SECONDS).content.decode().splitlines()
    assert {"a b", "a%20b", "ä", "semi;colon", "a+b"} <= {*names}
    for target in ("a%2Fb", "%2e%2e/x", "../x", "%00", "%ff"):
        answer = send(url, f"PUT /dav/store/me/{target} HTTP/1.1\r\nContent-Length: 1", b"x")
        assert answer.startswith(b"HTTP/1.1 400 "), (target, answer)


def test_it_does_not_start_without_a_store_and_makes_none(tmp_path) -> None:
    environ = os.environ | {"DAVSTORE_DATA__PATH": str(tmp_path / "data")}
    words = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "--no-control-socket", "davstore.wsgi:app"]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 4
    assert f"davstore: data.path: {tmp_path}/data: no store here" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_the_log_is_that_of_davstore(url: str, directory: Path) -> None:
    """A line for each request with the client's address, and one that fail2ban reads for each guess."""
    log = directory / "log"
    assert requests.get(url, auth=("me", "guess"), timeout=PATIENCE_SECONDS).status_code == 401
    line = re.compile(r"^\S+ \S+ \d+ davstore\.access INFO \S+ GET /dav/store/me/ 401 .* 127\.0\.0\.1$", re.MULTILINE)
    until(lambda: line.search(log.read_text()))
    assert "127.0.0.1" in [banned(line) for line in log.read_text().splitlines()]


def test_one_process_does_the_jobs(url: str, directory: Path) -> None:
    """This process holds a lock, so that the others wait to take its place."""
    assert requests.get(url, auth=ME, timeout=PATIENCE_SECONDS).status_code == 200
    with (directory / "data/jobs.lock").open("a") as lock:
        until(lambda: is_held(lock))


def is_held(lock: IO[str]) -> bool:
    """Tell whether another process has locked a file."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(lock, fcntl.LOCK_UN)
    return False


def test_a_lock_of_the_jobs_that_cannot_be_had_is_one_line_and_tried_again(tmp_path: Path) -> None:
    settings = load_settings(flags={"data.path": tmp_path / "data"}, environ={})
    wiring.open_storage(settings).database.close()
    (tmp_path / "data/jobs.lock").mkdir()
    code = "import threading, davstore.wsgi as it; threading.Thread(target=it._do_jobs).start()"
    log = tmp_path / "log"
    with log.open("w") as said:
        environ = os.environ | {"DAVSTORE_DATA__PATH": str(tmp_path / "data")}
        process = subprocess.Popen([sys.executable, "-c", code], stderr=said, env=environ)
    try:
        until(lambda: process.poll() is not None or re.search(r"ERROR no jobs for 30 s: .*jobs\.lock", log.read_text()))
        assert process.poll() is None, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)
