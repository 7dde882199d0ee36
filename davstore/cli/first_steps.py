"""The next steps after the first start, printed once with the first user's password."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

_STEPS = """\
what to do next:
  in a browser    open {url} and sign in as {user}
  add a device    {davstore} device add {user} laptop{options} --secret-file laptop.secret
  sync a folder   {davstore} sync {url}dav/store/{user}/ FOLDER --user {user} --password-file laptop.secret
  other machines  need a proxy with TLS in front: docs/operating.md, config/nginx.conf"""


def render_first_steps(url: str, user: str) -> str:
    """Return a few lines for a person who has just made a store; url is its address, with a slash at its end.

    The commands are for the same store: they take the `-c` and `--data` of the command that runs.
    """
    program = Path(sys.argv[0])
    davstore = shlex.quote(str(program)) if program.name == "davstore" else "davstore"
    return _STEPS.format(url=url, user=user, davstore=davstore, options=_options(click.get_current_context()))


def _options(context: click.Context) -> str:
    given = {"-c": context.params.get("config"), "--data": context.params.get("data__path")}
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in given.items() if value is not None)
