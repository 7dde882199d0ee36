"""The state token of a resource's `C:modseq`, for the `If` header (RFC 4918 §10.4): `urn:davstore:modseq:N`.

It stands for all states of the resource up to the change with that number, so it holds as long as nothing has changed
since a client read N.
"""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(r"urn:davstore:modseq:(0|[1-9][0-9]{0,18})")
_MAX_NUMBER: Final = 2**63 - 1


def find_number(token: str) -> int | None:
    """Return the number of a token; None for any other text, and for a number that no resource can have."""
    match = _TOKEN.fullmatch(token)
    number = None if match is None else int(match[1])
    return None if number is None or number > _MAX_NUMBER else number
