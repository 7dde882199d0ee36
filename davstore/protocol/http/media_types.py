"""The media type for the extension of a name (RFC 9110 §8.3.1): the same on every machine, whatever is installed."""

from __future__ import annotations

import mimetypes
from typing import Final

UNKNOWN_TYPE: Final = "application/octet-stream"
"""The type of bytes without a known type (RFC 2046 §4.5.1)."""
_CODED: Final = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_TYPES: Final = mimetypes.MimeTypes()
"""Python's own table, not the machine's, with a few types added."""
for _type, _endings in {
    "message/rfc822": (".eml",),
    "message/cpim": (".cpim",),
    "text/markdown": (".md", ".markdown"),
    "text/calendar": (".ics",),
    "text/vcard": (".vcf",),
    "image/heic": (".heic",),
    "image/heif": (".heif",),
    "image/webp": (".webp",),
    "image/avif": (".avif",),
    "audio/mp4": (".m4a",),
    "audio/ogg": (".ogg", ".oga"),
}.items():
    for _ending in _endings:
        _TYPES.add_type(_type, _ending)


_EXTENSIONS: Final = {
    "application/xml": ".xml",
    "application/json": ".json",
    "application/octet-stream": "",
    "audio/mpeg": ".mp3",
    "image/jpeg": ".jpg",
    "message/imdn+xml": ".xml",
    "message/rfc822": ".eml",
    "text/plain": ".txt",
    "video/quicktime": ".mov",
}
"""The extensions of types where the table has several, or none."""


def extension_of(media_type: str | None) -> str:
    """Return the extension of a media type, parameters or not, with its dot; '' when none is known."""
    kind = (media_type or "").partition(";")[0].strip().lower()
    if kind in _EXTENSIONS:
        return _EXTENSIONS[kind]
    suffix = next((end for end in ("xml", "json", "zip") if kind.endswith(f"+{end}")), None)
    return _TYPES.guess_extension(kind, strict=False) or (f".{suffix}" if suffix else "")


def guess_media_type(name: str) -> str:
    """Return the media type for the extension of a name, `application/octet-stream` when there is none."""
    kind, coding = _TYPES.guess_type(f"./{name}", strict=False)  # a name may begin like a URL
    return _CODED.get(coding, UNKNOWN_TYPE) if coding else kind or UNKNOWN_TYPE
