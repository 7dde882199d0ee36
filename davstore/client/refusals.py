"""An error response as a sentence: its conditions (RFC 4918 §16), or the rule of a sync policy."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from lxml import etree

from davstore.client.exit_status import REFUSED, Stop
from davstore.client.transport import HTTPError, Response
from davstore.errors import DavstoreError
from davstore.model.limits import BLOCK_BYTES
from davstore.protocol.dav import names, xml

MAX_BYTES: Final = 64 * 1024
_CPM: Final = f"{{{names.CPM}}}"
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
    names.THREAD_MEMBERSHIP_IS_COMPUTED: "threads are made by the server",
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
_BY_HAND: Final = "this device may not synchronise by itself now"
_POLICY: Final = {
    "sync-allowed": "this device may not synchronise now",
    "sync-scope-allowed": "this device may not synchronise this folder",
    "automatic-sync-enabled": _BY_HAND,
    "sync-interval-respected": "it is too early to ask again",
    "sync-window-open": "this device may not synchronise at this time",
    "device-enrolled": "this account synchronises with the secret of a device only, which davstore device add gives",
    "device-enrolled suspended": "this device is suspended",
}
"""What the refusals by a policy mean, by their conditions."""
_VOICES: Final = {"provider": "the provider", "user": "you", "device": "this device"}
"""The voices of a policy as a person knows them."""
PROFILE: Final = "davstore sync profile"
"""The command that changes what the user and the device say themselves."""


class Refusal(NamedTuple):
    """The condition that must hold, in the policy's own words, with the device's state where the answer tells it.

    modes are the modes that the policy admits.
    """

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
        voice = child.findtext(f"{_CPM}decided-by", "").strip()
        if condition[0] == names.CPM and (voice or condition[1] in _POLICY) and response.status in (403, 409, 429, 503):
            modes = tuple(mode.text or "" for mode in child.iter(f"{_CPM}mode"))
            state = child.findtext(f"{_CPM}state", "").strip()
            condition_of = f"{condition[1]} {state}".rstrip()
            return conditions, Refusal(condition_of, child.findtext(f"{_CPM}rule", "").strip(), voice, modes)
    return conditions, None


def describe(status: int, conditions: frozenset[str]) -> str:
    """Say why a request failed: by the first condition that has words, else by its status."""
    told = [_CONDITIONS[name] for name in sorted(conditions) if name in _CONDITIONS]
    named = [f"the server refuses it: {_as_words(name)}" for name in sorted(conditions)]
    other = "the server failed" if status >= 500 else "the server refuses it"
    return f"{(*told, *named, _STATUSES.get(status, other))[0]} ({status})"


def explain(refusal: Refusal, response: Response, now: datetime) -> Stop:
    """Return the error that ends the run: a sentence with what was refused, by whom, and what would help."""
    by_hand = refusal.condition == "automatic-sync-enabled" or (
        refusal.condition == "sync-allowed" and "manual" in refusal.modes
    )
    what = _BY_HAND if by_hand else _POLICY.get(refusal.condition) or _as_words(refusal.condition)
    wait = response.headers.get("Retry-After", "")
    seconds = float(wait) if response.status in (429, 503) and wait.isascii() and wait.isdigit() else None
    help_ = [f"the next run may ask {tell_time(now, seconds)}"] if seconds is not None else []
    help_ += ["with --manual it may"] if by_hand else []
    is_own = refusal.decided_by in ("user", "device")
    help_ += [f"{PROFILE} changes that"] if is_own else []
    return Stop(
        REFUSED,
        "; ".join([f"the sync policy refuses: {what}{_tell_voice(refusal)}", *help_]),
        retry_after_seconds=seconds,
        is_own=is_own,
    )


def _tell_voice(refusal: Refusal) -> str:
    told = [f"decided by {_VOICES[refusal.decided_by]}"] if refusal.decided_by in _VOICES else []
    told += [f"rule {refusal.rule}"] if refusal.rule else []
    return f" ({', '.join(told)})" if told else ""


def tell_time(now: datetime, seconds: float) -> str:
    """Return the time in so many seconds as words, with its day if that is another one; minutes are rounded up."""
    at = now + timedelta(seconds=seconds + 59)
    return f"at {at:%H:%M}" if at.date() == now.date() else f"on {at:%Y-%m-%d at %H:%M}"


def retry_after(response: Response) -> float:
    """Return for how many seconds the server asks to stay away; a date or nothing counts as five."""
    value = response.headers.get("Retry-After", "")
    return max(0.1, float(value)) if value.isascii() and value.isdigit() else 5.0


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
