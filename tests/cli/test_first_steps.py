"""The first start says what to do next, and what it says works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.client.served import Server


def test_the_commands_of_the_first_start_work(tmp_path: Path) -> None:
    (tmp_path / "FOLDER").mkdir()
    (tmp_path / "FOLDER" / "note").write_text("first")
    server = Server(tmp_path / "the data", tmp_path / "log")
    try:
        said = (tmp_path / "log").read_text()
        top = server.url.removesuffix("dav/store/me/")
        assert f"open {top} and sign in as me" in said
        assert said.count(server.credentials[1]) == 1
        assert said.index("password:") < said.index("what to do next:")
        commands = re.findall(r"^  (?:add a device|sync a folder) +(.*)$", said, re.MULTILINE)
        assert len(commands) == 2
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        for command in (commands[0], f"{commands[1]} --once"):
            subprocess.run(command, shell=True, cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)
        assert (tmp_path / "laptop.secret").stat().st_mode & 0o077 == 0
        server.kill()
        server.start()
        again = (tmp_path / "log").read_text().removeprefix(said)
        assert "davstore serves" in again
        assert "what to do next" not in again
    finally:
        server.kill()
