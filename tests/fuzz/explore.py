"""Let atheris look for inputs that reach new branches: `python -m tests.fuzz.explore TARGET DIRECTORY [-libFuzzer=…]`.

The corpus is written to the directory, and what breaks a target too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["davstore"]):
    from tests.fuzz.targets import TARGETS, answered


def _spelt(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main(name: str, directory: Path, *options: str) -> None:
    """Fuzz one target until an option of libFuzzer ends it."""
    target = TARGETS[name]
    corpus = directory / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = directory / "words"
    words.write_text("".join(f'"{_spelt(word)}"\n' for word in target.words))
    fixed = [f"-dict={words}", f"-artifact_prefix={directory}/", "-timeout=5", "-rss_limit_mb=1024", "-seed=1"]
    atheris.Setup([sys.argv[0], *fixed, *options, str(corpus)], lambda data: answered(target.run, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
