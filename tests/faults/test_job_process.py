"""The process of the jobs beside the workers: what it sweeps, how it dies, and that nothing is lost by it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from davstore.directory import identity
from tests.faults.served import PATIENCE_SECONDS, Served, alive, healthy
from tests.waiting import until

LARGE = b"x" * 100_000


def sweep_of(served: Served) -> tuple[int, int, int]:
    """Return when the sweep is due, how often it was tried, and until when a process has it."""
    with contextlib.closing(sqlite3.connect(served.data / "davstore.sqlite")) as connection:
        row = connection.execute("SELECT due_us, attempts, leased_until_us FROM job WHERE kind = 'sweep'").fetchone()
        return row or (0, 0, 0)


def has_swept(served: Served) -> bool:
    """Tell whether the sweep has been done, and waits for its next time."""
    due_us, attempts, leased_until_us = sweep_of(served)
    return due_us > time.time_ns() // 1000 + 3_000_000_000 and not attempts and not leased_until_us


def staged(served: Served) -> list[Path]:
    return list((served.data / "blobs" / "staged").iterdir())


@contextlib.contextmanager
def in_the_middle_of_a_sweep(served: Served) -> Iterator[int]:
    """Leave what only a sweep takes away, and yield the process of the jobs when it has begun to sweep.

    It goes on when the block ends: it waits for the identity of the directory meanwhile, which it renews.
    """
    until(lambda: has_swept(served))
    with served.begin_upload(served.url, len(LARGE)) as client:
        client.sendall(LARGE[:-1])
        until(lambda: staged(served))
        with identity.hold(served.data):
            for worker in served.workers():
                os.kill(worker, signal.SIGKILL)
            until(lambda: sweep_of(served)[2])
            [jobs] = served.jobs()
            yield jobs


def test_it_is_restarted_and_the_workers_go_on(serve) -> None:
    served = serve("--workers", "2")
    url, workers = served.ready(), served.workers()
    for pause_seconds in (0, 1):
        [jobs] = served.jobs()
        os.kill(jobs, signal.SIGKILL)
        said = f"jobs {jobs} ended with -9; another starts in {pause_seconds} s"
        until(lambda said=said: said in served.log())
        assert healthy(url)
        until(served.jobs)
    assert served.workers() == workers


def test_it_runs_on_any_core(serve) -> None:
    served = serve("--workers", "1")
    served.ready()
    [jobs], [worker] = served.jobs(), served.workers()
    assert os.sched_getaffinity(jobs) == os.sched_getaffinity(0)
    assert len(os.sched_getaffinity(worker)) == 1


def test_killed_in_the_middle_of_a_sweep_it_sweeps_again(serve) -> None:
    served = serve("--workers", "1")
    served.ready()
    with in_the_middle_of_a_sweep(served) as jobs:
        os.kill(jobs, signal.SIGKILL)
        until(lambda: f"jobs {jobs} ended with -9" in served.log())
        assert staged(served)
    until(lambda: not staged(served))
    until(lambda: has_swept(served))
    with sqlite3.connect(served.data / "davstore.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM upload").fetchone() == (0,)


def test_a_stop_ends_a_sweep_and_the_next_server_does_it(serve) -> None:
    served = serve("--workers", "1")
    served.ready()
    with in_the_middle_of_a_sweep(served) as jobs:
        served.process.terminate()
        until(lambda: not alive(jobs))
    assert served.end()[0] == 0
    assert not re.search("ended with 0|did not stop in time", served.log())
    again = serve("--workers", "1")
    again.ready()
    until(lambda: not staged(again))
    until(lambda: has_swept(again))


def test_it_ends_with_a_supervisor_that_is_killed(serve) -> None:
    served = serve("--workers", "1")
    served.ready()
    with in_the_middle_of_a_sweep(served) as jobs:
        served.process.kill()
        until(lambda: not alive(jobs))


def test_all_killed_in_the_middle_of_an_upload_the_next_server_sweeps_at_once(serve) -> None:
    served = serve("--workers", "1")
    served.ready()
    until(lambda: has_swept(served))
    with served.begin_upload(served.url, len(LARGE)) as client:
        client.sendall(LARGE[:-1])
        until(lambda: staged(served))
        os.killpg(served.process.pid, signal.SIGKILL)
        served.end()
    again = serve("--workers", "1")
    again.ready()
    until(lambda: not staged(again))


def test_a_reload_gives_it_the_settings_of_now(serve, tmp_path: Path) -> None:
    served = serve("--workers", "1")
    served.ready()
    until(lambda: has_swept(served))
    [old] = served.jobs()
    served.process.send_signal(signal.SIGHUP)
    until(lambda: not alive(old))
    until(served.jobs)
    until(lambda: "reloaded" in served.log())
    assert served.jobs() != {old}
    assert "ended with" not in served.log()


def test_what_keeps_it_from_its_work_is_one_line_and_no_worker_minds(serve, tmp_path: Path) -> None:
    lock = tmp_path / "data" / "jobs.lock"
    lock.mkdir(parents=True)
    served = serve("--workers", "1")
    url = served.ready()
    until(lambda: re.search(r"the jobs process ends: .*jobs\.lock", served.log()))
    assert "Traceback" not in served.log()
    assert healthy(url)
    lock.rmdir()
    until(lambda: has_swept(served))


def pss_mb(process: int) -> float:
    """Return the memory of a process, with its part of what it shares."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1000


def test_what_only_waits_takes_little_memory(serve) -> None:
    served = serve("--workers", "2")
    served.ready()
    until(lambda: has_swept(served))
    processes = {served.process.pid, *served.workers(), *served.jobs()}
    assert len(processes) == 4
    assert pss_mb(served.process.pid) < 35
    assert sum(map(pss_mb, processes)) < 110
    assert requests.get(f"{served.url}healthz", timeout=PATIENCE_SECONDS).ok
