"""Where the real mail and photographs are: DAVSTORE_SAMPLES, or `../shared/data`."""

from __future__ import annotations

import os
from pathlib import Path

SAMPLES = Path(os.environ.get("DAVSTORE_SAMPLES", "../shared/data"))
