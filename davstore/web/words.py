"""Words for people: name, kind and size of a resource, and the order in which people look for names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, NamedTuple

from davstore.model.nodes import Resource, ResourceType
from davstore.model.pages import Sort

_BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction of text, and so can make `exe.jpg` of a name that ends in `gpj.exe`."""
_DIGITS: Final = re.compile(r"([0-9]+)")
_UNITS: Final = ("kB", "MB", "GB", "TB", "PB")


class ContentKind(NamedTuple):
    """A kind of content: the word for it, and the icon in the template."""

    word: str
    icon: str


FOLDER: Final = ContentKind("Folder", "folder")
FILE: Final = ContentKind("File", "file")
_TYPES: Final = {
    "application/pdf": ContentKind("PDF", "text"),
    "application/gzip": ContentKind("Archive", "file"),
    "application/zip": ContentKind("Archive", "file"),
    "application/x-tar": ContentKind("Archive", "file"),
    "text/calendar": ContentKind("Calendar", "text"),
    "text/html": ContentKind("Web page", "text"),
    "text/vcard": ContentKind("Contact", "text"),
    "text/x-vcard": ContentKind("Contact", "text"),
}
_FAMILIES: Final = {
    "audio": ContentKind("Sound", "sound"),
    "image": ContentKind("Picture", "picture"),
    "message": ContentKind("Message", "message"),
    "text": ContentKind("Text", "text"),
    "video": ContentKind("Video", "video"),
}

_MESSAGES: Final = {
    ResourceType.MESSAGE: ContentKind("Message", "message"),
    ResourceType.FILE_TRANSFER: ContentKind("File transfer", "message"),
    ResourceType.SESSION_INFO: ContentKind("Session", "text"),
    ResourceType.GROUP_STATE: ContentKind("Group", "text"),
    ResourceType.IMDN: ContentKind("Notification", "text"),
}


def media_type(resource: Resource) -> str:
    """Return type and subtype of the content in lower case, without parameters."""
    return (resource.content_type or "").partition(";")[0].strip().lower()


def kind_of(resource: Resource) -> ContentKind:
    """Return the kind of content of a resource."""
    if resource.is_collection:
        return FOLDER
    if resource.type in _MESSAGES:
        return _MESSAGES[ResourceType(resource.type)]
    return kind_of_type(media_type(resource))


def kind_of_type(name: str) -> ContentKind:
    """Return the kind of content of a media type in lower case."""
    return _TYPES.get(name) or _FAMILIES.get(name.partition("/")[0]) or FILE


def render_name(name: str) -> str:
    """Return a name as it may be shown: characters that turn the direction of text are made visible."""
    return _BIDI.sub("\ufffd", name)


def render_size(length_bytes: int) -> str:
    """Return a number of bytes in the unit that leaves one to three digits before the point."""
    if length_bytes < 1000:
        return f"{length_bytes} B"
    size = float(length_bytes)
    for unit in _UNITS:
        size /= 1000
        if size < 999.5 or unit == _UNITS[-1]:
            break
    return f"{size:.1f} {unit}" if size < 9.95 else f"{size:.0f} {unit}"


def arrange(members: list[Resource], sort: Sort, *, descending: bool, times: Mapping[int, int]) -> list[Resource]:
    """Return the members of a page as people expect them: collections first, `2` before `10`, `É` beside `e`.

    times are in the place of the time of modification, by node, in microseconds.
    """
    found = sorted(members, key=lambda one: _natural(one.name), reverse=descending and sort is Sort.NAME)
    if sort is Sort.SIZE:
        found.sort(key=lambda one: one.length or 0, reverse=descending)
    elif sort is Sort.TIME:
        found.sort(key=lambda one: times.get(one.node_id, one.modified_us), reverse=descending)
    found.sort(key=lambda one: not one.is_collection)
    return found


def _natural(name: str) -> tuple[list[str | int], str]:
    letters = unicodedata.normalize("NFKD", name.casefold())
    words = _DIGITS.split("".join(one for one in letters if not unicodedata.combining(one)))
    return [int(word) if i % 2 else word for i, word in enumerate(words)], name
