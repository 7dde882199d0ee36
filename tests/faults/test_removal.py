"""`davstore user remove` while a server of two workers runs: 401 or 404 from then on, never 500."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import requests

from tests.faults.served import PATIENCE_SECONDS


def test_a_user_who_is_removed_is_refused_and_an_upload_under_way_leaves_nothing(serve, tmp_path: Path) -> None:
    served = serve("--workers", "2")
    url = served.ready()
    auth = ("me", served.password())
    for name, body in (("small", b"s"), ("large", b"L" * 200_000)):
        assert requests.put(f"{url}dav/store/me/{name}", body, auth=auth, timeout=PATIENCE_SECONDS).status_code == 201
    length = 300_000
    client = served.begin_upload(url, length)
    client.sendall(b"x" * 100_000)
    statuses: set[int] = set()
    refused = threading.Event()

    def ask() -> None:
        while not refused.is_set():
            for method, name in (("GET", "large"), ("PUT", "small"), ("PROPFIND", "")):
                answer = requests.request(
                    method, f"{url}dav/store/me/{name}", auth=auth, data=b"", timeout=PATIENCE_SECONDS
                )
                statuses.add(answer.status_code)
                if answer.status_code == 401:
                    refused.set()

    thread = threading.Thread(target=ask)
    thread.start()
    remove = [sys.executable, "-m", "davstore", "user", "remove", "me", "--yes", "--data", str(tmp_path / "data")]
    subprocess.run(remove, check=True)
    thread.join()
    assert statuses <= {200, 204, 207, 401, 404}
    client.sendall(b"x" * (length - 100_000))
    assert client.recv(100).startswith(b"HTTP/1.1 404 ")
    client.close()
    assert [file for file in (tmp_path / "data/blobs").rglob("*") if file.is_file()] == []
    assert " failed" not in served.log()
