"""Through a real nginx with the sample configuration: another host, another port, TLS, and a prefix before our URLs."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.client.served import PATIENCE_SECONDS, Server
from tests.clients.conftest import Run
from tests.clients.test_rclone import NAMES

SAMPLE = Path(__file__).parents[2] / "config" / "nginx.conf"
NGINX = """
daemon off;
{user}
pid nginx.pid;
error_log stderr;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include site.conf;
}}
"""


class Site(NamedTuple):
    """The URLs of a store as its clients see them, with TLS and without, and who may use it."""

    secure: str
    plain: str
    credentials: tuple[str, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a store behind nginx."""
    directory = tmp_path_factory.mktemp("nginx")
    server = Server(directory / "data", directory / "log", SERVER__TRUSTED_PROXIES="127.0.0.0/8")
    secure, plain = free_port(), free_port()
    key = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost")
    subprocess.run([*key, "-keyout", "key.pem", "-out", "cert.pem"], cwd=directory, check=True, capture_output=True)
    text = SAMPLE.read_text()
    for ours, here in (
        ("server 127.0.0.1:8080;", f"server {server.url.split('/')[2]};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{secure} ssl; listen 127.0.0.1:{plain};"),
        ("cloud.example;", "localhost;"),
        ("/etc/ssl/certs/cloud.example.pem", "cert.pem"),
        ("/etc/ssl/private/cloud.example.key", "key.pem"),
    ):
        assert text.count(ours) == 1, ours
        text = text.replace(ours, here)
    (directory / "site.conf").write_text(text)
    (directory / "nginx.conf").write_text(NGINX.format(user="user root;" if os.geteuid() == 0 else ""))
    command = ["/usr/sbin/nginx", "-p", str(directory), "-c", "nginx.conf"]
    with (directory / "nginx.log").open("w") as log:
        nginx = subprocess.Popen(command, stderr=log)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _listens(plain):
        assert nginx.poll() is None, (directory / "nginx.log").read_text()
        assert time.monotonic() < deadline, "nginx does not come up"
        time.sleep(0.02)
    yield Site(
        f"https://localhost:{secure}/files/dav/store/me/",
        f"http://localhost:{plain}/files/dav/store/me/",
        server.credentials,
    )
    nginx.terminate()
    nginx.wait()
    server.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def names_in(site: Site, path: str) -> list[str]:
    answer = requests.get(
        f"{site.plain}{path}", auth=site.credentials, headers={"Accept": "text/plain"}, timeout=PATIENCE_SECONDS
    )
    return answer.text.splitlines()


def test_a_folder_without_its_slash_is_found(site: Site) -> None:
    base = site.plain
    requests.request("MKCOL", f"{base}a%20b/", auth=site.credentials, timeout=PATIENCE_SECONDS).raise_for_status()
    answer = requests.get(f"{base}a%20b", auth=site.credentials, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.url) == (200, f"{base}a%20b/")


def test_curl_copies_and_moves(site: Site, run: Run, tmp_path: Path) -> None:
    curl = ("curl", "-sSkf", "-u", ":".join(site.credentials), "-w", "%{http_code}")
    (tmp_path / "body").write_bytes(os.urandom(300_000))
    for base in (site.secure, site.plain):
        assert run(*curl, "-X", "MKCOL", f"{base}curl/") == "201"
        assert run(*curl, "-T", "body", f"{base}curl/a%252Fb") == "201"
        assert run(*curl, "-X", "COPY", "-H", f"Destination: {base}curl/c", f"{base}curl/a%252Fb") == "201"
        assert run(*curl, "-X", "MOVE", "-H", f"Destination: {base}curl/d", f"{base}curl/c") == "201"
        path = "/" + base.split("/", 3)[3]
        assert run(*curl, "-X", "MOVE", "-H", f"Destination: {path}curl/e", f"{base}curl/d") == "201"
        assert names_in(site, "curl/") == ["a%2Fb", "e"]
        run(*curl, "-o", "back", f"{base}curl/e")
        assert (tmp_path / "back").read_bytes() == (tmp_path / "body").read_bytes()
        listing = run(*curl, "-X", "PROPFIND", "-H", "Depth: 1", f"{base}curl/")
        hrefs = re.findall("<D:response><D:href>([^<]*)", listing)
        assert hrefs == [f"{path}curl/", f"{path}curl/a%252Fb", f"{path}curl/e"]
        foreign = run(
            "curl", "-sk", "-u", ":".join(site.credentials), "-w", "%{http_code}", "-o", "/dev/null",
            "-X", "MOVE", "-H", f"Destination: https://other.example{path}curl/f", f"{base}curl/e",
        )  # fmt: skip
        assert foreign == "502"
        assert run(*curl, "-X", "DELETE", f"{base}curl/") == "204"


def test_rclone_copies_and_moves_on_the_server(site: Site, run: Run, tmp_path: Path) -> None:
    user, password = site.credentials
    secret = run("rclone", "obscure", password).strip()
    remote = ["--config", os.devnull, "--no-check-certificate", "--webdav-vendor", "owncloud"]
    remote += ["--webdav-url", site.secure, "--webdav-user", user, "--webdav-pass", secret]
    folder = tmp_path / "folder"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(name.encode() * number)
    run("rclone", "sync", str(folder), ":webdav:one", *remote)
    run("rclone", "copy", ":webdav:one", ":webdav:two", *remote)
    run("rclone", "moveto", f":webdav:two/{NAMES[0]}", ":webdav:two/moved", *remote)
    run("rclone", "moveto", ":webdav:two/moved", f":webdav:two/{NAMES[0]}", *remote)
    run("rclone", "moveto", ":webdav:two", ":webdav:three", *remote)
    assert "0 differences found" in run("rclone", "check", str(folder), ":webdav:three", *remote)
    assert sorted(names_in(site, "three/")) == sorted(NAMES)
    for name in ("one", "three"):
        run("rclone", "purge", f":webdav:{name}", *remote)


def test_cadaver_locks_and_moves(site: Site, run: Run, tmp_path: Path) -> None:
    user, password = site.credentials
    (tmp_path / ".netrc").write_text(f"machine localhost login {user} password {password}\n")
    (tmp_path / "here.txt").write_bytes(b"from here\n")
    commands = "mkcol cadaver\ncd cadaver\nput here.txt a\nlock a\ncopy a b\nmove b c\nunlock a\nls\nquit\n"
    said = run("cadaver", site.plain, said=commands)
    assert "failed" not in said.lower(), said
    assert names_in(site, "cadaver/") == ["a", "c"]


def test_two_devices_through_the_proxy(site: Site, run: Run, tmp_path: Path) -> None:
    user, password = site.credentials
    (tmp_path / "secret").write_text(password)
    (tmp_path / "here").mkdir()
    assert requests.request("MKCOL", f"{site.plain}sync/", auth=site.credentials, timeout=10).status_code == 201
    for name in NAMES:
        (tmp_path / "here" / name).write_text(name)
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir(exist_ok=True)
        words = ("--user", user, "--password-file", "secret", "--once")
        run(str(Path(sys.executable).parent / "davstore"), "sync", f"{site.plain}sync/", folder, *words)
    assert {file.name: file.read_text() for file in (tmp_path / "there").iterdir()} == {name: name for name in NAMES}
