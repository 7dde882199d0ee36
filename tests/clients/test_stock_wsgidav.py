"""WsgiDAV's own request server on our provider (ADR 21): the provider is a real one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cheroot import wsgi
from wsgidav.error_printer import ErrorPrinter
from wsgidav.request_resolver import RequestResolver
from wsgidav.wsgidav_app import WsgiDAVApp

from davstore.dav.wsgidav.provider import StoreProvider
from davstore.middleware.auth import PRINCIPAL
from tests.clients.conftest import Run
from tests.dav.client import ALICE, Client


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a store that stock WsgiDAV serves."""
    client = Client(tmp_path / "data")
    application: Any = WsgiDAVApp(
        {
            "provider_mapping": {"/": StoreProvider(client.services)},
            "middleware_stack": [ErrorPrinter, RequestResolver],
            "lock_storage": False,
            "property_manager": False,
            "logging": {"enable": False},
            "verbose": 1,
        }
    )

    def signed_in(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[PRINCIPAL] = ALICE
        environ["wsgidav.auth.user_name"] = "alice"
        parts: Iterable[bytes] = application(environ, start_response)
        return parts

    server = wsgi.Server(("127.0.0.1", 0), signed_in, numthreads=2)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield f"http://127.0.0.1:{server.bind_addr[1]}/dav/store/alice/"
    server.stop()
    thread.join()
    client.close()


def test_litmus_basic(stock: str, run: Run) -> None:
    said = run("litmus", stock, environ={"TESTS": "basic"})
    assert "0 failed" in said, said


def test_trees_are_copied_moved_and_deleted(stock: str, run: Run) -> None:
    curl = ("curl", "-sSf", "-X")
    run("curl", "-sSf", "-T", "-", f"{stock}a", said="hello")
    run(*curl, "MKCOL", f"{stock}c")
    run(*curl, "MOVE", "-H", f"Destination: {stock}c/a", f"{stock}a")
    run(*curl, "COPY", "-H", f"Destination: {stock}d", f"{stock}c")
    run(*curl, "DELETE", f"{stock}c")
    assert run("curl", "-sSf", f"{stock}d/a") == "hello"
    assert "/dav/store/alice/d/a" in run(
        *curl, "PROPFIND", "-H", "Depth: infinity", "http://" + stock.split("/")[2] + "/"
    )
