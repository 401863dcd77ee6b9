"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import RequestError


def require_writable(path: Path) -> None:
    """Checks that a file can be made, before work whose result goes into it.

    Args:
        path: the file.

    Raises:
        RequestError: it is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise RequestError(f"{path}: cannot be written: it is a folder")
    if not path.parent.is_dir():
        raise RequestError(f"{path}: cannot be written: there is no folder {path.parent}")


def require_folder(folder: Path) -> Path:
    """Makes a folder if it does not exist.

    Args:
        folder: the folder.

    Returns:
        The folder.

    Raises:
        RequestError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"{folder}: cannot be created as a folder: {error.strerror}") from error
    return folder


def write_whole(path: Path, content: bytes) -> Path:
    """Writes to a temporary file beside the path, then renames it over the path; a device or a pipe is written to.

    Args:
        path: the file.
        content: all of its bytes.

    Returns:
        The path.

    Raises:
        RequestError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.exists() and not path.is_file():  # such as /dev/stdout: renaming would put a file in its place
            path.write_bytes(content)
            return path
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RequestError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
