"""Pages and extensions of other origins (https://fetch.spec.whatwg.org/#http-cors-protocol), and what stays refused."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davstore.application_wiring import build_application
from davstore.dav.dispatch import METHODS
from davstore.settings import load_settings
from davstore.store import enrolling
from davstore.wiring import open_storage
from tests.dav.client import Client
from tests.unit.test_origins import EXTENSIONS

APP = "https://app.example"
PREFLIGHT = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "authorization,x-oc-mtime"}
SITES = (None, "none", "cross-site", "same-site")


@pytest.fixture
def open_to_app(tmp_path: Path) -> Iterator[Client]:
    """Yield a client of a store that a web application may use."""
    client = Client(tmp_path / "open", origins=APP)
    yield client
    client.close()


def cors(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("Access-Control-")}


@pytest.mark.parametrize("origin", EXTENSIONS)
@pytest.mark.parametrize("site", SITES)
def test_an_extension_may_write(dav: Client, origin: str, site: str | None) -> None:
    answer = dav("PUT", "a", "x", Origin=origin, Sec_Fetch_Site=site)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (201, origin)
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert dav("DELETE", "a", Origin=origin, Sec_Fetch_Site=site).status == 204


@pytest.mark.parametrize("site", SITES)
def test_a_named_origin_may_write_and_read(open_to_app: Client, site: str | None) -> None:
    answer = open_to_app("PUT", "a", "x", Origin=APP, Sec_Fetch_Site=site)
    assert answer.status == 201
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert {"ETag", "DAV", "Lock-Token", "Location", "Content-Location", "X-OC-Mtime"} <= set(
        answer.headers["Access-Control-Expose-Headers"].split(", ")
    )
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin", ["null", "http://a@dav.example", "http://app.example", f"{APP}:444", f"{APP}.evil.example", "", "*"]
)
def test_every_other_origin_changes_and_reads_nothing(open_to_app: Client, origin: str) -> None:
    for method in ("PUT", "DELETE", "MKCOL", "POST"):
        answer = open_to_app(method, "a", Origin=origin)
        assert (answer.status, cors(answer.headers)) == (403, {})
    answer = open_to_app("GET", "", Origin=origin)
    assert (answer.status, cors(answer.headers)) == (200, {})
    preflight = open_to_app("OPTIONS", "", Origin=origin, **PREFLIGHT)
    assert (preflight.status, cors(preflight.headers)) == (200, {})  # as any OPTIONS of who has signed in
    assert preflight.headers["DAV"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "missing", 404), ("PUT", "x/y", 409), ("GET", "%00", 400)]
)
def test_refusals_can_be_read_too(open_to_app: Client, method: str, path: str, status: int) -> None:
    answer = open_to_app(method, path, Origin=APP)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, APP)


@pytest.mark.parametrize("origin", [APP, EXTENSIONS[0]])
@pytest.mark.parametrize("path", ["", "a", "missing", "/dav/store/nobody/", "/", "*"])
def test_a_preflight_is_answered(open_to_app: Client, origin: str, path: str) -> None:
    answer = open_to_app("OPTIONS", path, Origin=origin, **PREFLIGHT)
    assert (answer.status, answer.body) == (204, b"")
    told = cors(answer.headers)
    assert told.pop("Access-Control-Allow-Origin") == origin
    assert set(told.pop("Access-Control-Allow-Methods").split(", ")) == set(METHODS)
    assert told.pop("Access-Control-Allow-Headers") == "authorization,x-oc-mtime"
    assert int(told.pop("Access-Control-Max-Age")) > 0
    assert told == ({"Access-Control-Allow-Credentials": "true"} if origin == APP else {})


def test_what_is_asked_for_in_a_preflight_is_read_as_names(open_to_app: Client) -> None:
    for asked in ("", "a b", "a:b", "a,,b", "é"):
        answer = open_to_app(
            "OPTIONS", "", Origin=APP, Access_Control_Request_Method="PUT", Access_Control_Request_Headers=asked
        )
        assert (answer.status, "Access-Control-Allow-Headers" in answer.headers) == (204, False)
    assert open_to_app("OPTIONS", "", Origin=APP).headers["DAV"]  # no preflight


def test_a_cache_keeps_origins_apart(open_to_app: Client, dav: Client) -> None:
    for client, varies in ((open_to_app, True), (dav, False)):
        client.put("a")
        assert ("Origin" in client("GET", "a").headers.get("Vary", "")) is varies


def test_a_preflight_has_no_credentials_and_a_refusal_keeps_its_challenge(tmp_path: Path) -> None:
    """The whole application, where authentication is."""
    flags = {"data.path": str(tmp_path), "policy.file": "", "web.allowed_origins": APP}
    settings = load_settings(flags=flags, environ={})
    storage = open_storage(settings)
    enrolling.add_user(storage.database, "alice", "secret", now_us=1)
    storage.database.close()
    application: Any = build_application(settings)

    def ask(method: str, origin: str | None, password: str | None, **more: str) -> tuple[int, list[tuple[str, str]]]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "REQUEST_URI": "/dav/store/alice/",
            "HTTP_HOST": "dav.example",
            **more,
        }
        if origin is not None:
            environ["HTTP_ORIGIN"] = origin
        if password is not None:
            environ["HTTP_AUTHORIZATION"] = "Basic " + base64.b64encode(f"alice:{password}".encode()).decode()
        begun: list[Any] = []
        parts = application(environ, lambda *words: begun.append(words))
        b"".join(parts)
        parts.close()
        return int(begun[-1][0][:3]), begun[-1][1]

    asking = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PROPFIND"}
    assert ask("OPTIONS", APP, None, **asking)[0] == 204
    for origin in (None, "https://evil.example", "null"):
        status, headers = ask("OPTIONS", origin, None, **asking)
        assert (status, cors(dict(headers))) == (401, {})
    for password in (None, "wrong"):
        status, headers = ask("GET", APP, password)
        assert (status, dict(headers)["Access-Control-Allow-Origin"]) == (401, APP)
        assert sum(name == "WWW-Authenticate" for name, _ in headers) == 2
    assert ask("GET", APP, "secret", HTTP_ACCEPT="text/plain")[0] == 200
