"""`davstore serve` as a person or a script runs it: real processes, real signals."""

import base64
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

PATIENCE_SECONDS = 20


def until(condition: Callable[[], object]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class Served:
    """One running `davstore serve` on a port of its own."""

    def __init__(self, data: Path, *words: str, bind: str = "127.0.0.1:0") -> None:
        command = [sys.executable, "-m", "davstore", "serve", "--data", str(data), "--bind", bind, *words]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("DAVSTORE_")}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environ
        )
        self.said = ""

    def ready(self) -> str:
        """Return the URL when it is announced."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if match := re.search(r"http://\S+", line):
                return match[0]
        raise AssertionError(f"ended: {self.end()}")

    def password(self) -> str:
        """Return the password of the first user, which was said before the URL."""
        match = re.search(r"first user: me\npassword: +(\S+) ", self.said)
        assert match, self.said
        return match[1]

    def end(self) -> tuple[int, str]:
        """Wait for the end and return the status and what was said on standard error."""
        said = self.process.communicate(timeout=PATIENCE_SECONDS)[1]
        return self.process.returncode, said

    def workers(self) -> set[int]:
        """Return the ids of the worker processes that live."""
        return {
            int(word) for word in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        }


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def start(*words: str, data: str = "data", bind: str = "127.0.0.1:0") -> Served:
        running.append(Served(tmp_path / data, *words, bind=bind))
        return running[-1]

    yield start
    for served in running:
        if served.process.poll() is None:
            os.killpg(served.process.pid, signal.SIGKILL)
        served.process.communicate()


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}healthz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def test_it_answers_when_it_says_so_and_logs_with_an_id(serve):
    served = serve("--workers", "1")
    url = served.ready()
    answer = requests.get(f"{url}healthz", headers={"X-Request-Id": "tea.1"}, timeout=5)
    assert (answer.status_code, answer.text, answer.headers["X-Request-Id"]) == (200, "ok\n", "tea.1")
    assert requests.get(f"{url}readyz", timeout=5).status_code == 200
    assert len(requests.get(f"{url}healthz", headers={"X-Request-Id": "a b"}, timeout=5).headers["X-Request-Id"]) == 16
    served.process.terminate()
    status, said = served.end()
    assert status == 0
    assert re.search(r"tea\.1 GET /healthz 200 3 [\d.]+ -\n", said)


def test_the_first_start_makes_a_user_and_tells_the_password_once(serve):
    first = serve("--workers", "1")
    url = first.ready()
    assert len(first.password()) >= 16
    first.process.terminate()
    first.end()
    again = serve("--workers", "1")
    assert again.ready() != url
    assert "password" not in again.said


@pytest.mark.parametrize("received", [signal.SIGTERM, signal.SIGINT])
def test_two_workers_share_the_address_and_stop_on_a_signal(serve, received):
    served = serve("--workers", "2")
    url = served.ready()
    workers = served.workers()
    assert len(workers) == 2
    served.process.send_signal(received)
    assert served.end()[0] == 0
    assert not any(alive(worker) for worker in workers)
    assert not healthy(url)


def test_a_worker_that_dies_is_replaced(serve):
    served = serve("--workers", "2")
    url = served.ready()
    until(lambda: len(served.workers()) == 2)
    victim = min(served.workers())
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in served.workers() and len(served.workers()) == 2)
    until(lambda: healthy(url))


def test_a_second_serve_on_the_same_data_is_refused(serve):
    serve().ready()
    status, said = serve().end()
    assert status == 2
    assert re.fullmatch(r"davstore: another davstore serve uses \S+/data\n", said)


def test_an_address_in_use_is_refused(serve):
    url = serve().ready()
    status, said = serve(data="other", bind=url.removeprefix("http://").rstrip("/")).end()
    assert status == 2
    assert "another program listens on 127.0.0.1 port " in said


def test_an_address_that_another_program_shares_is_refused(serve):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        status, said = serve(bind=f"127.0.0.1:{other.getsockname()[1]}").end()
    assert status == 2
    assert "another program listens" in said


def test_workers_end_with_a_supervisor_that_is_killed_and_the_next_starts_at_once(serve):
    served = serve("--workers", "2")
    url = served.ready()
    workers = served.workers()
    served.process.kill()
    again = serve("--workers", "1", bind=url.removeprefix("http://").rstrip("/"))
    assert again.ready() == url
    until(lambda: not any(alive(worker) for worker in workers))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--workers", "-1"], "server.workers: must be at least 0"),
        (["-c", "/nowhere.toml"], "/nowhere.toml: No such file"),
    ],
)
def test_a_bad_setting_ends_with_2(serve, words, complaint):
    status, said = serve(*words).end()
    assert status == 2
    assert complaint in said


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "nonsense", "127.0.0.1"])
def test_a_bad_address_ends_with_2(serve, bind):
    status, said = serve(bind=bind).end()
    assert status == 2
    assert said.startswith("davstore: command line: server.bind:")


def test_an_address_of_another_machine_ends_with_2(serve, tmp_path):
    (tmp_path / "remote.toml").write_text("[server]\nallow_remote = true\n")
    status, said = serve("-c", str(tmp_path / "remote.toml"), bind="192.0.2.1:0").end()
    assert status == 2
    assert said == "davstore: server.bind: 192.0.2.1 port 0: Cannot assign requested address\n"


def test_a_signal_before_it_is_ready_stops_it(serve, tmp_path):
    served = serve("--workers", "2")
    until(served.workers)
    served.process.terminate()
    assert served.end()[0] == 0


def test_a_data_directory_that_cannot_be_made_ends_with_2(serve, tmp_path):
    (tmp_path / "file").write_text("")
    status, said = serve(data="file/below").end()
    assert status == 2
    assert "data.path" in said


def test_an_upload_in_flight_may_finish_when_the_server_stops(serve):
    served = serve("--workers", "1")
    url = served.ready()
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    me = base64.b64encode(f"me:{served.password()}".encode()).decode()
    head = f"PUT /dav/store/me/a HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {me}\r\nContent-Length: 2\r\n"
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as client:
        client.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"x")
        served.process.terminate()
        until(lambda: not healthy(url))
        client.sendall(b"y")
        assert client.recv(100).startswith(b"HTTP/1.1 201 Created\r\n")
    assert served.end()[0] == 0


def test_an_upload_that_stalls_is_cut_when_the_shutdown_timeout_is_over(serve, tmp_path):
    (tmp_path / "hasty.toml").write_text("[server]\nshutdown_timeout_seconds = 1\n")
    served = serve("--workers", "1", "-c", str(tmp_path / "hasty.toml"))
    url = served.ready()
    me = ("me", served.password())
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    assert requests.put(f"{url}dav/store/me/a", data=b"old", auth=me, timeout=PATIENCE_SECONDS).status_code == 201
    word = base64.b64encode(":".join(me).encode()).decode()
    head = f"PUT /dav/store/me/a HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {word}\r\nContent-Length: 9\r\n"
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as client:
        client.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"new")
        served.process.terminate()
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")
    assert served.end()[0] == 0
    again = serve("--workers", "1")
    assert requests.get(f"{again.ready()}dav/store/me/a", auth=me, timeout=PATIENCE_SECONDS).content == b"old"
