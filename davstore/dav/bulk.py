"""Render many resources at once, by column, where their rows alone answer the question, as they do most.

No function is called for each resource, but for those that write dates: constants and columns are laid between each
other by slices, and joined. A text is UTF-8 with one character for each byte (`message_texts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import compress
from typing import Final

from davstore.dav.kinds import Kind
from davstore.dav.message_texts import from_messages, is_of_messages
from davstore.dav.properties import LIVE_OF, find_live
from davstore.dav.properties.live import Column
from davstore.dav.rendering import Hrefs, Plan, facets_of, write_stored
from davstore.model.changes import Changes
from davstore.model.columns import FOUND, MISSING, Columns, Wanted
from davstore.model.nodes import COLLECTION_DIGITS
from davstore.protocol.dav.hrefs import encode_segments_for_xml
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import PropFind, PropFindKind

_HOLE: Final = "\x00"
"""Stands in a template for a value that differs between responses; no XML holds it."""
_TYPE: Final = "type"
"""The fact that comes with every page."""
_LONG_QUESTION: Final = 2_048
"""Characters of property names. A page is one string: with longer names in each response it would be a large one."""

Texts = Mapping[str, Sequence[str]]


@lru_cache(maxsize=256)
def columns_of(question: PropFind) -> Wanted | None:
    """Return the columns that answer a question; None: columns do not."""
    if question.kind is not PropFindKind.PROP or sum(map(len, question.names)) > _LONG_QUESTION:
        return None
    found = [find_live(kind, name) for kind in (Kind.RESOURCE, Kind.COLLECTION, Kind.THREAD) for name in question.names]
    live = [row for row in found if row is not None]
    if any(row.each is not None and row.facet is None for row in live):
        return None
    facts = {row.column.fact for row in live if row.column is not None and not is_of_messages(row.column)} - {_TYPE}
    covered = {row.facet for row in live if row.column is not None}
    needed = {row.facet for row in live if row.column is None}
    facets = frozenset(facets_of(question) - (covered - needed))
    of_messages = from_messages(question.names)
    if of_messages is None:
        return Wanted(tuple(sorted(facts)), facets)
    key, messages = of_messages
    return Wanted(tuple(sorted({*facts, key})), facets, messages)


class Bulk:
    """Renders pages of resources that have nothing but their rows; plan is made without facets."""

    def __init__(self, plan: Plan, hrefs: Hrefs) -> None:
        self._plan = plan
        self._hrefs = hrefs
        self._templates: dict[str, Template] = {}

    def render(self, page: Columns) -> bytes:
        """Return the responses of a page, in its order."""
        above, names = self._hrefs_of(page)
        types = set(page.types)
        if len(types) == 1:
            return self._template(types.pop()).fill(above, names, page.facts).encode("latin-1")
        rows = {type_: self._rows(type_, above, names, page) for type_ in types}
        return "".join([next(rows[type_]) for type_ in page.types]).encode("latin-1")

    def _template(self, type_: str) -> Template:
        known = self._templates.get(type_)
        if known is None:
            known = self._templates[type_] = Template(self._plan, type_)
        return known

    def _hrefs_of(self, page: Columns) -> tuple[str, list[str]]:
        """Return the common beginning of the hrefs of a page, and the rest of each, without slashes at their ends."""
        names = encode_segments_for_xml(page.names)
        above = {node_id: self._hrefs.above(place) for node_id, place in page.places.items()}
        if len(above) == 1:
            return above.popitem()[1], names
        return "", [f"{above[parent]}{name}" for parent, name in zip(page.parents, names, strict=True)]

    def _rows(self, type_: str, above: str, names: list[str], page: Columns) -> Iterator[str]:
        """Yield the responses of the resources of one type among others."""
        chosen = [one == type_ for one in page.types]
        facts = {fact: list(compress(texts, chosen)) for fact, texts in page.facts.items()}
        return self._template(type_).rows(above, list(compress(names, chosen)), facts)


class Template:
    """The response of a resource of one type: constants, and the values between them."""

    def __init__(self, plan: Plan, type_: str) -> None:
        kind = plan.kind_of(is_collection=type_ in COLLECTION_DIGITS)
        compiled = plan.compile(kind)
        columns = {name: LIVE_OF[kind][name].column for name in compiled.each}
        has_messages = any(map(is_of_messages, columns.values()))
        self._columns = {name: one for name, one in columns.items() if one is not None and not is_of_messages(one)}
        self._fixed = {name: one.text(type_) for name, one in self._columns.items() if one.fact == _TYPE}
        self._varying = [column for name, column in self._columns.items() if name not in self._fixed]
        self._of_messages = [FOUND, *([] if plan.minimal else [MISSING])] if has_messages else []
        self._same = b"".join(compiled.same.values())
        self._missing = compiled.missing
        self._slash = "/" if type_ in COLLECTION_DIGITS else ""
        self._whole = plan.whole
        holes = len(self._varying) + len(self._of_messages)
        self._first, *self._between, self._last = self._response([_HOLE] * holes).split(_HOLE)

    def _template_of(self, there: tuple[bool, ...]) -> str:
        """Return the response of resources that have some of the values, with `%s` for the href and each of these."""
        texts = [_HOLE if has else "" for has in there]
        return "%s".join([piece.replace("%", "%%") for piece in self._response(texts).split(_HOLE)])

    def _response(self, texts: Sequence[str]) -> str:
        """Return the response of one resource; an empty text is a value that it does not have."""
        given = iter(texts)
        columns = [
            (name, one, self._fixed[name] if name in self._fixed else next(given))
            for name, one in self._columns.items()
        ]
        values = "".join([f"{column.start}{text}{column.end}" for _, column, text in columns if text])
        found, missing = next(given, ""), next(given, "")
        lacking = self._missing([name for name, _, text in columns if not text])
        href = f"{_HOLE}{self._slash}".encode()
        response = self._whole(href, self._same + f"{values}{found}".encode(), lacking + missing.encode())
        return response.decode("latin-1")

    def rows(self, above: str, names: list[str], facts: Texts) -> Iterator[str]:
        """Yield the response of each of some resources beneath a path."""
        return self._rows(above, names, self._texts(facts))

    def _texts(self, facts: Texts) -> list[Sequence[str]]:
        """Return the values of each column as they are written; '' where a resource does not have the property."""
        return [*[_written(one, facts[one.fact]) for one in self._varying], *[facts[one] for one in self._of_messages]]

    def _rows(self, above: str, names: list[str], texts: list[Sequence[str]]) -> Iterator[str]:
        """Yield the responses in their order; those that have the same properties are rendered together."""
        there = list(zip(*[map(bool, values) for values in texts], strict=True)) or [()] * len(names)
        hrefs = [f"{above}{name}" for name in names]
        rendered: dict[tuple[bool, ...], Iterator[str]] = {}
        for has in {*there}:
            chosen = [one == has for one in there]
            columns = [hrefs, *compress(texts, has)]
            rows = zip(*[compress(column, chosen) for column in columns], strict=True)
            rendered[has] = map(self._template_of(has).__mod__, rows)
        for has in there:
            yield next(rendered[has])

    def fill(self, above: str, names: list[str], facts: Texts) -> str:
        """Return the responses of some resources beneath a path, in one string."""
        texts = self._texts(facts)
        if any("" in values for values in texts):
            return "".join(self._rows(above, names, texts))
        width = 2 * len(self._between) + 2
        pieces = [""] * (width * len(names) + 1)
        pieces[:-1:width] = [f"{self._last}{self._first}{above}"] * len(names)
        pieces[1::width] = names
        for at, (constant, values) in enumerate(zip(self._between, texts, strict=True), start=1):
            pieces[2 * at :: width] = [constant] * len(names)
            pieces[2 * at + 1 :: width] = values
        pieces[0] = f"{self._first}{above}"
        pieces[-1] = self._last
        return "".join(pieces)


def _written(column: Column, texts: Sequence[str]) -> Sequence[str]:
    if column.text is str:
        return texts
    return [column.text(text) if text else "" for text in texts] if "" in texts else list(map(column.text, texts))


def write_changes(answer: Multistatus, plan: Plan, hrefs: Hrefs, changes: Changes) -> None:
    """Write the rows of a report, in their order."""
    if changes.columns is None:
        write_stored(answer, plan, hrefs, changes.rows)
        return
    bulk = Bulk(plan, hrefs)
    for run in changes.columns:
        if isinstance(run, Columns):
            answer.add(bulk.render(run))
        else:
            write_stored(answer, plan, hrefs, run)
