"""Session infos, `application/x-cpm-session`: who was invited to a chat."""

from __future__ import annotations

from collections.abc import Mapping

from davstore.protocol.message.tags import invited_participants


def read_session(content: bytes) -> Mapping[str, str | int]:
    """Return the facts of the body of a session info by the names of `MessageFacts`: the invited ones as `to`."""
    invited = invited_participants(content)
    return {"to": invited} if invited else {}
