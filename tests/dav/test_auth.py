"""The authentication wrapper: who gets past, and what stands behind it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest

from davstore.errors import Throttled, Unauthenticated
from davstore.metadata.migrate import migrate
from davstore.metadata.opening import open_database
from davstore.metadata.volatile import Throttle
from davstore.middleware.auth import PRINCIPAL, Authentication
from davstore.middleware.boundary import Boundary
from davstore.store import enrolling
from davstore.store.authenticating import Authenticator
from davstore.store.hashing import Passwords

NOW = 1_800_000_000_000_000


class Inner:
    """The application behind the wrapper: it keeps the environ it was called with."""

    def __init__(self) -> None:
        self.environ: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environ = environ
        start_response("200 OK", [])
        return [b"inside"]


@pytest.fixture
def storage(tmp_path: Path):
    database = open_database("", tmp_path)
    migrate(database)
    throttle = Throttle(tmp_path / "throttle.sqlite")
    enrolling.add_user(database, "alice", "pässword", now_us=NOW)
    yield database, throttle
    throttle.close()
    database.close()


@pytest.fixture
def inner() -> Inner:
    return Inner()


@pytest.fixture
def call(storage: Any, inner: Inner):
    application = Authentication(inner, Authenticator(*storage, Passwords()), clock=lambda: NOW)

    def request(authorization: str | None = None, *, address: str = "192.0.2.1") -> bytes:
        environ = {"REQUEST_METHOD": "GET", "REMOTE_ADDR": address, "wsgi.input": io.BytesIO()}
        if authorization is not None:
            environ["HTTP_AUTHORIZATION"] = authorization
        return b"".join(application(environ, lambda status, headers, exc_info=None: lambda data: None))

    return request


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Basic", "Basic !!!", "Basic YWxpY2U=", "Digest x", "Bearer", "Bearer a b", basic("alice", "wrong")],
)
def test_nobody_else_gets_past(call: Any, inner: Inner, authorization: str | None) -> None:
    with pytest.raises(Unauthenticated):
        call(authorization)
    assert inner.environ == {}


def test_the_principal_is_known_inside_and_the_secret_is_not(call: Any, inner: Inner) -> None:
    assert call(basic("alice", "pässword")) == b"inside"
    assert inner.environ[PRINCIPAL].user.name == "alice"
    assert inner.environ["REMOTE_USER"] == "alice"
    assert "HTTP_AUTHORIZATION" not in inner.environ


def test_a_password_in_latin1_is_the_same_password_and_one_guess(call: Any, inner: Inner) -> None:
    def latin1(password: str) -> str:
        return "Basic " + base64.b64encode(f"alice:{password}".encode("latin-1")).decode()

    assert call(latin1("pässword"), address="198.51.100.1") == b"inside"
    for number in range(10):
        with pytest.raises(Unauthenticated):
            call(latin1(f"wröng{number}"))
    with pytest.raises(Throttled):
        call(basic("alice", "wrong"))


def test_a_device_is_known_by_its_secret(storage: Any, call: Any, inner: Inner) -> None:
    device, secret = enrolling.add_device(storage[0], "alice", "phone", now_us=NOW)
    for authorization in (f"Bearer {secret}", f"bearer {secret}", basic("alice", secret)):
        call(authorization)
        assert inner.environ[PRINCIPAL].device == device
        assert inner.environ["REMOTE_USER"] == "alice/phone"


def test_guessing_is_slowed_down_by_address(call: Any) -> None:
    for number in range(10):
        with pytest.raises(Unauthenticated):
            call(basic(f"user{number}", "guess"))
    with pytest.raises(Throttled):
        call(basic("alice", "pässword"))
    assert call(basic("alice", "pässword"), address="198.51.100.1") == b"inside"


def test_anonymous_requests_are_no_guesses(call: Any) -> None:
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            call()
    assert call(basic("alice", "pässword")) == b"inside"


def test_the_challenges_on_the_wire(storage: Any, inner: Inner) -> None:
    answers: list[tuple[str, list[tuple[str, str]]]] = []
    application = Boundary(Authentication(inner, Authenticator(*storage, Passwords())), realm="davstore")
    environ = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/dav/", "wsgi.input": io.BytesIO()}
    b"".join(application(environ, lambda status, headers, exc_info=None: answers.append((status, headers))))
    [(status, headers)] = answers
    assert status == "401 Unauthorized"
    assert [value for name, value in headers if name == "WWW-Authenticate"] == [
        'Basic realm="davstore", charset="UTF-8"',
        'Bearer realm="davstore"',
    ]
