"""A request as the handlers see it: read from the WSGI environ once, trusted from then on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from davstore.dav import places
from davstore.dav.places import ALLOWED, Fixed
from davstore.engine.context import Context, Services
from davstore.errors import MethodNotAllowed, UnsupportedMediaType
from davstore.middleware.auth import PRINCIPAL
from davstore.middleware.boundary import TARGET
from davstore.middleware.forwarded import PREFIX
from davstore.middleware.xml_body import content_length
from davstore.model.paths import Path
from davstore.model.principals import Principal
from davstore.protocol.dav.hrefs import ROOT, Spelling, Target

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Request:
    """One request: where it goes, for whom, and its headers and body."""

    environ: WSGIEnvironment
    context: Context
    target: Target
    place: Path | Fixed
    drops_litter: bool

    @staticmethod
    def of(environ: WSGIEnvironment, services: Services) -> Request:
        """Read the environ. Raises NotFound: the target names nothing for this principal."""
        target: Target = environ[TARGET]
        place = places.locate(target, environ[PRINCIPAL])
        return Request(environ, services.context(environ[PRINCIPAL]), target, place, services.drops_litter)

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return self.context.asker

    @property
    def path(self) -> Path:
        """The place in the store. Raises MethodNotAllowed for a fixed collection, which nobody changes."""
        if isinstance(self.place, Fixed):
            raise MethodNotAllowed(ALLOWED[self.place.kind])
        return self.place

    @property
    def prefix(self) -> tuple[str, ...]:
        """The segments that the client's URLs have before ours, behind a proxy."""
        prefix: Target = self.environ.get(PREFIX, ROOT)
        return prefix.segments

    @property
    def spelling(self) -> Spelling:
        """How hrefs of the answer are spelled."""
        return Spelling(self.target, self.environ.get(PREFIX, ROOT))

    @property
    def root(self) -> tuple[str, ...]:
        """The segments of the principal's store."""
        return places.store_root(self.principal)

    @property
    def with_slash(self) -> str:
        """The URL that a collection has, whichever way it was asked for (RFC 4918 §5.2)."""
        return self.spelling.href(self.target.segments, slash=True)

    def located(self, *, is_collection: bool | int) -> list[tuple[str, str]]:
        """Return the headers that tell who asked for a collection without its slash where it is (RFC 4918 §5.2)."""
        return [("Content-Location", self.with_slash)] if is_collection and not self.target.slash else []

    @property
    def destination(self) -> Path:
        """Where COPY and MOVE go to. Raises Malformed, ForeignDestination."""
        value = self.header("DESTINATION")
        return places.locate_destination(value, self.principal, host=self.host, prefix=self.prefix)

    @property
    def host(self) -> str | None:
        """The Host header."""
        return self.header("HOST")

    def header(self, name: str) -> str | None:
        """Return a header, its name as the environ has it: `IF_MATCH`; None when it was not sent."""
        value: str | None = self.environ.get(f"HTTP_{name}")
        return value

    def refuse_body(self) -> None:
        """Raise UnsupportedMediaType when there is a body, for which there is no definition (RFC 4918 §8.4)."""
        length = content_length(self.environ)
        if length or (length is None and self.environ["wsgi.input"].read(1)):
            raise UnsupportedMediaType("a body that the method does not define")
