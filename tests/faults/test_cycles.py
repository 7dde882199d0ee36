"""The objects of a request are gone when it is over: the collector of cycles, which runs seldom, has nothing to do."""

import base64
import collections
import gc
import http.client
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from davstore.application_wiring import build_application
from davstore.server.loop import Server
from davstore.settings import load_settings
from davstore.wiring import prepare_store

STORE = "/dav/store/me/"
FOLDER = "<D:propfind xmlns:D='DAV:'><D:prop><D:getetag/><D:nothing/></D:prop></D:propfind>"
DEAD = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><x xmlns='urn:x'>y</x></D:prop></D:set></D:propertyupdate>"
LIVE = DEAD.replace("<x xmlns='urn:x'>y</x>", "<D:getetag>y</D:getetag>")
LOCK = (
    "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>"
)
SYNC = (
    "<D:sync-collection xmlns:D='DAV:'><D:sync-token/><D:sync-level>infinite</D:sync-level>"
    "<D:prop><D:getetag/></D:prop></D:sync-collection>"
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[http.client.HTTPConnection, str]]:
    data = tmp_path_factory.mktemp("cycles")
    settings = load_settings(flags={"data.path": str(data), "policy.file": ""}, environ={})
    first = prepare_store(settings)
    assert first is not None
    server = Server(("127.0.0.1", 0), build_application(settings), numthreads=1)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    client = http.client.HTTPConnection(*server.bind_addr, timeout=30)
    password = base64.b64encode(f"{first.name}:{first.password}".encode()).decode()
    for method, name, body in (
        ("PUT", "a", "0123456"),
        ("PUT", "large", ""),
        ("PUT", "b", ""),
        ("PUT", "shared", ""),
        ("LOCK", "locked", LOCK),
    ):
        client.request(method, STORE + name, body, {"Authorization": f"Basic {password}"})
        client.getresponse().read()
    yield client, password
    client.close()
    server.stop()
    thread.join()


@pytest.mark.parametrize(
    ("method", "target", "body", "fields", "status"),
    [
        ("GET", "a", "", {}, 200),
        ("GET", "a", "", {"If-None-Match": "*"}, 304),
        ("GET", "a", "", {"Range": "bytes=0-1,4-5"}, 206),
        ("GET", "a", "", {"Range": "bytes=9-"}, 416),
        ("GET", "", "", {"Accept": "text/html"}, 200),
        ("GET", "none", "", {}, 404),
        ("GET", "/dav/store/you/", "", {}, 404),
        ("GET", "%00", "", {}, 400),
        ("PUT", "a", "0123456", {}, 204),
        ("PUT", "a", "", {"If-Match": '"x"'}, 412),
        ("PUT", "none/a", "", {}, 409),
        ("PUT", "large", "x" * 100_000, {}, 204),
        ("PROPFIND", "", FOLDER, {"Depth": "1"}, 207),
        ("PROPFIND", "", "<x", {"Depth": "1"}, 400),
        ("PROPPATCH", "a", DEAD, {}, 207),
        ("PROPPATCH", "a", LIVE, {}, 207),
        ("REPORT", "", SYNC, {}, 207),
        ("COPY", "a", "", {"Destination": f"{STORE}b"}, 204),
        ("COPY", "a", "", {"Destination": f"{STORE}b", "Overwrite": "F"}, 412),
        ("LOCK", "shared", LOCK, {}, 200),
        ("PUT", "locked", "", {}, 423),
        ("UNLOCK", "a", "", {"Lock-Token": "<urn:x>"}, 409),
        ("BREW", "a", "", {}, 501),
        ("GET", "a", "", {"Authorization": "Basic eDp5"}, 401),
    ],
)
def test_a_request_leaves_no_cycles(connection, method: str, target: str, body: str, fields: dict, status: int):
    client, password = connection

    def ask(*request: object) -> int:
        method, target, body, fields = request
        client.request(method, target, body, {"Authorization": f"Basic {password}", **fields})
        answer = client.getresponse()
        answer.read()
        return answer.status

    target = target if target.startswith("/") else STORE + target
    for _ in range(2):  # what is made once and kept
        assert ask(method, target, body, fields) == status
    for _ in range(3):  # what threads of other tests left is found once, what requests leave each time
        left = cycles(lambda: ask(method, target, body, fields))
        if not left:
            break
    assert left == {}


def cycles(ask: Callable[[], object]) -> dict[str, int]:
    """Return what three requests leave to the collector: ours, and of the rest what each of them leaves."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(3):
            ask()
        time.sleep(0.01)  # the server's thread lets go after the client has read
        gc.collect()
        left = collections.Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    return {name: count for name, count in left.items() if name.startswith("davstore.") or count >= 3}
