"""A client that works in a folder of its own and knows what is there: all that was acknowledged, and nothing else.

The same seed proposes the same steps as long as the same ones are acknowledged.
"""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass, field

from tests.torture.wire import Client, Entry, Tree, digest

LOCKINFO = (
    b'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    b"<D:locktype><D:write/></D:locktype></D:lockinfo>"
)
PENDULUM = ("left", "right")
"""A folder with three bodies moves from the one name to the other and back: every reader sees one of them, whole."""
VERBS = ("put",) * 6 + ("delete", "move", "move", "copy", "proppatch", "proppatch", "mkcol", "lock", "lock", "swing")


class Disagreement(AssertionError):
    """The store is not what its answers said."""


@dataclass(frozen=True)
class Step:
    """One request, and the content of the folder when it is done."""

    method: str
    place: str
    after: Tree
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def inside(place: str, top: str) -> bool:
    """Tell whether a place is another or lies beneath it."""
    return place == top or place.startswith(f"{top}/")


def _without(tree: Tree, top: str) -> Tree:
    return {place: entry for place, entry in tree.items() if not inside(place, top)}


def _carried(tree: Tree, source: str, target: str) -> Tree:
    return {
        target + place[len(source) :]: dataclasses.replace(entry, lock=None)
        for place, entry in tree.items()
        if inside(place, source)
    }


class Writer:
    """One folder, its model, and the request that got no answer, if there is one."""

    def __init__(self, client: Client, top: str, seed: int) -> None:
        self.client, self.top = client, top
        self.random = random.Random(f"{seed} {top}")
        self.tree: Tree = {}
        self.pending: Step | None = None
        self.acknowledged = 0
        self.count = 0

    def settle_in(self) -> None:
        """Make the folder and its pendulum."""
        for place in (self.top, f"{self.top}/{PENDULUM[0]}"):
            assert self.client.ask("MKCOL", place).status == 201
            self.tree[place] = Entry(None)
        del self.tree[self.top]
        for number in range(3):
            place, body = f"{self.top}/{PENDULUM[0]}/{number}", b"%d" % number
            assert self.client.ask("PUT", place, body).status == 201
            self.tree[place] = Entry(digest(body))

    def work(self) -> None:
        """Do one step.

        Raises:
            Lost: no answer came, the step is pending.
        """
        self.count += 1
        step = None
        while step is None:
            step = getattr(self, f"_{self.random.choice(VERBS)}")()
        self.pending = step
        answer = self.client.ask(step.method, step.place, step.body, **step.headers)
        if not 200 <= answer.status < 300 or b" 200 " not in (answer.body if answer.status == 207 else b" 200 "):
            raise Disagreement(f"{step.method} {step.place}: {answer.status} {answer.body!r}")
        self.tree = self._told(step, answer.token) if step.method == "LOCK" else step.after
        self.pending = None
        self.acknowledged += 1

    def compare(self, found: Tree) -> None:
        """Hold what is there against the model; a pending step has happened as a whole or not at all."""
        allowed = [self.tree]
        if self.pending is not None:
            lock = found.get(self.pending.place, Entry(None)).lock
            allowed.append(self._told(self.pending, lock) if self.pending.method == "LOCK" else self.pending.after)
        if found not in allowed:
            step = f"{self.pending.method} {self.pending.place} {self.pending.headers}" if self.pending else "nothing"
            raise Disagreement(f"{self.top}, {step} pending: {[difference(found, one) for one in allowed]}")
        self.tree, self.pending = found, None

    @staticmethod
    def _told(step: Step, token: str | None) -> Tree:
        """Fill the token that a LOCK gave into what it leaves."""
        entry = dataclasses.replace(step.after[step.place], lock=token)
        return {**step.after, step.place: entry}

    @property
    def _locked(self) -> str | None:
        return next((place for place, entry in self.tree.items() if entry.lock), None)

    def _submitted(self, place: str) -> dict[str, str]:
        token = self.tree[place].lock if place in self.tree else None
        return {"If": f"(<{token}>)"} if token else {}

    def _loose(self) -> list[str]:
        """Return the places that may be moved about: no lock is in them, and the pendulum is not."""
        own = [f"{self.top}/{name}" for name in PENDULUM]
        return [
            place
            for place in self.tree
            if not any(inside(place, one) for one in own) and not (self._locked and inside(self._locked, place))
        ]

    def _somewhere(self, kind: str) -> str:
        folders = [place for place in self._loose() if self.tree[place].digest is None and place.count("/") < 3]
        return f"{self.random.choice([self.top, *folders])}/{kind}{self.random.randrange(5)}"

    def _put(self) -> Step | None:
        place = self._locked if self._locked and self.random.random() < 0.2 else self._somewhere("f")
        body = f"{self.top} {self.count} ".encode() * self.random.choice([1, 1, 20, 1500])
        old = self.tree.get(place, Entry(None))
        after = {**self.tree, place: dataclasses.replace(old, digest=digest(body))}
        return Step("PUT", place, after, body, self._submitted(place))

    def _mkcol(self) -> Step | None:
        place = self._somewhere("c")
        return None if place in self.tree else Step("MKCOL", place, {**self.tree, place: Entry(None)})

    def _delete(self) -> Step | None:
        loose = self._loose()
        if not loose:
            return None
        place = self.random.choice(loose)
        return Step("DELETE", place, _without(self.tree, place))

    def _proppatch(self) -> Step | None:
        if not self.tree:
            return None
        place, note = self.random.choice(list(self.tree)), str(self.count)
        body = (
            f'<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><note xmlns="urn:x">{note}</note></D:prop></D:set>'
            "</D:propertyupdate>"
        )
        after = {**self.tree, place: dataclasses.replace(self.tree[place], note=note)}
        return Step("PROPPATCH", place, after, body.encode(), self._submitted(place))

    def _move(self) -> Step | None:
        return self._carry("MOVE")

    def _copy(self) -> Step | None:
        return self._carry("COPY")

    def _carry(self, method: str) -> Step | None:
        loose = self._loose()
        if not loose:
            return None
        source = self.random.choice(loose)
        target = self._somewhere("c" if self.tree[source].digest is None else "f")
        if inside(source, target) or inside(target, source) or (self._locked and inside(self._locked, target)):
            return None
        rest = _without(self.tree, source) if method == "MOVE" else self.tree
        after = _without(rest, target) | _carried(self.tree, source, target)
        return Step(method, source, after, headers={"Destination": self.client.href(target)})

    def _swing(self) -> Step | None:
        here, there = PENDULUM if f"{self.top}/{PENDULUM[0]}" in self.tree else PENDULUM[::-1]
        source, target = f"{self.top}/{here}", f"{self.top}/{there}"
        if self._locked and inside(self._locked, source):
            return None
        after = _without(self.tree, source) | _carried(self.tree, source, target)
        return Step("MOVE", source, after, headers={"Destination": self.client.href(target)})

    def _lock(self) -> Step | None:
        if self._locked:
            place, token = self._locked, self.tree[self._locked].lock
            after = {**self.tree, place: dataclasses.replace(self.tree[place], lock=None)}
            return Step("UNLOCK", place, after, headers={"Lock-Token": f"<{token}>"})
        place = self._somewhere("f")
        old = self.tree.get(place, Entry(digest(b"")))
        return Step("LOCK", place, {**self.tree, place: old}, LOCKINFO, {"Depth": "0", "Timeout": "Second-3600"})


def difference(found: Tree, expected: Tree) -> dict[str, tuple[Entry | None, Entry | None]]:
    """Return where two trees differ: what was found, and what should be."""
    return {
        place: (found.get(place), expected.get(place))
        for place in sorted({*found, *expected})
        if found.get(place) != expected.get(place)
    }
