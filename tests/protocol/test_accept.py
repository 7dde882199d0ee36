"""The Accept header: RFC 9110 §12.5.1."""

from __future__ import annotations

import pytest

from davstore.protocol.http.accept import wants_html, wants_page, wants_text


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", True),  # browsers
        ("text/html", True),
        ("TEXT/HTML;q=0.5", True),
        ("image/png, text/html ; level=1", True),
        ("text/html;q=0.001", True),
        (None, False),
        ("", False),
        ("*/*", False),  # what HTTP libraries say
        ("text/*", False),
        ("text/plain", False),
        ("text/html;q=0, */*", False),
        ("text/html; q=0.000", False),
        ("text/htmlx", False),
        ("x=text/html", False),
        (",;,;q=,", False),
        ("text/html, text/plain", True),
        ("text/html;q=0.8, text/plain;q=0.9", False),
        ("text/html;q=0.9, text/plain;q=0.8", True),
        ("text/html;q=x", True),
    ],
)
def test_html_is_asked_for_by_its_name(value: str | None, wanted: bool) -> None:
    assert wants_html(value) is wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("text/plain", True),
        ("TEXT/PLAIN; charset=utf-8", True),
        ("text/plain;q=0.1", True),
        ("application/json, text/plain, */*", True),  # the name counts more than what holds all (RFC 9110 §12.5.1)
        ("text/plain, text/html;q=0.9", True),
        ("text/plain;q=0.9, */*;q=0.1", True),
        ("text/plain;q=0.5, */*", False),
        ("text/plain;q=0.5, text/*;q=0.2, */*", True),
        ("text/html, text/plain", False),
        ("text/html,*/*", False),
        ("text/plain;q=0", False),
        ("text/*", False),
        ("*/*", False),
        ("", False),
        (None, False),
        ("text/plainer", False),
    ],
)
def test_text_is_asked_for_by_its_name(value: str | None, wanted: bool) -> None:
    assert wants_text(value) is wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", True),  # browsers
        ("text/html, text/plain;q=0.5, application/xhtml+xml, */*;q=0.01", True),  # Lynx
        ("text/html", True),
        ("text/html, text/plain;q=0.9", True),
        ("text/html, message/rfc822;q=0.9", True),
        ("message/rfc822, text/html", False),
        ("text/html;q=0.5, application/xhtml+xml, message/*;q=0.8", False),
        ("message/cpim;q=0, text/html;q=0.5", True),
        ("text/html, text/*;q=0.9, image/jpeg;q=0.9, image/png;q=0.9, image/*;q=0.9, */*;q=0.8", False),  # KIO 5.103
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", False),  # Java's HttpURLConnection
        ("application/xhtml+xml, */*", False),
        ("text/plain, text/html;q=0.5, application/xhtml+xml", False),
        ("*/*", False),
        (None, False),
    ],
)
def test_a_page_is_no_file(value: str | None, wanted: bool) -> None:
    assert wants_page(value) is wanted
