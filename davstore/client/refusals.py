"""An error response as a sentence: its conditions (RFC 4918 §16), or the rule of a sync policy."""

from __future__ import annotations

from typing import Final, NamedTuple

from lxml import etree

from davstore.client.exit_status import REFUSED, Stop
from davstore.client.transport import HTTPError, Response
from davstore.errors import DavstoreError
from davstore.model.limits import BLOCK_BYTES
from davstore.protocol.dav import names, xml

MAX_BYTES: Final = 64 * 1024
_CPM: Final = f"{{{names.CPM}}}"
_OTHER: Final = frozenset({"quota", "out-of-trees", "locks-within-limits", "tree-within-limits"})
"""Elements of our namespace that stand in errors and are no refusals by a policy."""
_CONDITIONS: Final = {
    "{DAV:}lock-token-submitted": "it is locked",
    "{DAV:}no-conflicting-lock": "it is locked",
    "{DAV:}quota-not-exceeded": "the quota is used up",
    "{DAV:}sufficient-disk-space": "the server's disk is full",
    "{DAV:}need-privileges": "this user may not do that",
    "{DAV:}valid-sync-token": "the server no longer has the history since the last run",
    "{DAV:}supported-report": "the server does not offer synchronisation there",
    "{DAV:}number-of-matches-within-limits": "it is too much for one answer",
    f"{_CPM}locks-within-limits": "there are too many locks",
    f"{_CPM}tree-within-limits": "there is too much in it for one request",
}
_STATUSES: Final = {
    400: "the server does not understand the request",
    403: "the server does not permit it",
    404: "there is nothing of that name on the server",
    405: "the server does not do that here",
    413: "it is too large for the server",
    414: "its name is too long for the server",
    415: "the server does not take files of this type",
    423: "it is locked",
    500: "the server failed",
    501: "the server cannot do that",
    502: "the server behind the proxy failed",
    504: "the server behind the proxy did not answer in time",
    507: "the server has no room for it",
}
_POLICY: Final = {
    "sync-allowed": "this device may not synchronise now",
    "sync-scope-allowed": "this folder may not be synchronised",
    "automatic-sync-enabled": "the user allows manual synchronisation only",
    "sync-interval-respected": "it is too early to ask again",
    "sync-window-open": "it is not allowed at this time",
}


class Refusal(NamedTuple):
    """The condition that must hold, in the policy's own words. modes are the modes that the policy admits."""

    condition: str
    rule: str
    decided_by: str
    modes: tuple[str, ...]


def find_refusal(response: Response) -> tuple[frozenset[str], Refusal | None]:
    """Return the conditions that an error answer names, and the policy's refusal if it is one."""
    root = _parse(response)
    if root is None or root.tag != "{DAV:}error":
        return frozenset(), None
    conditions = frozenset(str(child.tag) for child in root)
    for child in root:
        condition = names.split(str(child.tag))
        if condition[0] == names.CPM and condition[1] not in _OTHER and response.status in (403, 409, 429, 503):
            modes = tuple(mode.text or "" for mode in child.iter(f"{_CPM}mode"))
            rule, voice = child.findtext(f"{_CPM}rule", ""), child.findtext(f"{_CPM}decided-by", "")
            return conditions, Refusal(condition[1], rule.strip(), voice.strip(), modes)
    return conditions, None


def describe(status: int, conditions: frozenset[str]) -> str:
    """Say why a request failed: by the first condition that has words, else by its status."""
    told = [_CONDITIONS[name] for name in sorted(conditions) if name in _CONDITIONS]
    named = [f"the server refuses it: {_as_words(name)}" for name in sorted(conditions)]
    other = "the server failed" if status >= 500 else "the server refuses it"
    return f"{(*told, *named, _STATUSES.get(status, other))[0]} ({status})"


def explain(refusal: Refusal, response: Response) -> Stop:
    """Return the error that ends the run, with the refusal in words."""
    message = f"the sync policy refuses: {_POLICY.get(refusal.condition) or _as_words(refusal.condition)}"
    by = [f"rule {refusal.rule}"] if refusal.rule else []
    by += [f"decided by the {refusal.decided_by}"] if refusal.decided_by else []
    message += f" ({', '.join(by)})" if by else ""
    if refusal.modes:
        message += f"; allowed: {', '.join(refusal.modes)}"
    wait = response.headers.get("Retry-After", "")
    if not (response.status in (429, 503) and wait.isascii() and wait.isdigit()):
        return Stop(REFUSED, message)
    return Stop(REFUSED, f"{message}; try again in {wait} s", retry_after_seconds=float(wait))


def _as_words(condition: str) -> str:
    return names.split(condition)[1].replace("-", " ")


def _parse(response: Response) -> etree._Element | None:
    body = b""
    try:
        for chunk in response.stream(BLOCK_BYTES):
            body += chunk
            if len(body) > MAX_BYTES:
                return None
        return xml.parse(body)
    except (HTTPError, DavstoreError):
        return None
