"""The Accept header: RFC 9110 §12.5.1, DECISIONS 7."""

from __future__ import annotations

import pytest

from davstore.protocol.accept import wants_html


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
    ],
)
def test_html_is_asked_for_by_its_name(value: str | None, wanted: bool) -> None:
    assert wants_html(value) is wanted
