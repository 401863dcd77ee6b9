"""Whether the installed version of a library lays its weights out as gradparity knows it.

A version that does not is told from a wrong layer or a wrong file: its own fresh cells have other names, shapes or
values than the layout.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from ..errors import RequestError
from ..layouts import get_layout
from .installed_cells import D, H, InstalledCell, Shapes, installed_cells

# The distributions, and the versions with which the layouts were checked: those of `constraints.txt`.
CHECKED = {
    "torch": ("torch", "2.13.0"),
    "flax-linen": ("flax", "0.12.8"),
    "flax-nnx": ("flax", "0.12.8"),
    "equinox": ("equinox", "0.13.8"),
    "haiku": ("dm-haiku", "0.0.17"),
    "keras": ("keras", "3.15.1"),
    "onnx": ("onnx", "1.23.2"),
}


def changed_layout(library: str, class_names: Collection[str] | None = None) -> str:
    """The line that says that an installed library has other weights than its layout knows.

    Args:
        library: one of `CHECKED`.
        class_names: of the classes that matter, without their modules; None means all.

    Returns:
        The line; empty if the names and shapes are those of the layout, or the library cannot be asked.

    Example:
        >>> changed_layout("equinox")
        ''
    """
    for cell in _askable(library):
        if class_names is None or cell.class_name.rpartition(".")[2] in class_names:
            difference = difference_of_names(library, cell)
            if difference:
                return f"{_lays_out(library, cell.class_name)}: {difference}; {_made_for(library)}"
    return ""


def names_of_changed_layout(library: str, names: Collection[str]) -> str:
    """The same, if exactly these are the names of the weights of a cell that has other ones than the layout knows.

    Args:
        library: one of `CHECKED`.
        names: of the weights of a layer in a file.

    Returns:
        The line; empty if these are not the names of such a cell.
    """
    starts = ("", *(get_layout(library).directions or ()))
    for cell in _askable(library):
        here = [start for start in starts if names and {f"{start}{name}" for name in cell.shapes} <= set(names)]
        is_all = here and sum(len(cell.shapes) for _ in here) == len(set(names))
        if is_all and difference_of_names(library, cell):
            return (
                f"these are the names of {cell.class_name} in {_installed(library)}, another version than gradparity "
                f"knows: {difference_of_names(library, cell)}; {_made_for(library)}"
            )
    return ""


def difference_of_names(library: str, cell: InstalledCell) -> str:
    """What a fresh cell has that its layout does not know, and what it has not; empty if there is no such weight."""
    layout = get_layout(library)
    expected: Shapes = {name: array.shape for name, array in layout.zeros(cell.model)[0].items()}
    if len(set(cell.shapes) & set(layout.other_names)) > len(set(cell.shapes) & set(expected)):
        expected = {name: cell.shapes.get(name, ()) for name in layout.other_names}
        try:
            layout.model_fields({name: np.zeros(shape) for name, shape in cell.shapes.items()})
        except RequestError as error:
            if set(cell.shapes) == set(expected):
                return str(error)
    more, fewer = (
        [name for name in one if name not in other] for one, other in ((cell.shapes, expected), (expected, cell.shapes))
    )
    words = [f"it has {name} {_in_letters(cell.shapes[name])}, which is not known" for name in more]
    words += [f"it has no {name}" for name in fewer]
    for name in expected.keys() & cell.shapes.keys():
        if cell.shapes[name] != expected[name]:
            words.append(f"its {name} is {_in_letters(cell.shapes[name])}, expected {_in_letters(expected[name])}")
    return ", ".join(words)


def changed_values(library: str, class_name: str, difference: float) -> str:
    """The line that says that an installed cell computes otherwise than its layout knows.

    Args:
        library: one of `CHECKED`.
        class_name: of the cell.
        difference: between its outputs and those of the layout's equations, on the same weights.

    Returns:
        The line; empty if there is no difference.

    Example:
        >>> changed_values("equinox", "equinox GRUCell", 0.0)
        ''
    """
    if not difference:
        return ""
    return (
        f"{_lays_out(library, class_name)}: with the same weights, its outputs are {difference:.2g} from those of the "
        f"layout's equations, as where gates have another order; {_made_for(library)}"
    )


def is_checked_version(library: str) -> bool:
    """Whether the installed version of a library is that with which its layout was checked.

    Example:
        >>> is_checked_version("nonesuch")
        False
    """
    if library not in CHECKED:
        return False
    distribution, checked = CHECKED[library]
    return _version(distribution).partition("+")[0] == checked  # 2.13.0+cpu is 2.13.0


def _askable(library: str) -> Iterator[InstalledCell]:
    """The installed cells; none of a library that is not installed, or that fails to make them."""
    try:
        yield from installed_cells(library)
    except Exception:  # whatever another version raises: nothing is said of it
        return


def _in_letters(shape: tuple[int, ...]) -> str:
    """(D, 3H) of the shape of a fresh cell."""
    letters = {D: "D", H: "H", D + H: "D+H"} | {k * H: f"{k}H" for k in (2, 3, 4)}
    sizes = [letters.get(size, str(size)) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _lays_out(library: str, class_name: str) -> str:
    return f"{_installed(library)} lays out {class_name} otherwise than gradparity knows"


def _installed(library: str) -> str:
    distribution = CHECKED[library][0]
    return f"{distribution} {_version(distribution)}"


def _made_for(library: str) -> str:
    return f"gradparity {_version('gradparity')} was made for {' '.join(CHECKED[library])}"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(of an unknown version)"
