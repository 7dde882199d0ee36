"""A real server with a user and two devices."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.acceptance.device import Device
from tests.client.served import Server

DEVICE = """<D:mkcol xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:set><D:prop>
<D:resourcetype><D:collection/><D:principal/></D:resourcetype><C:class>phone</C:class>
</D:prop></D:set></D:mkcol>"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a running server with an empty store."""
    directory = tmp_path_factory.mktemp("acceptance")
    server = Server(directory / "data", directory / "log", SERVER__WORKERS="2")
    yield server
    server.kill()
    assert not re.search(r" 500 \d|Traceback", (directory / "log").read_text())


@pytest.fixture(scope="session")
def enrol(server: Server) -> Callable[[str], Device]:
    """Return what makes a device of the user, with its own secret, that has synchronised nothing yet."""

    def enrol(name: str) -> Device:
        user, _ = server.credentials
        origin = server.url.partition("/dav/")[0]
        url = f"{origin}/dav/principals/devices/{user}/{name}/"
        headers = {"Content-Type": "application/xml"}
        made = requests.request("MKCOL", url, data=DEVICE, headers=headers, auth=server.credentials, timeout=60)
        found = re.search(r"secret>([^<]+)<", made.text)
        assert found, made.text
        return Device(origin, user, found[1])

    return enrol


@pytest.fixture
def network(server: Server) -> Device:
    """Return the other side: what stores by the user's own password, and keeps nothing of its own in step."""
    return Device(server.url.partition("/dav/")[0], *server.credentials)


@pytest.fixture
def conversation(request: pytest.FixtureRequest, network: Device) -> Iterator[str]:
    """Yield the id of a conversation, and a folder of that name, which goes away in the end."""
    name = request.node.name
    network.ask("MKCOL", network.href(f"{name}/"))
    yield name
    network.ask("DELETE", network.href(f"{name}/"))


@pytest.fixture
def phone(enrol: Callable[[str], Device], request: pytest.FixtureRequest) -> Device:
    """Return a device in step with what there is."""
    device = enrol(f"phone-{request.node.name}"[:64])
    device.sync()
    return device


@pytest.fixture
def tablet(enrol: Callable[[str], Device], request: pytest.FixtureRequest) -> Device:
    """Return another."""
    device = enrol(f"tablet-{request.node.name}"[:64])
    device.sync()
    return device
