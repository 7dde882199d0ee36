"""Request bodies as streams whose end is checked (RFC 9112 §6, §7.1).

`b""` means that the body came whole. A body that is cut short or misframed is `Malformed`, one that hardly comes is
`TooSlow`; what follows on the connection cannot be trusted then.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from davstore.errors import Malformed
from davstore.server.sockets import Reader

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_EXTENSION = rb"[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?" % (_TOKEN, _TOKEN, _QUOTED)
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:%b)*\r\n" % _EXTENSION)
_TRAILER = re.compile(rb"%b:[\t -~\x80-\xff]*\r\n" % _TOKEN)
_LINE_BYTES = 1_024
"""The longest chunk line or trailer; those of real clients are far shorter."""
_TRAILERS = 32
_BLOCK_BYTES = 65_536


class Body(io.RawIOBase):
    """A request body: `begun` once a read was tried, `whole` at its end, `broken` when there will be no end.

    begin is called once, before the first read (it sends `100 Continue`).
    """

    def __init__(self, source: Reader, begin: Callable[[], object] | None) -> None:
        super().__init__()
        self._source = source
        self._begin = begin
        self.begun = False
        self.whole = False
        self.broken = False

    def readable(self) -> bool:
        """Tell `io` that `read` works."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return size bytes, fewer only at the end of the body. Without a size: all that is left.

        Raises:
            Malformed: the body ended early or broke its framing.
            TooSlow: the client does not keep the pace. Unavailable: the server stops.
        """
        if self.broken:
            raise Malformed("the body is broken")
        self.broken = True
        try:
            data = self._read(None if size is None or size < 0 else size)
        except OSError as error:
            raise Malformed(f"the body stopped: {error}") from error
        self.broken = False
        return data

    def _read(self, wanted: int | None) -> bytes:
        if not self.begun and not self.whole:
            self.begun = True
            if self._begin is not None:
                self._begin()
        pieces: list[bytes] = []
        while not self.whole and wanted != 0:
            pieces.append(self._take(_BLOCK_BYTES if wanted is None else wanted))
            wanted = None if wanted is None else wanted - len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take(self, size: int) -> bytes:
        """Return up to size bytes and set `whole` with the last."""
        raise NotImplementedError

    def _exactly(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) != size:
            raise Malformed("the body was cut short")
        return data


class CountedBody(Body):
    """A body of a declared length; 0 is no body."""

    def __init__(self, source: Reader, begin: Callable[[], object] | None, length: int) -> None:
        super().__init__(source, begin)
        self.left_bytes = length
        self.whole = length == 0

    def _take(self, size: int) -> bytes:
        data = self._exactly(min(size, self.left_bytes))
        self.left_bytes -= len(data)
        self.whole = self.left_bytes == 0
        return data


class ChunkedBody(Body):
    """A body in the chunked coding. Extensions and trailers are read and dropped."""

    def __init__(self, source: Reader, begin: Callable[[], object] | None) -> None:
        super().__init__(source, begin)
        self._left_bytes = 0

    def _take(self, size: int) -> bytes:
        if not self._left_bytes:
            self._open_chunk()
        if self.whole:
            return b""
        data = self._exactly(min(size, self._left_bytes))
        self._left_bytes -= len(data)
        if not self._left_bytes and self._exactly(2) != b"\r\n":
            raise Malformed("a chunk is longer than it says")
        return data

    def _open_chunk(self) -> None:
        match = _CHUNK_LINE.fullmatch(self._source.readline(_LINE_BYTES))
        if not match:
            raise Malformed("not a chunk size")
        self._left_bytes = int(match[1], 16)
        if not self._left_bytes:
            self._drop_trailers()
            self.whole = True

    def _drop_trailers(self) -> None:
        for _ in range(_TRAILERS):
            line = self._source.readline(_LINE_BYTES)
            if line == b"\r\n":
                return
            if not _TRAILER.fullmatch(line):
                raise Malformed("not a trailer")
        raise Malformed("the trailers of the body do not end")
