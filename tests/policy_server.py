"""A server of policy documents that is not davstore: what it answers is what a test says."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NEVER = '[[rule]]\nname = "never"\nallowed = false\n'


class PolicyServer:
    """Serves one document with its ETag on a port of its own, until it is stopped; started again on the same port.

    answer: what is sent instead, to the handler of a request. asked holds path and headers of each request.
    """

    def __init__(self, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.document = b""
        self.answer: Callable[[Handler], None] | None = None
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._context = context
        self._host, self.port = host, 0
        self.start()

    def start(self) -> None:
        self._server = ThreadingHTTPServer((self._host, self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        vars(self._server)["policy"] = self
        if self._context:
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://{self._host}:{self.port}/rules.toml"

    def redirect(self, *locations: str) -> None:
        """Redirect the paths /rules.toml, /1, /2 …; the document is at the path behind them."""

        def answer(handler: Handler) -> None:
            name = handler.path.strip("/")
            at = int(name) if name.isdigit() else 0
            if at < len(locations):
                handler.send(302, {"Location": locations[at]})
            else:
                handler.give()

        self.answer = answer


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        policy: PolicyServer = vars(self.server)["policy"]
        policy.asked.append((self.path, dict(self.headers)))
        (policy.answer or Handler.give)(self)

    def give(self) -> None:
        """Give the document, or say that it is the one of the ETag."""
        document = vars(self.server)["policy"].document
        etag = f'"{hash(document)}"'
        if self.headers["If-None-Match"] == etag:
            self.send(304, {"ETag": etag})
        else:
            self.send(200, {"ETag": etag}, document)

    def send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def make_certificate(directory: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context with a new certificate for a name (`DNS:localhost`), and the file that proves it."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    words = ["-subj", "/CN=test", "-addext", f"subjectAltName={name}", "-keyout", key, "-out", certificate]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *words]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
