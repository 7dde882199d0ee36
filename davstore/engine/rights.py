"""What an asker may do in a store: the only place where the asker and the owner of a store meet.

The owner may do everything; for anybody else nothing is there.
"""

from __future__ import annotations

from davstore.errors import NotFound
from davstore.model.principals import Principal


def grants_all(asker: Principal, owner: str) -> bool:
    """Tell whether the asker may do everything in the store of an owner."""
    return asker.user.name == owner


def require(asker: Principal, owner: str) -> None:
    """Raise NotFound unless the asker may know of the store of an owner."""
    if not grants_all(asker, owner):
        raise NotFound(owner)
