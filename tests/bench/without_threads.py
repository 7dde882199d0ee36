"""`davstore` without the effect that keeps threads: fills the stores that those with threads are measured beside."""

from __future__ import annotations

from davstore.cli import main
from davstore.engine import effects, threads

if __name__ == "__main__":
    effects.EFFECTS = tuple(one for one in effects.EFFECTS if one is not threads.follow)  # type: ignore[misc]
    main(prog_name="davstore")
