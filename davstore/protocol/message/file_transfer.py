"""File transfers: `application/x-cpm-file-transfer` with SDP (RFC 5547), and `application/vnd.gsma.rcs-ft-http+xml`."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import Final

from davstore.protocol.message.tags import invited_participants, text_within
from davstore.protocol.message.words import one_line
from davstore.protocol.message.xml_objects import read_xml, root_name

_ROOT: Final = "{urn:gsma:params:xml:ns:rcs:rcs:fthttp}file"

_SELECTOR: Final = re.compile(r"a=file-selector:([^\r\n]*)")
_SELECTED: Final = re.compile(r"(?:^|(?<=\s))(name|type|size|hash):(\"[^\"]*\"|\S+)")
_SIZE: Final = re.compile(r"\d{1,18}", re.ASCII)


def is_file_transfer(content: bytes) -> bool:
    """Tell from its first bytes whether a body is a file transfer over HTTP."""
    return root_name(content) == _ROOT


def read_file_transfer(content: bytes) -> Mapping[str, str | int]:
    """Return the facts of either body by the names of `MessageFacts`: those of its first file, and who it goes to."""
    return _over_http(content) if (root_name(content) or "").rpartition("}")[2] == "file" else _with_sdp(content)


def _over_http(content: bytes) -> Mapping[str, str | int]:
    root = read_xml(content)
    info = root.find("{*}file-info[@type='file']") if root is not None else None  # early clients write no namespace
    if info is None:
        return {}
    name, size, media_type = (info.findtext(f"{{*}}{one}") or "" for one in ("file-name", "file-size", "content-type"))
    return _facts(name, size, media_type)


def _with_sdp(content: bytes) -> Mapping[str, str | int]:
    selector = _SELECTOR.search(text_within(content, b"sdp") or "")
    said: dict[str, str] = {}
    for key, value in _SELECTED.findall(selector[1]) if selector else ():
        said.setdefault(key, value.strip('"'))
    name = urllib.parse.unquote(said.get("name", ""))  # RFC 5547 §6: what a quoted name cannot hold
    facts = dict(_facts(name, said.get("size", ""), said.get("type", "")))
    if invited := invited_participants(content):
        facts["to"] = invited
    return facts


def _facts(name: str, size: str, media_type: str) -> Mapping[str, str | int]:
    facts: dict[str, str | int] = {}
    if filename := one_line(name):
        facts["filename"] = filename
    if _SIZE.fullmatch(size.strip()):
        facts["size"] = int(size)
    if mime_type := one_line(media_type.partition(";")[0].lower()):
        facts["mime_type"] = mime_type
    return facts
