import random
import subprocess
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from faults import Faulty, nothing
from gradparity.backends import (
    Backend,
    BrokenBackendError,
    MissingFrameworkError,
    RequestError,
    UnknownNameError,
    backend_names,
    get_backend,
    registry,
)


@pytest.mark.parametrize("name", backend_names())
def test_every_reference_is_a_backend_of_its_name(name):
    backend = get_backend(name)
    assert isinstance(backend, Backend)
    assert backend.name == name


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown backend 'troch': did you mean 'torch'"):
        get_backend("troch")


def in_a_fresh_process(preparation, name="torch"):
    """Asks for a backend after a preparation, and prints what was raised."""
    code = f"""
import sys
{preparation}
from gradparity.backends import get_backend
try:
    get_backend({name!r})
except Exception as error:
    print(type(error).__name__, error, sep=": ")
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_a_framework_that_draws_while_it_is_imported_moves_no_source_of_random_numbers(tmp_path):
    (tmp_path / "torch.py").write_text("import random, numpy; random.random(); numpy.random.rand(); raise OSError")
    preparation = f"""
sys.path.insert(0, {str(tmp_path)!r})
import atexit, random, numpy
random.seed(0); numpy.random.seed(0)
atexit.register(lambda: print(random.random(), numpy.random.rand()))
"""
    random.seed(0)
    expected = f"{random.random()} {np.random.RandomState(0).rand()}"  # what `np.random.seed` seeds
    assert in_a_fresh_process(preparation).splitlines()[1] == expected


def test_a_missing_framework_is_explained_with_the_command_that_installs_it():
    hide = "import importlib.util as u; find = u.find_spec; u.find_spec = lambda n: None if n == 'torch' else find(n)"
    assert in_a_fresh_process(hide) == (
        "MissingFrameworkError: backend 'torch' needs torch, which is not installed: pip install \"gradparity[torch]\""
    )


def test_a_broken_framework_is_called_broken(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libtorch_cpu.so: cannot open shared object file')")
    printed = in_a_fresh_process(f"sys.path.insert(0, {str(tmp_path)!r})")
    assert printed == (
        "BrokenBackendError: backend 'torch' needs torch, which is installed but fails to load: "
        "OSError: libtorch_cpu.so: cannot open shared object file"
    )


def test_missing_and_broken_are_import_errors():
    assert issubclass(MissingFrameworkError, ImportError)
    assert issubclass(BrokenBackendError, ImportError)


def test_an_entry_point_registers_a_backend(monkeypatch):
    point = EntryPoint("mine", "faults:Faulty", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    monkeypatch.setattr("faults.Faulty.__init__", lambda self: setattr(self, "name", "mine"))
    assert "mine" in backend_names()
    assert get_backend("mine").name == "mine"


def test_an_entry_point_does_not_replace_a_reference(monkeypatch):
    point = EntryPoint("manual", "faults:Faulty", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    assert backend_names().count("manual") == 1
    assert type(get_backend("manual")).__name__ == "ManualBackend"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:x", "backend 'no_such_module:x': there is no module 'no_such_module'"),
        ("no_such_file.py:x", "backend 'no_such_file.py:x': there is no file 'no_such_file.py'"),
        ("faults:Fault", "did you mean 'Faulty'?"),
        ("faults:nothing", "is not a Backend: it has no name, supports, evaluate, prepare"),
    ],
)
def test_a_wrong_module_and_object_is_explained(target, message):
    with pytest.raises(RequestError) as error:
        get_backend(target)
    assert message in str(error.value)


def test_a_module_that_fails_to_load_is_called_broken(tmp_path, monkeypatch):
    (tmp_path / "bad_backend.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BrokenBackendError, match="fails to load: ModuleNotFoundError: No module named"):
        get_backend("bad_backend:backend")


def test_a_backend_in_a_file_is_loaded_whatever_the_file_is_called_and_beside_what_it_lies(tmp_path):
    file = tmp_path / "random.py"
    file.write_text("from beside import Mine")
    (tmp_path / "beside.py").write_text(
        "from faults import Faulty\nclass Mine(Faulty):\n    def __init__(self):\n        super().__init__(None)"
    )
    backend = get_backend(f"{file}:Mine")
    assert isinstance(backend, Faulty)
    assert type(backend) is type(get_backend(f"{file}:Mine"))
    assert str(tmp_path) not in sys.path
    (tmp_path / "bad.py").write_text("import nothing")
    with pytest.raises(BrokenBackendError, match="fails to load: ModuleNotFoundError: No module named 'nothing'"):
        get_backend(f"{tmp_path / 'bad.py'}:backend")


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_a_backend_whose_name_raises_is_called_broken(error):
    class Nameless:
        @property
        def name(self):
            raise error("no name")

    with pytest.raises(BrokenBackendError, match=f"backend 'mine' fails at its name: {error.__name__}: no name"):
        registry.as_backend("mine", Nameless)


def test_a_member_that_is_none_is_missing():
    class NotPrepared(Faulty):
        prepare = None

    with pytest.raises(RequestError, match="backend 'mine' is not a Backend: it has no prepare"):
        registry.as_backend("mine", NotPrepared(nothing))
