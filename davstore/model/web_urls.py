"""The URL of a document on another server, as an operator sets it or a redirect names it (RFC 3986)."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

MAX_URL_CHARACTERS: Final = 2_048
_PORTS: Final = {"https": "443", "http": "80"}
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}", re.ASCII)


class WebUrl(NamedTuple):
    """An absolute URL whose answer nobody on the way can alter: https, or http on this machine.

    host has no brackets; target is path and query; user and password are decoded, None: it has no userinfo.
    """

    scheme: str
    host: str
    port: int
    target: str
    user: str | None = None
    password: str = ""

    @classmethod
    def parse(cls, text: str) -> WebUrl:
        """Return the URL of a text. Raises ValueError, whose text does not repeat it: it may hold a password."""
        if len(text) > MAX_URL_CHARACTERS:
            raise ValueError(f"must have at most {MAX_URL_CHARACTERS} characters")
        if re.search(r"[^!-~]|[\\#]", text):  # parsers disagree about the host behind a backslash
            raise ValueError("must be a URL of printable ASCII characters without spaces, '#' and backslashes")
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise ValueError("must be a URL such as https://policy.example/rules.toml") from error
        if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or port == 0:
            raise ValueError("must be a URL such as https://policy.example/rules.toml")
        if parts.scheme == "http" and not _is_loopback(host):
            raise ValueError("must begin with https://, but on this machine: others could read and alter the answer")
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        user = None if parts.username is None else unquote(parts.username)
        return cls(parts.scheme, host, port or int(_PORTS[parts.scheme]), target, user, unquote(parts.password or ""))

    def join(self, reference: str) -> WebUrl:
        """Return the URL that a redirect from here leads to. Raises ValueError."""
        return WebUrl.parse(urljoin(f"{self.origin}{self.target}", reference.partition("#")[0]))

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """Host and port as the field Host has them: without the port of the scheme."""
        return self.origin.partition("//")[2].removesuffix(f":{_PORTS[self.scheme]}")

    @property
    def shown(self) -> str:
        """The URL without what may be secret: userinfo and query."""
        return f"{self.scheme}://{self.authority}{self.target.partition('?')[0]}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host names this machine."""
        return _is_loopback(self.host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
