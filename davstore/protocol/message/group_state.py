"""Group states, `application/group-state-object+xml`: the members of a group chat at one time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from davstore.protocol.http.timestamps import parse_timestamp
from davstore.protocol.message.words import one_line
from davstore.protocol.message.xml_objects import read_xml, root_name

_GROUP_STATE: Final = "groupstate"


def is_group_state(content: bytes) -> bool:
    """Tell from its first bytes whether a body is a group state, in whatever namespace."""
    return (root_name(content) or "").rpartition("}")[2] == _GROUP_STATE


def read_group_state(content: bytes) -> Mapping[str, str | int]:
    """Return the facts of a group state by the names of `MessageFacts`: its time, and its participants as `to`.

    One that says no time is older than any that does, whenever it is stored.
    """
    root = read_xml(content)
    facts: dict[str, str | int] = {"state_us": 0}
    if root is None or not is_group_state(content):
        return facts
    if (date_us := parse_timestamp(root.get("timestamp", ""))) is not None:
        facts["date_us"] = facts["state_us"] = date_us
    people = [(one.get("name", ""), one.get("comm-addr", "")) for one in root.iterfind("{*}participant")]
    if participants := one_line(
        ", ".join(f"{name} <{address}>" if name else address for name, address in people if address)
    ):
        facts["to"] = participants
    return facts
