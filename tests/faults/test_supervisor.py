"""`davstore serve` as a person or a script runs it: how it starts, what it refuses, how it stops."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests

from davstore.server.workers import next_pause
from tests.faults.served import PATIENCE_SECONDS, alive, healthy
from tests.waiting import until


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
    assert re.search(r"tea\.1 GET /healthz 200 3 [\d.]+ - 127\.0\.0\.1\n", said)


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


def test_a_worker_that_dies_is_replaced_after_pauses_that_grow(serve):
    served = serve("--workers", "2")
    url = served.ready()
    for pause_seconds in (0, 1, 2):
        victim = max(served.workers())
        os.kill(victim, signal.SIGKILL)
        said = f"worker {victim} ended with -9; another starts in {pause_seconds} s"
        until(lambda said=said: said in served.log())
        assert healthy(url)  # the other one goes on
        until(lambda: len(served.workers()) == 2)
    assert [next_pause(deaths) for deaths in (0, 1, 2, 3, 4, 8, 10_000)] == [0, 0, 1, 2, 4, 60, 60]


HURRIED = """
import sys
from davstore.cli import main
from davstore.server import workers

workers._SETTLED_SECONDS = workers._LOOK_SECONDS = 0.5
sys.exit(main())
"""
"""The server, which looks at the memory of its workers every half second and not every ten."""


def test_a_worker_that_holds_too_much_memory_is_replaced_without_a_request_lost(serve):
    """Names that its parser has met stay in memory: each of these requests brings 990 new ones."""
    served = serve("--workers", "1", program=("-c", HURRIED), SERVER__WORKER_MEMORY_MIB="100")
    url = served.ready()
    [first] = served.workers()
    with requests.Session() as session:
        session.auth = ("me", served.password())
        for number in range(3_000):
            names = "".join(f"<{'n' * 20}{number:04}-{name:03}/>" for name in range(990))
            body = f'<D:propfind xmlns:D="DAV:"><D:prop>{names}</D:prop></D:propfind>'
            answer = session.request("PROPFIND", f"{url}dav/store/me/", data=body, headers={"Depth": "0"}, timeout=30)
            assert answer.status_code == 207
            if first not in served.workers():
                break
    assert "MiB; another one takes its place" in served.log()
    assert len(served.workers()) == 1
    assert "ended with" not in served.log()


DEAD_AS_IT_IS_TOLD = """
import os, signal
from davstore.server.child import Child

def work(control):
    control.say_ready()
    signal.pause()

child = Child("worker", work, keeps=(), leave_seconds=9)
while not child.is_ready:
    pass
os.kill(child.id, signal.SIGKILL)
os.waitid(os.P_PID, child.id, os.WEXITED | os.WNOWAIT)  # it is dead, and still to be noticed
child.leave()
assert child.status == -signal.SIGKILL
"""


def test_a_process_that_dies_as_it_is_told_to_leave_has_left():
    """The supervisor is a program of its own: a process that is forked gets no file that a test writes to."""
    words = [sys.executable, "-c", DEAD_AS_IT_IS_TOLD]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_connection_waits_for_the_worker_that_replaces_a_dead_one(serve):
    served = serve("--workers", "1")
    url = served.ready()
    [victim] = served.workers()
    os.kill(victim, signal.SIGKILL)
    assert requests.get(f"{url}healthz", timeout=PATIENCE_SECONDS).status_code == 200


def test_nothing_is_run_from_the_directory_it_is_started_in(serve, tmp_path):
    directory = tmp_path / "downloads"
    directory.mkdir()
    for name in ("http", "socket", "json", "davstore"):
        (directory / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit(3)\n")
    assert healthy(serve("--workers", "1", directory=directory).ready())
    assert not (tmp_path / "ran").exists()


def test_a_signal_to_all_processes_is_for_the_supervisor(serve):
    """Terminals and service managers send it so: the workers go on until the supervisor orders them to leave."""
    served = serve("--workers", "2")
    url = served.ready()
    workers = served.workers()
    for word in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        for worker in workers:
            os.kill(worker, word)
    with served.begin_upload(url, 2) as client:
        client.sendall(b"x")
        os.killpg(served.process.pid, signal.SIGTERM)
        until(lambda: not healthy(url))
        client.sendall(b"y")
        assert client.recv(100).startswith(b"HTTP/1.1 201 Created\r\n")
    assert served.end()[0] == 0
    assert not any(alive(worker) for worker in workers)
    assert "ended with" not in served.log()


def test_a_reload_while_it_starts_is_no_end(serve, tmp_path):
    served = serve("--workers", "1")
    until((tmp_path / "data" / "serve.lock").exists)
    served.process.send_signal(signal.SIGHUP)
    assert healthy(served.ready())
    until(lambda: "reloaded" in served.log())


def test_what_a_dead_worker_had_reserved_is_given_back(serve):
    served = serve("--workers", "2")
    url = served.ready()
    me = ("me", served.password())
    assert requests.put(f"{url}dav/store/me/b", data=b"x" * 100_000, auth=me, timeout=PATIENCE_SECONDS).ok
    blobs = served.data / "blobs"
    with served.begin_upload(url, 100_000) as client:
        client.sendall(b"x" * 90_000)
        until(lambda: list((blobs / "staged").iterdir()))
        for worker in served.workers():
            os.kill(worker, signal.SIGKILL)
    until(lambda: not list((blobs / "staged").iterdir()))
    assert len(list(blobs.glob("*/*/*"))) == 1


def test_a_second_serve_on_the_same_data_is_refused(serve):
    serve().ready()
    status, said = serve().end()
    assert status == 2
    assert re.fullmatch(r"davstore: another davstore serve uses \S+/data: stop it first\n", said)


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
    workers, jobs = served.workers(), served.jobs()
    served.process.kill()
    again = serve("--workers", "1", bind=url.removeprefix("http://").rstrip("/"))
    assert again.ready() == url
    until(lambda: not any(map(alive, workers | jobs)))


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
    with served.begin_upload(url, 2) as client:
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
    assert requests.put(f"{url}dav/store/me/a", data=b"old", auth=me, timeout=PATIENCE_SECONDS).status_code == 201
    with served.begin_upload(url, 9) as client:
        client.sendall(b"new")
        served.process.terminate()
        answer = client.recv(1000)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in answer
    assert served.end()[0] == 0
    again = serve("--workers", "1")
    assert requests.get(f"{again.ready()}dav/store/me/a", auth=me, timeout=PATIENCE_SECONDS).content == b"old"


def test_a_second_signal_does_not_wait_for_uploads(serve):
    served = serve("--workers", "1")
    url = served.ready()
    with served.begin_upload(url, 9) as client:
        client.sendall(b"new")
        served.process.terminate()
        until(lambda: not healthy(url))
        [worker] = served.workers()
        served.process.terminate()
        assert served.end()[0] == 0
    assert not alive(worker)
    assert "did not stop in time" not in served.log()


@pytest.mark.torture
def test_a_slow_upload_of_100_megabytes_may_finish_when_the_server_stops(serve):
    served = serve("--workers", "2")
    url = served.ready()
    megabyte = os.urandom(1_000_000)
    with served.begin_upload(url, 100 * len(megabyte)) as client:
        for number in range(100):
            client.sendall(megabyte)
            time.sleep(0.1)
            if number == 20:
                served.process.terminate()
        assert client.recv(100).startswith(b"HTTP/1.1 201 Created\r\n")
    assert served.end()[0] == 0
    me = ("me", served.password())
    again = serve("--workers", "1")
    kept = requests.get(f"{again.ready()}dav/store/me/a", auth=me, timeout=PATIENCE_SECONDS).content
    assert kept == 100 * megabyte
