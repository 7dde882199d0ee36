"""The corpus of real mail and photographs: DAVSTORE_SAMPLES, or `../shared/data`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SAMPLES = Path(os.environ.get("DAVSTORE_SAMPLES", "../shared/data"))


def fill(root: Path) -> None:
    """Put the real corpus into a folder, or a small generated one where there is none."""
    if SAMPLES.is_dir():
        shutil.copytree(SAMPLES, root, copy_function=shutil.copyfile)
        return
    for number in range(200):
        path = root / f"folder {number % 7}" / f"{number}.eml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"From: me@dav.example\nSubject: {number}\n\n".encode() * (number + 1))
