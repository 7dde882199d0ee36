"""What an error answer says: its conditions (RFC 4918 §16) and, when a sync policy refuses, which rule of whom."""

from __future__ import annotations

from typing import Final, NamedTuple

import requests
from lxml import etree

from davstore.client.stops import REFUSED, Stop
from davstore.errors import DavstoreError
from davstore.protocol import names, xml

MAX_BYTES: Final = 64 * 1024
_CPM: Final = f"{{{names.CPM}}}"
_OTHER: Final = frozenset({"quota", "out-of-view", "locks-within-limits", "tree-within-limits"})
"""Elements of our namespace that stand in errors and are no refusals by a policy."""


class Refusal(NamedTuple):
    """The condition that must hold, in the policy's own words. modes are those that would be let through."""

    condition: str
    rule: str
    decided_by: str
    modes: tuple[str, ...]


def find_refusal(response: requests.Response) -> tuple[frozenset[str], Refusal | None]:
    """Return the conditions that an error answer names, and the policy's refusal if it is one."""
    root = _parse(response)
    if root is None or root.tag != "{DAV:}error":
        return frozenset(), None
    conditions = frozenset(str(child.tag) for child in root)
    for child in root:
        condition = names.split(str(child.tag))
        if condition[0] == names.CPM and condition[1] not in _OTHER and response.status_code in (403, 409, 429, 503):
            modes = tuple(mode.text or "" for mode in child.iter(f"{_CPM}mode"))
            rule, voice = child.findtext(f"{_CPM}rule", ""), child.findtext(f"{_CPM}decided-by", "")
            return conditions, Refusal(condition[1], rule.strip(), voice.strip(), modes)
    return conditions, None


def explain(refusal: Refusal, response: requests.Response) -> Stop:
    """Return the end of the run that a refusal is, in words."""
    message = f"the sync policy refuses ({refusal.condition})"
    if refusal.rule:
        message += f": rule {refusal.rule}"
    if refusal.decided_by:
        message += f", decided by the {refusal.decided_by}"
    if refusal.modes:
        message += f"; allowed: {', '.join(refusal.modes)}"
    wait = response.headers.get("Retry-After", "")
    if not (response.status_code in (429, 503) and wait.isascii() and wait.isdigit()):
        return Stop(REFUSED, message)
    return Stop(REFUSED, f"{message}; again in {wait} s", retry_after_seconds=float(wait))


def _parse(response: requests.Response) -> etree._Element | None:
    body = b""
    try:
        for chunk in response.iter_content(MAX_BYTES):
            body += chunk
            if len(body) > MAX_BYTES:
                return None
        return xml.parse(body)
    except (requests.RequestException, DavstoreError):
        return None
