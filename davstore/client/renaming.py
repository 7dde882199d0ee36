"""Rename onto a free name only: a file that another program just gave that name is never replaced."""

from __future__ import annotations

import ctypes
import errno
import os
import stat

_LIBC = ctypes.CDLL(None, use_errno=True)
_NOREPLACE = 1
"""RENAME_NOREPLACE of renameat2(2)."""


def rename_to_free(source: int, old: str, target: int, new: str) -> None:
    """Give the member old of the folder source the name new in the folder target.

    Raises:
        FileExistsError: something has that name. OSError: it cannot be done.
    """
    call = getattr(_LIBC, "renameat2", None)
    if call is not None and call(source, os.fsencode(old), target, os.fsencode(new), _NOREPLACE) == 0:
        return
    problem = errno.ENOSYS if call is None else ctypes.get_errno()
    if problem not in (errno.ENOSYS, errno.EINVAL):
        raise OSError(problem, os.strerror(problem), new)
    _rename_over_own(source, old, target, new)


def _rename_over_own(source: int, old: str, target: int, new: str) -> None:
    """Where the file system lacks such a rename, create an empty file or folder of that name, then replace it."""
    if _is_folder(source, old):
        os.mkdir(new, dir_fd=target)
    else:
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, dir_fd=target))
    os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)


def _is_folder(handle: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)
