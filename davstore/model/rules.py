"""The rules of synchronisation, of three voices: the provider's, and the preferences of a user and of a device.

A preference is one rule without selectors. A key that a rule says nothing about is None. How several rules meet is told
in `policy.terms`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from davstore.model.nodes import ResourceType
from davstore.model.paths import Area, Path
from davstore.model.principals import DeviceClass
from davstore.model.states import Flag
from davstore.model.where import Where
from davstore.model.windows import Window

PROVIDER: Final = "provider"
"""The voice of policy.toml."""
USER: Final = "user"
"""The voice of the preferences of a user."""
DEVICE: Final = "device"
"""The voice of the preferences of a device."""
VOICES: Final = (PROVIDER, USER, DEVICE)
"""All voices; where several refuse, the first of them is named."""
PREFERENCES: Final = "sync-preferences"
"""The name of the one rule of a user or device."""
KEYWORDS: Final = "keywords"
STATES: Final = frozenset({KEYWORDS, *((flag.name or "").lower().replace("_", "-") for flag in Flag)})
"""The states that may be withheld: the flags by the names of their properties, and all keywords together."""

MAX_INTERVAL_SECONDS: Final = 366 * 86_400
"""A longer interval is a mistake."""
MAX_PATTERN_NAMES: Final = 100
"""Most names of one path of `exclude` and `include`: each is compared with every name of a request's path."""
MAX_BODY_BYTES: Final = 2**53
MAX_AGE_SECONDS: Final = 36_600 * 86_400

KINDS: Final = frozenset({*(type_.word for type_ in ResourceType if type_ is not ResourceType.COLLECTION)})
"""The kinds that a rule may name, as `C:kind` has them."""


class Mode(enum.Enum):
    """The cause of a synchronisation: the device by itself, or its user (`Sync-Context`)."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


BOTH: Final = frozenset(Mode)

Pattern = tuple[str, ...]
"""Names below the root of an area of the user's store, behind `THREADS` where that is the area of threads: a name, a
glob of one (`*`, `?`, `[ab]`), or `**` for any number of names."""

THREADS: Final = "/threads"
"""The first name of patterns and places in the area of threads. No name that a client gives has a slash."""
THREADS_TEXT: Final = "/dav/threads/{user}"
"""The beginning of such a pattern as text, where `{user}` stands for the user of the device, whoever that is."""

_GLOB: Final = re.compile(r"[*?[]")
_ESCAPED: Final = re.compile(r"\[([*?[])\]")


def pattern_of(names: Sequence[str]) -> Pattern:
    """Return the pattern that stands for these names alone."""
    return tuple([_GLOB.sub(r"[\g<0>]", name) for name in names])


def names_of(pattern: Pattern) -> tuple[str, ...] | None:
    """Return the names that a pattern of `pattern_of` stands for; None for any other with a glob in it."""
    if any(_GLOB.search(_ESCAPED.sub("", name)) for name in pattern):
        return None
    return tuple([_ESCAPED.sub(r"\1", name) for name in pattern])


def names_at(path: Path) -> tuple[str, ...]:
    """Return the names by which patterns find a place in a store."""
    return path.names if path.area == Area.STORE else (THREADS, *path.names)


def path_to(user: str, names: Sequence[str]) -> Path:
    """Return the place in the store of a user that `names_at` names."""
    if names[:1] == (THREADS,):
        return Path(user, tuple(names[1:]), Area.THREADS)
    return Path(user, tuple(names))


def text_of(pattern: Sequence[str]) -> str:
    """Return a pattern as the provider's policy spells it."""
    if pattern[:1] == (THREADS,):
        return "/".join((THREADS_TEXT, *pattern[1:]))
    return "/".join(pattern)


def parse_text(text: str) -> tuple[str, ...]:
    """Return the names of a pattern that is spelled as `text_of` does; a name may be empty."""
    if not f"{text}/".startswith(f"{THREADS_TEXT}/"):
        return tuple(text.strip("/").split("/"))
    rest = text.removeprefix(THREADS_TEXT).strip("/")
    return (THREADS, *rest.split("/")) if rest else (THREADS,)


class Reach(NamedTuple):
    """A folder or thread by its pattern, with everything beneath, or, where it is not deep, with its members alone."""

    pattern: Pattern
    is_deep: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a voice. A selector that is None fits everything, any other key that is None says nothing.

    is_default: a provider's values give way to those of a user or device; `allowed` and `exclude` never do.
    modes and bearers_not: over these bearers no device comes by itself; its user may let it come. window: when devices
    may come. include and exclude: an excluded pattern covers what it matches and everything beneath. kinds: words of
    `ResourceType`. max_body_bytes, max_age_seconds: what is larger or older is out of view. list_only: members are
    listed, their bodies stay. withhold_states: those of `STATES` that are not told.
    """

    name: str
    voice: str = PROVIDER
    user: str | None = None
    group: str | None = None
    device: str | None = None
    device_class: DeviceClass | None = None
    is_default: bool = False
    allowed: bool = True
    modes: frozenset[Mode] | None = None
    bearers_not: frozenset[str] | None = None
    window: Window | None = None
    min_interval_seconds: int | None = None
    include: tuple[Reach, ...] | None = None
    exclude: tuple[Pattern, ...] = ()
    kinds: frozenset[str] | None = None
    where: Where | None = None
    max_body_bytes: int | None = None
    max_age_seconds: int | None = None
    list_only: bool | None = None
    withhold_states: frozenset[str] | None = None

    @property
    def specificity(self) -> tuple[bool, bool, bool, bool]:
        """A key that orders rules by how narrowly they select."""
        return self.device is not None, self.user is not None, self.group is not None, self.device_class is not None
