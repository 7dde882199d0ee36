"""The access log and the two health paths, as WSGI wrappers around a small application."""

import logging
from wsgiref.util import setup_testing_defaults

import pytest

from davstore.errors import MethodNotAllowed, Unavailable
from davstore.middleware.access_log import REQUEST_ID, AccessLog
from davstore.middleware.health import Health


def ask(application, **environ):
    """Return the status, the headers and the body of an answer."""
    setup_testing_defaults(environ)
    said = []
    parts = application(environ, lambda status, headers, exc_info=None: said.extend([status, dict(headers)]))
    body = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    return *said, body


def hello(environ, start_response):
    environ["REMOTE_USER"] = "me/phone"
    start_response("200 OK", [("X-Seen", environ[REQUEST_ID])])
    yield b"hel"
    yield b"lo"


def logged(caplog: pytest.LogCaptureFixture, **environ) -> str:
    caplog.set_level(logging.INFO, "davstore.access")
    ticks = iter([5.0, 5.0123])
    status, headers, body = ask(AccessLog(hello, clock=lambda: next(ticks)), **environ)
    assert (status, body) == ("200 OK", b"hello")
    assert headers["X-Seen"] == headers["X-Request-Id"]
    (line,) = caplog.messages
    return line


def test_a_request_is_one_line(caplog):
    line = logged(
        caplog, HTTP_X_REQUEST_ID="tea-1", REQUEST_METHOD="PUT", REQUEST_URI="/dav/a%20b?x", REMOTE_ADDR="::1"
    )
    assert line == "tea-1 PUT /dav/a%20b?x 200 5 12.3 me/phone ::1"


@pytest.mark.parametrize("given", ["", "a b", "a\nb", "x" * 65, "é"])
def test_an_id_that_could_forge_a_line_is_replaced(caplog, given):
    line = logged(caplog, HTTP_X_REQUEST_ID=given)
    assert len(line.split()[0]) == 16
    assert not given or given not in line


def test_a_target_cannot_forge_a_field_or_a_line(caplog):
    line = logged(caplog, HTTP_X_REQUEST_ID="i", REQUEST_METHOD="GET", REQUEST_URI="/a 200\n\x1b[31m\xe9")
    assert line == r"i GET /a\x20200\n\x1b[31m\xe9 200 5 12.3 me/phone -"


@pytest.mark.parametrize("userinfo", ["me:secret@", "me:sec@ret@", "secret@"])
def test_a_secret_in_an_absolute_target_is_not_logged(caplog, userinfo):
    line = logged(caplog, HTTP_X_REQUEST_ID="i", REQUEST_METHOD="GET", REQUEST_URI=f"http://{userinfo}dav.example/a@b")
    assert line == "i GET http://dav.example/a@b 200 5 12.3 me/phone -"
    caplog.clear()
    line = logged(caplog, HTTP_X_REQUEST_ID="i", REQUEST_METHOD="GET", REQUEST_URI="/a://b@c")
    assert line == "i GET /a://b@c 200 5 12.3 me/phone -"


def test_the_application_is_closed_and_the_request_logged_when_the_client_goes_away(caplog):
    caplog.set_level(logging.INFO, "davstore.access")
    closed = []

    def endless(environ, start_response):
        start_response("200 OK", [])
        try:
            while True:
                yield b"x"
        finally:
            closed.append(True)

    environ = {}
    setup_testing_defaults(environ)
    answer = AccessLog(endless)(environ, lambda *_: None)
    assert next(iter(answer)) == b"x"
    answer.close()
    assert closed == [True]
    assert " 200 1 " in caplog.messages[0]


def unavailable():
    raise Unavailable("no database")


def test_healthz_answers_though_the_store_cannot():
    application = Health(hello, unavailable)
    assert ask(application, PATH_INFO="/healthz")[::2] == ("200 OK", b"ok\n")
    assert ask(application, PATH_INFO="/healthz", REQUEST_METHOD="HEAD")[::2] == ("200 OK", b"")


def test_readyz_asks_the_store():
    assert ask(Health(hello, lambda: None), PATH_INFO="/readyz")[::2] == ("200 OK", b"ok\n")
    with pytest.raises(Unavailable):
        ask(Health(hello, unavailable), PATH_INFO="/readyz")


def test_health_is_for_reading():
    with pytest.raises(MethodNotAllowed) as caught:
        ask(Health(hello, unavailable), PATH_INFO="/healthz", REQUEST_METHOD="PUT")
    assert caught.value.allowed == ("GET", "HEAD")


def test_other_paths_pass():
    application = AccessLog(Health(hello, unavailable))
    assert ask(application, PATH_INFO="/healthz/x")[2] == b"hello"
