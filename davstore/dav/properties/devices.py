"""The live properties of devices, on their principals and listed on that of their user."""

from __future__ import annotations

from typing import Final

from davstore.dav.kinds import Kind
from davstore.dav.properties.core import iso_date
from davstore.dav.properties.live import DEVICE, Live, PropertyContext
from davstore.engine.rights import devices_of, may_enrol
from davstore.metadata.principals import DeviceFacts
from davstore.model.decisions import ACCEPTED, LastDecision
from davstore.model.principals import Device
from davstore.protocol import urls
from davstore.protocol.dav import names
from davstore.protocol.dav.elements import element, empty, text_element
from davstore.protocol.dav.names import CPM, clark
from davstore.protocol.urls import Fixed


def _find(context: PropertyContext, place: Fixed) -> Device | None:
    return next((device for device in devices_of(context.principal) if device.name == place.segments[-1]), None)


def _class(context: PropertyContext, place: Fixed) -> bytes | None:
    device = _find(context, place)
    return None if device is None else text_element(names.CLASS, device.device_class.value)


def _state(context: PropertyContext, place: Fixed) -> bytes | None:
    device = _find(context, place)
    return None if device is None else text_element(names.STATE, device.state)


def _devices(context: PropertyContext, place: Fixed) -> bytes | None:
    if not may_enrol(context.principal):  # what its user has besides is not a device's business
        return None
    return element(names.DEVICES, *(_listed(context, place.segments[-1], facts) for facts in context.list_devices()))


def _listed(context: PropertyContext, user: str, facts: DeviceFacts) -> bytes:
    device = facts.device
    told = [
        context.href(urls.device_segments(user, device.name)),
        text_element(names.CLASS, device.device_class.value),
        text_element(names.STATE, device.state),
    ]
    if facts.seen_us is not None:
        told.append(text_element(clark(CPM, "last-sync"), iso_date(facts.seen_us)))
    if facts.decision is not None and facts.decided_us is not None:
        told.append(_result(facts.decision, facts.decided_us))
    if facts.token is not None:
        told.append(text_element(clark(CPM, "last-token"), facts.token))
    return element(clark(CPM, "device"), *told)


def _result(decision: LastDecision, decided_us: int) -> bytes:
    """Return the last decision: its time, and the condition that did not hold as a refusal has it."""
    at = text_element(clark(CPM, "at"), iso_date(decided_us))
    if decision == ACCEPTED:
        return element(clark(CPM, "last-result"), at, empty(clark(CPM, "accepted")))
    by = (text_element(clark(CPM, "decided-by"), decision.voice), text_element(clark(CPM, "rule"), decision.rule))
    return element(clark(CPM, "last-result"), at, element(clark(CPM, decision.condition), *by))


DEVICES: Final = (
    Live(names.DEVICES, frozenset({Kind.PRINCIPAL}), each=_devices),
    Live(names.CLASS, DEVICE, each=_class),
    Live(names.STATE, DEVICE, each=_state),
)
