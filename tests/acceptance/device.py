"""A device's own store of messages, kept in step with a server by RFC 6578 alone; it shares no code with davstore.

It mirrors two collections: the store, with bodies and states, and the threads, which say which messages are one chat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import requests
from lxml import etree

D, C = "{DAV:}", "{urn:davstore:cpm}"
PATIENCE_SECONDS = 60
PAGE = 500
_ITEM = "<D:resource-id/><D:getetag/><D:getcontenttype/><C:kind/><C:date/><C:seen/><C:conversation-id/><C:filename/>"
_PROPS = {"store": _ITEM, "threads": "<D:resource-id/><C:conversation-id/><C:unread-count/><C:message-count/>"}
_SEEN = "<D:prop><C:seen>T</C:seen></D:prop>"


class Item(NamedTuple):
    """A file of the store: its id, kind and date, whether it is read, and its bytes."""

    identity: str
    etag: str
    kind: str
    date: str
    is_seen: bool
    filename: str | None
    body: bytes


class Chat(NamedTuple):
    """A conversation as the device shows it."""

    identity: str
    conversation: str | None
    unread: int
    messages: int


class Done(NamedTuple):
    """What a synchronisation changed on the device, by paths and chats, and the requests that it took."""

    fetched: set[str]
    updated: set[str]
    removed: set[str]
    requests: int


class Device:
    """A phone or tablet of a user, with its own credentials."""

    def __init__(self, origin: str, user: str, secret: str) -> None:
        self._session = requests.Session()
        self._session.auth = (user, secret)
        self._origin = origin
        self._roots = {area: f"/dav/{area}/{user}/" for area in ("store", "threads")}
        self._tokens = dict.fromkeys(self._roots, "")
        self._members: dict[str, str] = {}
        self._waiting: list[tuple[str, str, bytes, dict[str, str]]] = []
        self._requests = 0
        self.items: dict[str, Item] = {}
        self.chats: dict[str, Chat] = {}

    def ask(self, method: str, href: str, body: bytes | str = b"", **headers: str) -> requests.Response:
        """Send a request, which must succeed."""
        self._requests += 1
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._session.request(method, self._origin + href, data=body, headers=named, timeout=PATIENCE_SECONDS)
        assert answer.ok, f"{method} {href}: {answer.status_code} {answer.text}"
        return answer

    def href(self, path: str) -> str:
        """Return the href of a path in the store."""
        return self._roots["store"] + quote(path)

    def send(self, path: str, body: bytes) -> None:
        """Store something with the next synchronisation."""
        self._waiting.append(("PUT", path, body, {"If_None_Match": "*"}))

    def delete(self, path: str) -> None:
        """Delete something here, and on the server with the next synchronisation."""
        item = self.items.pop(path)
        self._waiting.append(("DELETE", path, b"", {"If_Match": item.etag}))

    def read(self, path: str) -> None:
        """Mark something as read here, and on the server with the next synchronisation."""
        self.items[path] = self.items[path]._replace(is_seen=True)
        body = f'<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:davstore:cpm"><D:set>{_SEEN}</D:set></D:propertyupdate>'
        self._waiting.append(("PROPPATCH", path, body.encode(), {}))

    def sync(self) -> Done:
        """Send what waits, then follow the server."""
        self._requests = 0
        while self._waiting:
            method, path, body, headers = self._waiting[0]
            self.ask(method, self.href(path), body, **headers)
            del self._waiting[0]
        done = Done(set(), set(), set(), 0)
        for href, props in self._follow("store"):
            self._take_item(done, unquote(href.removeprefix(self._roots["store"])), props)
        for href, props in self._follow("threads"):
            self._take_thread(href, props)
        return done._replace(requests=self._requests)

    def messages(self, chat: str) -> dict[str, Item]:
        """Return the messages of a chat by path."""
        ids = {one for href, one in self._members.items() if href.startswith(chat)}
        return {path: item for path, item in self.items.items() if item.identity in ids}

    def chat_of(self, conversation: str) -> str:
        """Return the href of the chat of a conversation."""
        [found] = [href for href, chat in self.chats.items() if chat.conversation == conversation]
        return found

    def _follow(self, area: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield what has changed beneath a root, None for what is gone."""
        while True:
            body = (
                '<D:sync-collection xmlns:D="DAV:" xmlns:C="urn:davstore:cpm">'
                f"<D:sync-token>{self._tokens[area]}</D:sync-token><D:sync-level>infinite</D:sync-level>"
                f"<D:limit><D:nresults>{PAGE}</D:nresults></D:limit><D:prop>{_PROPS[area]}</D:prop></D:sync-collection>"
            )
            root = etree.fromstring(self.ask("REPORT", self._roots[area], body).content)
            is_last = True
            for response in root.iter(f"{D}response"):
                href, status = str(response.findtext(f"{D}href")), response.findtext(f"{D}status")
                if href == self._roots[area]:
                    assert status is not None
                    assert " 507 " in status
                    is_last = False
                else:
                    yield href, None if status else _props(response)
            self._tokens[area] = str(root.findtext(f"{D}sync-token"))
            if is_last:
                return

    def _take_item(self, done: Done, path: str, props: dict[str, Any] | None) -> None:
        if props is None:
            for gone in [one for one in self.items if one == path or one.startswith(f"{path.rstrip('/')}/")]:
                del self.items[gone]
            done.removed.add(path)
        elif not path.endswith("/"):
            known, etag = self.items.get(path), props[f"{D}getetag"].text
            is_new = known is None or known.etag != etag
            body = known.body if known and not is_new else self.ask("GET", self.href(path)).content
            item = Item(
                props[f"{D}resource-id"].findtext(f"{D}href"),
                etag,
                props[f"{C}kind"].text,
                props[f"{C}date"].text if f"{C}date" in props else "",
                f"{C}seen" in props,
                props[f"{C}filename"].text if f"{C}filename" in props else None,
                body,
            )
            if item != known:
                (done.fetched if is_new else done.updated).add(path)
            self.items[path] = item

    def _take_thread(self, href: str, props: dict[str, Any] | None) -> None:
        if props is None:
            self.chats.pop(href, None)
            self._members = {one: value for one, value in self._members.items() if not one.startswith(href)}
        elif href.endswith("/"):
            conversation = props.get(f"{C}conversation-id")
            self.chats[href] = Chat(
                props[f"{D}resource-id"].findtext(f"{D}href"),
                None if conversation is None else conversation.text,
                int(props[f"{C}unread-count"].text),
                int(props[f"{C}message-count"].text),
            )
        else:
            self._members[href] = props[f"{D}resource-id"].findtext(f"{D}href")


def _props(response: etree._Element) -> dict[str, Any]:
    """Return the properties of a response that are there."""
    found = [one for one in response.iter(f"{D}propstat") if " 200 " in (one.findtext(f"{D}status") or "")]
    return {str(element.tag): element for one in found for element in next(one.iter(f"{D}prop"))}
