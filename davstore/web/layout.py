"""The layout of a message: which of its parts are read in the page, which are other versions, which are attached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from davstore.model.messages import Part

HTML: Final = "text/html"
_MOST_SECTIONS: Final = 32
"""Parts that are read in the page; more of them are attached."""
_OBJECTS: Final = ("application/x-cpm-session", "application/x-cpm-file-transfer")


class Layout(NamedTuple):
    """The parts of a message by their role, each in order. versions are those of what is read."""

    sections: list[Part]
    versions: list[Part]
    attachments: list[Part]


def lay_out(parts: Sequence[Part], *, is_object: bool = False, best: str = HTML) -> Layout:
    """Return the layout of a message. is_object: XML is read too, for the message is no letter.

    best is the media type of the version that is read where a text has several.
    """
    beneath: defaultdict[str, list[Part]] = defaultdict(list)
    for part in parts:
        beneath[part.number.rpartition(".")[0]].append(part)
    layout = Layout([], [], [])
    _Walk(beneath, layout, best, is_object=is_object).enter(beneath[""], _is_alternative(beneath[""]))
    layout.attachments.extend(layout.sections[_MOST_SECTIONS:])
    del layout.sections[_MOST_SECTIONS:]
    return layout


def is_object(part: Part) -> bool:
    """Tell whether a part is XML that programs read."""
    return part.media_type.endswith("+xml") or part.media_type in _OBJECTS


def _is_alternative(top: Sequence[Part]) -> bool:
    """Tell whether the parts at the top, whose multipart has no number, look like versions of one text."""
    kinds = [part.media_type for part in top]
    return kinds[:1] == ["text/plain"] and kinds[1:2] in ([HTML], ["multipart/related"]) and not any(map(_is_file, top))


def _is_file(part: Part) -> bool:
    """Tell whether a part is attached; the first may have a name and be the text all the same."""
    return part.disposition == "attachment" or (part.filename is not None and part.number != "1")


class _Walk:
    """Gives each part of a message its role."""

    def __init__(self, beneath: defaultdict[str, list[Part]], layout: Layout, best: str, *, is_object: bool) -> None:
        self._beneath = beneath
        self._layout = layout
        self._best = best
        self._is_object = is_object

    def enter(self, parts: Sequence[Part], is_alternative: bool) -> None:
        best = max(range(len(parts)), key=lambda i: (self._rank(parts[i]), i)) if is_alternative and parts else None
        for i, part in enumerate(parts):
            is_container = part.media_type.startswith("multipart/")
            if best is not None and i != best:
                self._put_aside(part)
            elif is_container and self._beneath[part.number]:
                self.enter(self._beneath[part.number], part.media_type == "multipart/alternative")
            elif self._is_text(part):
                self._layout.sections.append(part)
            else:
                self._layout.attachments.append(part)

    def _put_aside(self, part: Part) -> None:
        """Take a part, or what lies beneath it, for another version, or attach it where it is no text."""
        members = self._beneath[part.number] if part.media_type.startswith("multipart/") else []
        for member in members:
            self._put_aside(member)
        if not members:
            (self._layout.versions if self._is_text(part) else self._layout.attachments).append(part)

    def _rank(self, part: Part) -> int:
        """Return how well a version can be read here: the best before other text, and that before anything else."""
        if part.media_type.startswith("multipart/"):
            return max((self._rank(member) for member in self._beneath[part.number]), default=0)
        return 2 if part.media_type == self._best else int(self._is_text(part))

    def _is_text(self, part: Part) -> bool:
        if _is_file(part) and not self._is_object:
            return False
        return part.media_type in ("text/plain", HTML) or (
            self._is_object and (is_object(part) or part.media_type == "text/xml")
        )
