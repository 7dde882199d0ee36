"""The live property that OwnCloud added and rclone asks for: the checksums of a body."""

from __future__ import annotations

from typing import Final

from davstore.dav.properties.live import RESOURCE, Live, PropertyContext, Settable
from davstore.engine.property_changes import LiveValues
from davstore.model.facets import CHECKSUMS
from davstore.model.nodes import Resource
from davstore.protocol.dav import owncloud


def _checksums(context: PropertyContext, resource: Resource) -> bytes | None:
    found = context.facets.of(CHECKSUMS).get(resource.node_id)
    return None if found is None else owncloud.render_checksums(found)


def _claim(text: str) -> LiveValues | None:
    """Return the checksums that a client claims for the body: accepted if they match."""
    sums = owncloud.parse_checksums(text)
    return LiveValues(claimed={owncloud.CHECKSUMS: sums}) if sums else None


OWNCLOUD: Final = (Live(owncloud.CHECKSUMS, RESOURCE, each=_checksums, facet=CHECKSUMS, set=Settable(_claim)),)
