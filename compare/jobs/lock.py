"""A lock on a file that one process writes at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...backends import RequestError
from ...backends.file_writing import require_writable

try:
    import fcntl
except ImportError:  # on Windows, where nobody is kept out
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Keeps other processes that do the same out, for as long as the block lasts; a process that dies lets them in.

    Args:
        path: the file that is written. The lock is a file beside it, with `.lock` at the end of its name, since the
            file itself may be replaced. None locks nothing.

    Yields:
        Nothing.

    Raises:
        RequestError: another process holds the lock, or there can be none.
    """
    if path is None or fcntl is None:
        yield
        return
    require_writable(path)
    beside = path.with_name(f"{path.name}.lock")
    descriptor = _acquired(path, beside)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        beside.unlink(missing_ok=True)  # while it is held: who opened it meanwhile sees that it is gone
        os.close(descriptor)


def _acquired(path: Path, beside: Path) -> int:
    while True:
        try:
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise RequestError(f"{path}: cannot be locked by {beside.name}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise RequestError(
                f"{path}: is being written by another process ({holder}): wait until it ends, or take another file"
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise RequestError(f"{path}: cannot be locked by {beside.name}: {error.strerror}") from error
        if beside.exists() and os.path.samestat(os.fstat(descriptor), beside.stat()):
            return descriptor
        os.close(descriptor)  # of a process that has just ended
