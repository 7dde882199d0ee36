"""The profile of a device or its user on the server: what they want of synchronisation, and what the rules allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from davstore.client import questions
from davstore.client.exit_status import REFUSED, USAGE, Changed, Stop
from davstore.client.refusals import describe
from davstore.client.remote import XML_TYPE, Failed, RemoteCollection
from davstore.client.transport import Response
from davstore.errors import DavstoreError, Malformed
from davstore.model.limits import BLOCK_BYTES
from davstore.model.rules import DEVICE, PREFERENCES, Rule
from davstore.protocol.dav import hrefs, names, preferences, xml
from davstore.protocol.dav.durations import parse_duration
from davstore.protocol.dav.elements import href
from davstore.protocol.dav.names import CPM, clark

_HREF: Final = "{DAV:}href"
_LABELS: Final = {
    "allowed": "allowed",
    "allowed-modes": "modes",
    "automatic": "automatic",
    "min-interval": "every",
    "bearer-not": "not over",
    "window": "window",
    "include": "include",
    "exclude": "exclude",
    "kind": "kind",
    "max-body-size": "max body size",
    "max-age": "max age",
    "where": "only where",
    "list-only": "list only",
    "withhold-states": "withheld states",
}
"""The words of elements, in the answer and for a person."""
NOTHING: Final = Rule(PREFERENCES, DEVICE)


class Profiled(RemoteCollection):
    """A collection or a principal on a server that has profiles."""

    def find(self, *properties: str) -> dict[str, Any]:
        """Return the elements of properties that are there, by name."""
        root = self._ask("PROPFIND", questions.propfind(properties))
        return {str(one.tag): one for status, _, found in _propstats(root) if status == 200 for one in found}

    def find_preference(self) -> Rule:
        """Return the preference, with the paths of hrefs for names; NOTHING where there is none."""
        element = self.find(names.SYNC_PREFERENCES).get(names.SYNC_PREFERENCES)
        if element is None:
            return NOTHING
        try:
            return preferences.parse(xml.standalone(element), DEVICE, _segments_of) or NOTHING
        except DavstoreError as error:
            raise Stop(USAGE, f"the profile on the server is not one that this davstore knows: {error}") from error

    def set_preference(self, wanted: Rule) -> None:
        """Replace the preference. Raises Stop: the server does not take it, with the reason."""
        value = None if wanted == NOTHING else preferences.render(wanted, _href_of)
        root = self._ask("PROPPATCH", questions.set_property(names.SYNC_PREFERENCES, value))
        for status, conditions, _ in _propstats(root):
            if status >= 300:
                raise _refusal(status, conditions)

    def open(self, path: str, **words: Any) -> Profiled:
        """Return what is at an absolute path of this server."""
        return type(self)(self._origin + path, **words)

    def names_of(self, path: str) -> tuple[str, ...]:
        """Return the segments of a folder by its path in the collection, or of a thread by its URL.

        Raises Stop: it is neither.
        """
        if "://" in path:
            found = _segments_of(path.removeprefix(self._origin))
            if not path.startswith(f"{self._origin}/") or found is None:
                raise Stop(USAGE, f"{path} is no URL of {self._origin}")
            return found
        inner = [name for name in path.split("/") if name not in ("", ".")]
        if ".." in inner:
            raise Stop(USAGE, f"{path} is no path in the collection")
        return (*self.root, *inner)

    def shown(self, segments: tuple[str, ...]) -> str:
        """Return the path of a folder in the collection, '.' for itself; the whole path of one elsewhere."""
        if segments[: len(self.root)] != self.root:
            return "/" + "/".join(segments)
        return "/".join(segments[len(self.root) :]) or "."

    def _ask(self, method: str, body: bytes) -> Any:
        """Send a request about the collection itself and return the root of its multistatus."""

        def read(response: Response) -> Any:
            content = b""
            for chunk in response.stream(BLOCK_BYTES):
                content += chunk
                if len(content) > xml.MAX_BODY_BYTES:
                    raise Malformed("a profile of more than 1 MiB")
            root = xml.parse(content) if response.status == 207 else None
            if root is None:
                raise Stop(USAGE, f"{self.url} speaks no WebDAV: it answers {method} with {response.status}")
            return root

        try:
            return self._send(method, "", {"Depth": "0", **XML_TYPE}, body, folder=True, read=read)
        except (Changed, Failed) as error:
            raise Stop(USAGE, f"{self.url}: there is nothing of that name, or it has no profile") from error


def open_principal(collection: Profiled, device: str | None, **words: Any) -> Profiled:
    """Return the principal whose profile is meant: of the device that signs in, else of its user, or of a device of it.

    device is the name of a device of the user. words are those of `Profiled` beside the URL.

    Raises:
        Stop: the server has no principals with profiles; a device asks for another one.
    """
    element = collection.find(names.CURRENT_USER_PRINCIPAL).get(names.CURRENT_USER_PRINCIPAL)
    found = None if element is None else _segments_of(element.findtext(_HREF, ""))
    if not found:
        raise Stop(USAGE, f"{collection.url}: the server has no profiles")
    is_user = found[-2:-1] == ("users",)
    if device is not None and is_user:
        found = (*found[:-2], "devices", found[-1], device)
    elif device is not None and device != found[-1]:
        raise Stop(USAGE, "a device sees its own profile alone: sign in with the password of its user")
    principal = collection.open(hrefs.render_href(found, slash=True), **words)
    if not principal.find(names.EFFECTIVE_SYNC_POLICY):
        raise Stop(USAGE, f"{collection.url}: the server has no profiles")
    return principal


def describe_profile(element: Any, shown: Callable[[tuple[str, ...]], str]) -> Iterator[str]:
    """Yield a line for each element of a preference or of what the rules allow; shown returns the path of segments."""
    for child in element:
        local = names.split(str(child.tag))[1]
        if local not in _LABELS:
            continue
        voice, rule = child.get("decided-by"), child.get("rule")
        by = "" if voice is None else f" ({voice})" if voice != "provider" else f" (provider: {rule})"
        yield f"{_LABELS[local]}: {_value_of(local, child, shown)}{by}"


def _value_of(local: str, element: Any, shown: Callable[[tuple[str, ...]], str]) -> str:
    text = (element.text or "").strip()
    match local:
        case "min-interval" | "max-age":
            seconds = parse_duration(text)
            return text if seconds is None else as_span(seconds)
        case "window":
            return f"{text} {element.get('zone', 'UTC')}"
        case "where":
            return "a condition holds"
        case "include" | "exclude":
            paths = [shown(_segments_of(one.text or "") or ()) for one in element.iterchildren(_HREF)]
            patterns = [one.text or "" for one in element.iterchildren(clark(CPM, "pattern"))]
            level = " (without folders in it)" if element.findtext(clark(CPM, "level"), "").strip() == "1" else ""
            return ", ".join(paths + patterns) + level
        case "allowed-modes" | "withhold-states" if len(element):
            return ", ".join(one.text or names.split(str(one.tag))[1] for one in element)
    return {"T": "yes", "F": "no", "": "none"}.get(text, text)


def as_span(seconds: int) -> str:
    """Return seconds as `1d 2h 3m 4s`."""
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    parts = []
    for unit, size in units:
        count, seconds = divmod(seconds, size)
        parts += [f"{count}{unit}"] if count else []
    return " ".join(parts) or "0s"


def _segments_of(path: str) -> tuple[str, ...] | None:
    try:
        return hrefs.parse_target(path.strip()).segments
    except DavstoreError:
        return None


def _href_of(segments: tuple[str, ...]) -> bytes:
    return href(hrefs.render_href(segments, slash=True))


def _propstats(root: Any) -> Iterator[tuple[int, list[Any], list[Any]]]:
    """Yield status, conditions and properties of each propstat of an answer."""
    for one in root.iter("{DAV:}propstat"):
        words = one.findtext("{DAV:}status", "").split()
        status = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0
        yield status, list(one.iterfind("{DAV:}error/*")), list(one.iterfind(f"{names.PROP}/*"))


def _refusal(status: int, conditions: list[Any]) -> Stop:
    """Return the reason for which a preference is not taken."""
    for condition in conditions:
        local = [names.split(str(child.tag))[1] for child in condition]
        words = next((_LABELS[name] for name in local if name in _LABELS), "the profile")
        if condition.tag == names.SYNC_CEILINGS_RESPECTED:
            rule = condition.findtext(clark(CPM, "rule"), "")
            return Stop(REFUSED, f"the provider allows less: {words} goes beyond the rule {rule}")
        if condition.tag == names.VALID_SYNC_PREFERENCES:
            return Stop(USAGE, f"the server does not take the profile: {words} is wrong, or contradicts the rest")
        if condition.tag == names.CANNOT_MODIFY_PROTECTED_PROPERTY:
            return Stop(REFUSED, "the profile of a user is changed with the user's password, not by a device")
    return Stop(
        REFUSED, f"the profile is not changed: {describe(status, frozenset(str(one.tag) for one in conditions))}"
    )
