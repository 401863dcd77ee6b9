"""Optional packages: a missing one names the extra that installs it, a broken one is called broken."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache

from ..errors import BrokenBackendError, MissingFrameworkError, first_line


@cache
def require(module: str, *, needed_by: str, extra: str, package: str = "") -> None:
    """Imports an optional package; for the arguments see `require_installed`.

    Raises:
        MissingFrameworkError: it is not installed.
        BrokenBackendError: it is installed but fails to load.
    """
    require_installed(module, needed_by=needed_by, extra=extra, package=package)
    try:
        importlib.import_module(module)
    except Exception as error:
        raise BrokenBackendError(
            f"{needed_by} needs {package or module}, which is installed but fails to load: {first_line(error)}"
        ) from error


def require_installed(module: str, *, needed_by: str, extra: str, package: str = "") -> None:
    """Looks for an optional package, and does not import it.

    Args:
        module: the module's name.
        needed_by: who needs it, as it is to stand in the message.
        extra: the extra of gradparity that installs it.
        package: the name under which it is installed, if that is another one.

    Raises:
        MissingFrameworkError: it is not installed.
    """
    try:
        is_missing = importlib.util.find_spec(module) is None
    except (ImportError, ValueError):
        is_missing = True
    if is_missing:
        raise MissingFrameworkError(
            f'{needed_by} needs {package or module}, which is not installed: pip install "gradparity[{extra}]"'
        )
