"""The methods of a part of a message: it is read and copied like a resource, and changed by none."""

from __future__ import annotations

from contextlib import closing
from typing import NoReturn

from davstore.dav.content import content
from davstore.dav.handlers.made import made
from davstore.dav.handlers.namespace import modified_us_of
from davstore.dav.handlers.options import options
from davstore.dav.kinds import Kind
from davstore.dav.rendering import Plan
from davstore.dav.request import Request
from davstore.dav.responses import Response, multistatus
from davstore.errors import MethodNotAllowed, PartIsImmutable
from davstore.model.paths import PartPath
from davstore.protocol.dav import names, propfind
from davstore.protocol.dav.hrefs import for_xml
from davstore.protocol.dav.multistatus import Multistatus
from davstore.protocol.dav.propfind import PropFind, PropFindKind
from davstore.protocol.http.headers import parse_overwrite
from davstore.protocol.http.prefer import Prefer
from davstore.store import copying_parts, reading


def handle_options(request: Request, place: PartPath) -> Response:
    """Return the methods of a part."""
    request.refuse_body()
    reading.find_part(request.context, place, request.if_alone)
    return options(request, request.offer.kinds[Kind.PART].methods, is_collection=False)


def handle_get(request: Request, place: PartPath) -> Response:
    """Send the decoded bytes of a part."""
    request.refuse_body()
    conditions = request.conditions
    found = reading.open_part(request.context, place, conditions)
    return content(request, found.resource, found.body, conditions)


def handle_propfind(request: Request, place: PartPath) -> Response:
    """Return properties of a part, which has no members: every Depth is 0."""
    request.depth()
    question = propfind.parse(request.read_xml())
    prefer = Prefer(minimal=request.prefer.minimal)

    def write(answer: Multistatus) -> None:
        found = reading.open_part(request.context, place, request.if_alone)
        resource = found.resource
        with closing(found.body):
            if _asks_for_length(question):
                resource = resource._replace(length=found.body.length)
        plan = Plan(question, request.property_context(found.facts), minimal=prefer.minimal)
        answer.add(plan.of(Kind.PART)(resource, for_xml(request.part_href(place))))

    return multistatus(write, prefer.applied())


def _asks_for_length(question: PropFind) -> bool:
    """Tell whether a question asks for the length of a part, which takes decoding it."""
    return question.kind is not PropFindKind.PROP or names.GETCONTENTLENGTH in question.names


def handle_copy(request: Request, place: PartPath) -> Response:
    """Make a resource of a part, as a PUT of its bytes would. The Depth of what has no members means nothing."""
    request.refuse_body()
    request.depth()
    destination, modified_us = request.destination, modified_us_of(request)
    created = copying_parts.copy_part(
        request.context,
        place,
        destination,
        request.conditions,
        overwrite=parse_overwrite(request.header("OVERWRITE")),
        modified_us=modified_us,
    )
    return made(request, destination, created=created, headers=[], timed=modified_us is not None)


def refuse_change(request: Request, place: PartPath) -> NoReturn:
    """Refuse PUT, DELETE and MOVE. Raises PartIsImmutable; NotFound, PreconditionFailed: as every method."""
    reading.find_part(request.context, place, request.conditions)
    raise PartIsImmutable(place.number)


def refuse_method(request: Request, place: PartPath) -> NoReturn:
    """Refuse a method that no part has. Raises MethodNotAllowed; NotFound, PreconditionFailed: as every method."""
    reading.find_part(request.context, place, request.if_alone)
    raise MethodNotAllowed
