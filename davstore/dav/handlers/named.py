"""The places that the hrefs in a body name, each once, with the href under which an answer tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from davstore.dav.request import Request
from davstore.engine.bulk import Choice, Target
from davstore.errors import ForeignDestination, NotBeneath, NotFound
from davstore.middleware.places import find_place
from davstore.model.paths import PartPath, Path
from davstore.protocol.dav.elements import escape
from davstore.protocol.dav.hrefs import Target as Place
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.http.queries import names_sub_resource
from davstore.protocol.urls import Fixed


class Named:
    """The targets of hrefs."""

    def __init__(self, request: Request, hrefs: Iterable[str]) -> None:
        """Take the texts of hrefs. Raises Malformed: one is no URL."""
        self._request = request
        found: dict[Any, tuple[bytes | Place, Target]] = {}
        for href in hrefs:
            key, spelled, target = self._find(href)
            found.setdefault(key, (spelled, target))
        self._hrefs = [href for href, _ in found.values()]
        self.targets: list[Target] = [target for _, target in found.values()]

    def each(self, path: Path, choices: Sequence[Choice], start: int = 0) -> Iterator[tuple[bytes, Target, Choice]]:
        """Yield choices with href and target, of the targets from one on; path is that of the collection."""
        hrefs, stop = self._request.hrefs(path), start + len(choices)
        for href, target, one in zip(self._hrefs[start:stop], self.targets[start:stop], choices, strict=True):
            if one.found is not None and not isinstance(target, PartPath):
                yield hrefs.of(one.found.resource), target, one
            else:
                yield href if isinstance(href, bytes) else self._spell(href), target, one

    def _find(self, href: str) -> tuple[Any, bytes | Place, Target]:
        """Return the key of the place that an href names, its href in the answer, and the place or why it is none."""
        request = self._request
        try:
            named = request.parse_href(href)
        except ForeignDestination:
            return href, escape(href), NotBeneath("on another server")
        place = find_place(named, request.principal)
        if isinstance(place, Path | PartPath) and _path_of(place).store != request.store:
            spelled = self._spell(named)
            return spelled, spelled, NotFound("in another store")
        if isinstance(place, Path):
            return place, named, place
        if isinstance(place, PartPath):
            return place, for_xml(request.part_href(place)), place
        spelled = escape(href) if names_sub_resource(named.query) else self._spell(named)
        is_elsewhere = isinstance(place, Fixed)
        return spelled, spelled, NotBeneath("in no store") if is_elsewhere else NotFound("nothing that may be known")

    def _spell(self, named: Place) -> bytes:
        return for_xml(self._request.spelling.href(named.segments, slash=named.slash))


def _path_of(place: Path | PartPath) -> Path:
    return place.path if isinstance(place, PartPath) else place
