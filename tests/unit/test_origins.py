"""Origins as browsers write them: RFC 6454 §6.2."""

from __future__ import annotations

import pytest

from davstore.model.origins import Origins

EXTENSIONS = [
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "moz-extension://8f5c5a52-5a3f-4b7e-9d1a-000000000000",
    "safari-web-extension://8F5C5A52-5A3F-4B7E-9D1A-000000000000",
    "ms-browser-extension://abc",
]


def test_what_is_named_is_permitted() -> None:
    origins = Origins.parse("https://app.example, http://localhost:3000 ,https://[::1]:8443")
    assert origins.named == {"https://app.example", "http://localhost:3000", "https://[::1]:8443"}
    assert all(map(origins.permits, origins.named))
    for other in ("https://app.example:444", "http://app.example", "https://app.example.evil", "null", "*", ""):
        assert not origins.permits(other)


def test_nothing_is_named_by_default() -> None:
    assert Origins.parse(" ") == Origins.parse("") == Origins()


@pytest.mark.parametrize("origin", EXTENSIONS)
def test_extensions_need_no_name(origin: str) -> None:
    assert Origins().permits(origin)
    assert origin in Origins.parse(origin).named


@pytest.mark.parametrize(
    "origin",
    [
        "chrome-extension:", "chrome-extension://", "chrome-extension://a/b", "chrome-extension://a, https://evil.example",
        "https://chrome-extension://a", "extension://a", "http-extension//a", "https://evil.example/x-extension://a",
        "chrome-extension://a\r\nX: y", "chrome-extension://a b",
    ],
)  # fmt: skip
def test_what_looks_like_an_extension(origin: str) -> None:
    assert not Origins().permits(origin)


@pytest.mark.parametrize(
    "text",
    [
        "*", "null", "app.example", "https://", "https://app.example/", "https://app.example/x", "HTTPS://app.example",
        "https://App.example", "https://app.example:443", "http://app.example:80", "https://*.example", "ftp://a",
        "https://a,", ",", "https://a b", "https://a:0", "https://a:x", "https://u@a", "https://a https://b",
    ],
)  # fmt: skip
def test_what_no_browser_writes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="as browsers write them"):
        Origins.parse(text)
