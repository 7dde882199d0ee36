"""ACL (RFC 3744 §8.1)."""

from __future__ import annotations

from http import HTTPStatus

from davstore.dav.request import Request
from davstore.dav.responses import Response
from davstore.errors import ForeignDestination, Malformed
from davstore.errors.rights import AllowedPrincipal, RecognizedPrincipal
from davstore.model.acl import Word
from davstore.model.principals import NamedPrincipal
from davstore.protocol import urls
from davstore.protocol.dav import acl
from davstore.protocol.dav.hrefs import parse_destination
from davstore.store import controlling


def handle_acl(request: Request) -> Response:
    """Replace the access control entries of a resource."""
    path, asked = request.path, acl.parse(request.read_xml())
    found = controlling.set_acl(
        request.context, path, [(_find_who(request, one.who), one) for one in asked], request.conditions
    )
    return Response(HTTPStatus.OK, request.located(is_collection=found.is_collection))


def _find_who(request: Request, who: str | Word) -> NamedPrincipal | Word:
    """Return the principal of an entry. Raises RecognizedPrincipal: an href of none; AllowedPrincipal: of a device."""
    if isinstance(who, Word):
        return who
    try:
        target = parse_destination(who, host=request.header("HOST"), prefix=request.prefix)
    except (ForeignDestination, Malformed) as error:
        raise RecognizedPrincipal from error
    named = None if target.query else urls.find_principal(target.segments)
    if named is None:
        raise RecognizedPrincipal
    if not isinstance(named, NamedPrincipal):
        raise AllowedPrincipal
    return named
