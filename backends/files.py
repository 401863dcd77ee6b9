"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import RequestError


def require_writable(path: Path) -> None:
    """Raises RequestError if a file cannot be made there: to be asked before work whose result goes into it."""
    if path.is_dir():
        raise RequestError(f"{path}: cannot be written: it is a folder")
    if not path.parent.is_dir():
        raise RequestError(f"{path}: cannot be written: there is no folder {path.parent}")


def require_folder(folder: Path) -> Path:
    """The folder, made if need be; raises RequestError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"{folder}: cannot be made a folder: {error.strerror}") from error
    return folder


def write_whole(path: Path, content: bytes) -> Path:
    """Writes to a temporary file beside the path, then renames it over the path; returns the path."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RequestError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
