"""`app` for another WSGI server: `DAVSTORE_CONFIG=davstore.toml gunicorn -k gthread davstore.wsgi:app`.

The store must be there: `davstore serve` has run on the data directory once. `davstore serve` frames requests more
strictly than other servers do.
"""

import os
from pathlib import Path

from davstore.settings import load_settings
from davstore.wiring import build_application

_file = os.environ.get("DAVSTORE_CONFIG")

app = build_application(load_settings(Path(_file) if _file else None))
