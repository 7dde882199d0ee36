"""The resources of the provider: collections and others in the classes of WsgiDAV, over the store's use cases."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from wsgidav.dav_error import DAVError
from wsgidav.dav_provider import DAVCollection, DAVNonCollection

from davstore.dav.responses import SPOOL_BYTES
from davstore.engine.context import Context
from davstore.errors import DavstoreError, NotFound
from davstore.middleware.errors import find_row
from davstore.middleware.places import find_place
from davstore.model.nodes import Resource
from davstore.model.paths import Path
from davstore.protocol.dav.hrefs import Target
from davstore.protocol.http.media_types import UNKNOWN_TYPE
from davstore.protocol.urls import Fixed
from davstore.store import deleting, making, moving, putting, reading
from davstore.store.putting import NewContent

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


@contextmanager
def _translated() -> Iterator[None]:
    """Raise our errors as WsgiDAV's."""
    try:
        yield
    except DavstoreError as error:
        raise DAVError(find_row(error).status.value) from error


def to_target(path: str) -> Target:
    """Return the target of a path that WsgiDAV has decoded."""
    return Target(tuple(segment for segment in path.split("/") if segment), path.endswith("/"), query="")


class _Stored:
    """The common parts of collections and other resources of a store."""

    def __init__(self, path: str, environ: WSGIEnvironment, context: Context, place: Path, resource: Resource) -> None:
        super().__init__(path, environ)  # type: ignore[call-arg]  # of WsgiDAV's class beside this one
        self._context = context
        self._place = place
        self._resource = resource

    def get_creation_date(self) -> float:
        return self._resource.created_us / 1_000_000

    def get_last_modified(self) -> float:
        return self._resource.modified_us / 1_000_000

    def get_etag(self) -> str | None:
        return self._resource.etag

    def handle_delete(self) -> bool:
        with _translated():
            deleting.delete(self._context, self._place)
        return True

    def handle_copy(self, dest_path: str, *, depth_infinity: bool) -> bool:
        with _translated():
            depth = None if depth_infinity else 0
            moving.copy(self._context, self._place, self._to(dest_path), overwrite=True, depth=depth)
        return True

    def handle_move(self, dest_path: str) -> bool:
        with _translated():
            moving.move(self._context, self._place, self._to(dest_path), overwrite=True)
        return True

    def delete(self) -> None:
        self.handle_delete()

    def _to(self, path: str) -> Path:
        place = find_place(to_target(path), self._context.asker)
        if not isinstance(place, Path):
            raise NotFound(path)
        return place


class Leaf(_Stored, DAVNonCollection):  # type: ignore[misc]  # WsgiDAV has no types
    """A resource with a body."""

    def get_content_length(self) -> int:
        return self._resource.length or 0

    def get_content_type(self) -> str:
        return self._resource.content_type or UNKNOWN_TYPE

    def support_etag(self) -> bool:
        return True

    def support_ranges(self) -> bool:
        return True

    def get_content(self) -> Any:
        """Return the body as a file."""
        with _translated():
            body = reading.open_resource(self._context, self._place).body
            if body is None:
                raise NotFound(self._place.name)
            file = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115  WsgiDAV closes it
            with closing(body):
                file.writelines(body.read(0, body.length))
        file.seek(0)
        return file

    def begin_write(self, *, content_type: str | None = None) -> _Upload:
        """Return a file; closing it stores its content."""
        return _Upload(self, content_type)

    def put(self, content: NewContent) -> None:
        """Replace the body."""
        with _translated():
            self._resource = putting.put(self._context, self._place, content).resource


class _Upload:
    def __init__(self, leaf: Leaf, content_type: str | None) -> None:
        self._leaf = leaf
        self._content_type = content_type
        self._file: Any = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115  closed by `close`
        self.write = self._file.write

    def close(self) -> None:
        with self._file:
            length_bytes = self._file.tell()
            self._file.seek(0)
            self._leaf.put(NewContent(self._file, length_bytes, self._content_type))


class Collection(_Stored, DAVCollection):  # type: ignore[misc]  # WsgiDAV has no types
    """A collection of a store."""

    def get_member_names(self) -> list[str]:
        with _translated():
            return [one.name for page in reading.describe(self._context, self._place, depth=1) for one in page.members]

    def get_member(self, name: str) -> Any:
        return self.provider.get_resource_inst(f"{self.path.rstrip('/')}/{name}", self.environ)

    def create_empty_resource(self, name: str) -> Any:
        with _translated():
            putting.put(self._context, self._place.child(name), NewContent(_EMPTY, 0, None))
        return self.get_member(name)

    def create_collection(self, name: str) -> Any:
        with _translated():
            making.make_collection(self._context, self._place.child(name))
        return self.get_member(name)

    def support_recursive_delete(self) -> bool:
        return True


class _Nothing:
    def read(self, _size: int, /) -> bytes:
        return b""


_EMPTY = _Nothing()


class FixedCollection(DAVCollection):  # type: ignore[misc]  # WsgiDAV has no types
    """A fixed collection."""

    def __init__(self, path: str, environ: WSGIEnvironment, place: Fixed) -> None:
        super().__init__(path, environ)
        self._place = place

    def get_member_names(self) -> list[str]:
        return list(self._place.members)

    def get_member(self, name: str) -> Any:
        return self.provider.get_resource_inst(f"{self.path.rstrip('/')}/{name}", self.environ)
