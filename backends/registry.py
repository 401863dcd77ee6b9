"""The backends by name. A framework is imported when a backend that needs it is asked for, not before."""

from __future__ import annotations

import importlib
import importlib.util
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .errors import BrokenBackendError, MissingFrameworkError, RequestError, located, unknown_name
from .frameworks import require
from .interface import Backend

BackendSelection = Iterable[str | Backend] | Mapping[str, Backend] | None  # see `resolve`
ENTRY_POINT_GROUP = "gradparity.backends"
BACKEND_IN_FILE = "gradparity_backend_in_"  # before the name of a file that is loaded as a module
ADAPTERS_PACKAGE = "gradparity.backends.adapters"


@dataclass(frozen=True)
class BackendLocation:
    """Where a backend lives.

    Attributes:
        target: its module, and the object or class in it.
        framework: the module that it needs; empty for NumPy alone, and for what looks after itself.
        extra: the extra of gradparity that installs the framework, if it is not called so.
        package: the name under which the framework is installed, if that is another one.
        on_request: whether it is used only where it is named: a candidate, which is slow to load or to compile,
            and adds no independent answer.
    """

    target: str
    framework: str = ""
    extra: str = ""
    on_request: bool = False
    package: str = ""


BACKENDS = {
    "manual": BackendLocation("gradparity.backends.references.manual_backend:ManualBackend"),
    "torch": BackendLocation("gradparity.backends.references.torch_backend:TorchBackend", "torch"),
    "torch-nn": BackendLocation("gradparity.backends.references.torch_nn_backend:TorchNNBackend", "torch"),
    "jax": BackendLocation("gradparity.backends.references.jax_backend:JaxBackend", "jax"),
    "tape": BackendLocation("gradparity.backends.references.tape_backend:TapeBackend", on_request=True),
    "autograd": BackendLocation(
        "gradparity.backends.optional.autograd_backend:AutogradBackend", "autograd", on_request=True
    ),
    "manual-compiled": BackendLocation(
        "gradparity.backends.optional.manual_compiled_backend:ManualCompiledBackend", "numba", on_request=True
    ),
    "torch-compile": BackendLocation(
        "gradparity.backends.optional.torch_compile_backend:TorchCompileBackend", "torch", on_request=True
    ),
    "flax-linen": BackendLocation(f"{ADAPTERS_PACKAGE}.flax_linen:BACKEND", "flax", on_request=True),
    "flax-nnx": BackendLocation(f"{ADAPTERS_PACKAGE}.flax_nnx:BACKEND", "flax", on_request=True),
    "equinox": BackendLocation(f"{ADAPTERS_PACKAGE}.equinox:BACKEND", "equinox", on_request=True),
    "haiku": BackendLocation(f"{ADAPTERS_PACKAGE}.haiku:BACKEND", "haiku", on_request=True, package="dm-haiku"),
    "onnxruntime": BackendLocation(
        f"{ADAPTERS_PACKAGE}.onnx:OnnxRuntimeBackend", "onnxruntime", extra="onnx", on_request=True
    ),
    "keras-jax": BackendLocation(f"{ADAPTERS_PACKAGE}.keras:KerasJaxBackend", on_request=True, package="keras"),
    "keras-torch": BackendLocation(f"{ADAPTERS_PACKAGE}.keras:KerasTorchBackend", on_request=True, package="keras"),
}


ENGINES = ("tape", "torch", "jax")  # those that differentiate recorded programs


def backend_names() -> tuple[str, ...]:
    """The names of all backends: of this package, and of others that have registered theirs.

    Returns:
        The names, those of this package first, whether or not their frameworks are installed.

    Example:
        >>> backend_names()[:4]
        ('manual', 'torch', 'torch-nn', 'jax')
    """
    return (*BACKENDS, *(name for name in sorted(_entry_points()) if name not in BACKENDS))


def default_backend_names() -> tuple[str, ...]:
    """The names of the backends that are used where none is named: all but those on request.

    Returns:
        The names, in the order of `backend_names`.

    Example:
        >>> default_backend_names()[:4]
        ('manual', 'torch', 'torch-nn', 'jax')
    """
    return tuple(name for name in backend_names() if name not in BACKENDS or not BACKENDS[name].on_request)


def is_reference(backend: Backend) -> bool:
    """Whether a backend is one of this package, and no object of the user's.

    Args:
        backend: any; a layer that is wrapped is the user's.

    Returns:
        Whether its class is of this package, whatever the backend is called.

    Example:
        >>> is_reference(get_backend("manual"))
        True
    """
    module = type(backend).__module__
    return module.startswith(f"{__package__}.") and module != f"{ADAPTERS_PACKAGE}.wrapped_layer"


def get_backend(name: str) -> Backend:
    """The backend of a name. Its framework is imported now, and not before.

    Args:
        name: one of `backend_names()`, or `FILE.py:object` or `module:object` for an object or a class of your
            own.

    Returns:
        The backend; a new instance where the name stands for a class.

    Raises:
        UnknownNameError: there is no such name.
        MissingFrameworkError: its framework is not installed.
        BrokenBackendError: its framework or its module is there but fails to load.
        RequestError: what is at `FILE.py:object` or `module:object` is missing, or is no backend.

    Example:
        >>> get_backend("manual").name
        'manual'
        >>> get_backend("manuel")
        Traceback (most recent call last):
        gradparity.backends.errors.UnknownNameError: unknown backend 'manuel': did you mean 'manual'?
    """
    if not isinstance(name, str):
        raise RequestError(f"backend = {name!r}, expected a name")
    if name in BACKENDS:
        reference = BACKENDS[name]
        with _random_states_kept():
            if reference.framework:
                extra = reference.extra or reference.framework
                require(reference.framework, needed_by=f"backend {name!r}", extra=extra, package=reference.package)
            return _load(name, reference.target)
    if name in _entry_points():
        return _load(name, _entry_points()[name].value)
    if ":" in name:
        return _load(name, name)
    raise unknown_name("backend", name, backend_names())


def load_backends(names: Sequence[str] | None = None) -> tuple[dict[str, Backend], list[str]]:
    """Those of some backends whose frameworks are installed. A broken one is an error.

    Args:
        names: of this package's backends, or of registered ones; None means the default ones.

    Returns:
        The backends by name, and a line for each that is missing, which says what installs it.

    Raises:
        BrokenBackendError: a backend is installed, but fails to load.

    Example:
        >>> backends, missing = load_backends()
        >>> backends["manual"].name
        'manual'
    """
    backends, missing = {}, []
    for name in default_backend_names() if names is None else names:
        try:
            backend = get_backend(name)
        except MissingFrameworkError as error:
            missing.append(str(error))
        else:
            backends[backend.name] = backend
    return backends, missing


def choose_backends(names: Sequence[str] | None) -> tuple[dict[str, Backend], list[str]]:
    """The named backends, or all default ones that are installed.

    Args:
        names: names as for `get_backend`; none of them, or None, for the default.

    Returns:
        The backends by name, and a line for each default one that is missing.

    Raises:
        RequestError: as for `resolve`.
    """
    return (resolve(names), []) if names else load_backends()


def as_backend(name: str, candidate: object) -> Backend:
    """An object, or an instance of a class, that is a Backend.

    Args:
        name: how messages call it.
        candidate: the object or the class.

    Returns:
        The backend.

    Raises:
        BrokenBackendError: the class or one of the members raises an error.
        RequestError: a member is missing, or its `name` is no string.
    """
    try:
        backend: Any = candidate() if isinstance(candidate, type) else candidate
    except MissingFrameworkError:
        raise
    except (Exception, SystemExit) as error:
        raise BrokenBackendError(f"backend {name!r} cannot be made: {located(error)}") from error
    members = {}
    for member in ("name", "supports", "evaluate", "prepare"):
        try:
            members[member] = getattr(backend, member, None)
        except (Exception, SystemExit) as error:
            raise BrokenBackendError(f"backend {name!r} fails at its {member}: {located(error)}") from error
    missing = [member for member, value in members.items() if value is None]
    if missing:
        raise RequestError(f"backend {name!r} is not a Backend: it has no {', '.join(missing)}")
    if not isinstance(members["name"], str):
        raise RequestError(f"backend {name!r} has the name {members['name']!r}, expected a string")
    return backend


def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def _load(name: str, target: str) -> Backend:
    module_name, _, attribute = target.rpartition(":")
    is_file = module_name.endswith(".py")
    try:
        module = _module_in_file(name, Path(module_name)) if is_file else importlib.import_module(module_name)
    except RequestError:
        raise
    except ModuleNotFoundError as error:
        if not is_file and error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise RequestError(f"backend {name!r}: there is no module {error.name!r}") from None
        raise BrokenBackendError(f"backend {name!r} fails to load: {located(error)}") from error
    except (Exception, SystemExit) as error:  # a script without a main guard may end with sys.exit()
        raise BrokenBackendError(f"backend {name!r} fails to load: {located(error)}") from error
    if not hasattr(module, attribute):
        public = [public_name for public_name in vars(module) if not public_name.startswith("_")]
        raise RequestError(f"backend {name!r}: {unknown_name(f'name in {module_name}', attribute, public)}")
    return as_backend(name, getattr(module, attribute))


def _module_in_file(name: str, path: Path) -> ModuleType:
    """The module in a file, loaded once; what lies beside the file can be imported by it."""
    if not path.is_file():
        raise RequestError(f"backend {name!r}: there is no file {str(path)!r}")
    module_name = f"{BACKEND_IN_FILE}{path.stem}"  # a file may be called like a module that is in use
    known = sys.modules.get(module_name)
    if known is not None and known.__file__ == str(path):
        return known
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # as an import would
    folder = str(path.resolve().parent)
    sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    finally:
        sys.path.remove(folder)
    return module


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """A framework may draw while it is imported, as JAX does: a person's function has to draw the same after it."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 # a person may draw from these
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002 # likewise


def resolve(backends: BackendSelection) -> dict[str, Backend]:
    """The backends by the names under which they are shown.

    Args:
        backends: names, `FILE.py:object`, `module:object`, or objects; a dict of what this function returned; or
            None for all that are installed.

    Returns:
        The Backend objects by their names.

    Raises:
        RequestError: no backend was named, or two have one name, or one does not exist or is broken.
    """
    if backends is None:
        return load_backends()[0]
    if isinstance(backends, Mapping):
        return dict(backends)
    if isinstance(backends, str):
        raise RequestError(f"backends = {backends!r}, expected a list of names such as [{backends!r}]")
    resolved: dict[str, Backend] = {}
    for entry in backends:
        backend = get_backend(entry) if isinstance(entry, str) else as_backend(repr(entry), entry)
        if backend.name in resolved:
            raise RequestError(f"two backends are called {backend.name!r}, expected different names")
        resolved[backend.name] = backend
    if not resolved:
        raise RequestError("no backend was named, expected at least one")
    return resolved
