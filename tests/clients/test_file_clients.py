"""cadaver, rclone and curl do with the store what people do with them."""

from __future__ import annotations

import os
from pathlib import Path

import requests

from tests.client.served import Server
from tests.clients.conftest import Run

NAMES = ["plain.txt", "100% #1.txt", "a%2Fb", "été 🐙.txt", "dot.", "semi;colon&amp+.txt", "x" * 200]


def test_cadaver(server: Server, run: Run, tmp_path: Path) -> None:
    user, password = server.credentials
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login {user} password {password}\n")
    (tmp_path / "here.txt").write_bytes(b"from here\n" * 1000)
    commands = """
        mkcol cadaver
        cd cadaver
        put here.txt one.txt
        copy one.txt two.txt
        mkcol sub
        move two.txt sub/three.txt
        propset one.txt colour blue
        propget one.txt colour
        propnames one.txt
        get sub/three.txt back.txt
        delete one.txt
        ls
        ls sub
        rmcol sub
        quit
    """
    said = run("cadaver", server.url, said="\n".join(line.strip() for line in commands.strip().splitlines()))
    assert "failed" not in said.lower(), said
    assert "blue" in said
    assert (tmp_path / "back.txt").read_bytes() == (tmp_path / "here.txt").read_bytes()
    listing = requests.get(f"{server.url}cadaver/", auth=server.credentials, timeout=10)
    assert listing.text == ""


def test_rclone_keeps_a_folder_in_step(server: Server, run: Run, tmp_path: Path) -> None:
    user, password = server.credentials
    remote = [
        *(
            "--webdav-url",
            server.url,
            "--webdav-user",
            user,
            "--webdav-pass",
            run("rclone", "obscure", password).strip(),
        ),
        *("--config", os.devnull, "--checksum"),
    ]
    folder = tmp_path / "folder"
    (folder / "sub" / "deep").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(name.encode() * number)
        (folder / "sub" / "deep" / name).write_bytes(os.urandom(number * 50_000))
    where = (str(folder), ":webdav:rclone")
    run("rclone", "sync", *where, *remote)
    assert "0 differences found" in run("rclone", "check", "--download", *where, *remote)

    (folder / NAMES[0]).write_bytes(b"changed")
    (folder / NAMES[1]).unlink()
    (folder / "sub" / "deep").rename(folder / "moved")
    run("rclone", "sync", "--track-renames", "--track-renames-strategy", "leaf,modtime", *where, *remote)
    assert "0 differences found" in run("rclone", "check", "--download", *where, *remote)

    run("rclone", "copy", where[1], str(tmp_path / "back"), *remote)
    for name in NAMES[2:]:
        assert (tmp_path / "back" / "moved" / name).read_bytes() == (folder / "moved" / name).read_bytes()
    run("rclone", "purge", where[1], *remote)


def test_rclone_keeps_times_and_hashes(server: Server, run: Run, tmp_path: Path) -> None:
    user, password = server.credentials
    secret = run("rclone", "obscure", password).strip()
    remote = ["--config", os.devnull, "--webdav-vendor", "owncloud", "--webdav-url", server.url]
    remote += ["--webdav-user", user, "--webdav-pass", secret]
    folder = tmp_path / "folder"
    folder.mkdir()
    for number, size in enumerate((0, 10, 300_000)):
        file = folder / f"{number}.bin"
        file.write_bytes(os.urandom(size))
        os.utime(file, (1_000_000_000 + number, 1_000_000_000 + number))
    where = (str(folder), ":webdav:owncloud")
    run("rclone", "sync", *where, *remote)
    checked = run("rclone", "check", "-v", *where, *remote)
    assert "3 matching files" in checked
    assert "could not be checked" not in checked  # by hash, not by size
    there, here = (run("rclone", "hashsum", "md5", place, *remote).splitlines() for place in where)
    assert sorted(there) == sorted(here)
    assert "There was nothing to transfer" in run("rclone", "sync", "-v", *where, *remote)
    run("rclone", "copy", where[1], str(tmp_path / "back"), *remote)
    for file in folder.iterdir():
        assert int((tmp_path / "back" / file.name).stat().st_mtime) == int(file.stat().st_mtime)
    run("rclone", "purge", where[1], *remote)


def test_curl_sends_without_a_length_and_reads_in_ranges(server: Server, run: Run, tmp_path: Path) -> None:
    body = os.urandom(3_000_000)
    (tmp_path / "body").write_bytes(body)
    curl = ("curl", "-sSf", "-u", ":".join(server.credentials))
    url = f"{server.url}curl.bin"
    run("sh", "-c", f"cat body | {' '.join(curl)} -T - {url}")
    run(*curl, "-r", "1000000-1999999", "-o", "part", url)
    assert (tmp_path / "part").read_bytes() == body[1_000_000:2_000_000]
    run(*curl, "-C", "-", "-o", "part2", url)
    assert (tmp_path / "part2").read_bytes() == body
    run(*curl, "-X", "DELETE", url)
