"""The media type for the extension of a name (RFC 9110 §8.3.1)."""

from __future__ import annotations

import pytest

from davstore.protocol.http.media_types import guess_media_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.eml", "message/rfc822"),
        ("a.cpim", "message/cpim"),
        ("photo.JPG", "image/jpeg"),
        ("photo.heic", "image/heic"),
        ("photo.webp", "image/webp"),
        ("notes.md", "text/markdown"),
        ("archive.tar.gz", "application/gzip"),
        ("README", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("data:text/html,x", "application/octet-stream"),
        ("http://x/a.png", "image/png"),
        ("", "application/octet-stream"),
        (".png", "application/octet-stream"),
    ],
)
def test_the_type_that_a_name_tells(name: str, expected: str) -> None:
    assert guess_media_type(name) == expected
