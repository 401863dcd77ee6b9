"""HDF5 files made to mislead: no other file is opened, and no more memory is taken than the arrays need."""

from __future__ import annotations

import tracemalloc
import zlib

import h5py
import numpy as np
import pytest
from gradparity.backends import InvalidProblemError
from gradparity.backends.weight_files import hdf5_process
from gradparity.backends.weight_files.hdf5 import read_entries
from gradparity.backends.weight_files.hdf5_process import read_hdf5


def made(tmp_path, fill, name="x.h5"):
    with h5py.File(tmp_path / name, "w") as file:
        fill(file)
    return tmp_path / name


def test_arrays_and_texts_are_read_and_groups_stay_in_order(tmp_path):
    def fill(file):
        file["b/kernel"] = np.arange(3.0)
        file["a/packed"] = np.arange(3)
        file["b"].attrs["name"] = "lstm"
        file["b"].attrs["names"] = ["x", "y"]
        file["text"] = "no array"
        file.create_dataset("z", data=np.arange(5000.0), compression="gzip", shuffle=True, fletcher32=True)

    held = read_hdf5(made(tmp_path, fill))
    np.testing.assert_array_equal(held.arrays["b/kernel"], np.arange(3.0))
    np.testing.assert_array_equal(held.arrays["z"], np.arange(5000.0))
    assert held.texts == {("b", "name"): "lstm"}
    assert held.arrays.keys() == {"b/kernel", "a/packed", "z"}


def test_groups_that_make_a_circle_are_read_once(tmp_path):
    def fill(file):
        file["a/kernel"] = np.ones(3)
        file["a/again"] = file["/"]
        file["a/self"] = file["a"]

    assert read_hdf5(made(tmp_path, fill)).arrays.keys() == {"a/kernel"}


def virtual(file):
    layout = h5py.VirtualLayout(shape=(3,), dtype="f4")
    layout[:] = h5py.VirtualSource("secret.h5", "x", shape=(3,))
    file.create_virtual_dataset("kernel", layout)


def huge(file):
    file.create_dataset("kernel", shape=(1 << 40, 1 << 10), dtype="f4", chunks=(64, 64))


def huge_chunk(file):
    file.create_dataset("kernel", shape=(3,), maxshape=(None,), dtype="f4", chunks=((1 << 29) + 1,))


def many(file):
    file["k"] = np.ones(3)
    for k in range(20):
        file.create_dataset(f"k{k}", shape=(1 << 26,), dtype="f4")


def other_filter(file):
    file.create_dataset("kernel", data=np.ones(100), compression="lzf")


def holes(file):
    file.create_dataset("kernel", shape=(1 << 28,), dtype="f4", chunks=(1 << 10,))[:5] = 1


def external_link(file):
    file["k"] = h5py.ExternalLink("secret.h5", "/x")


def soft_link(file):
    file["k"] = h5py.SoftLink("/x")


LIES = {
    "external link": (external_link, "a link to another place"),
    "soft link": (soft_link, "a link to another place"),
    "virtual": (virtual, "stands in other files"),
    "external storage": (
        lambda file: file.create_dataset("k", shape=(3,), dtype="f4", external=[("secret.bin", 0, 12)]),
        "stands in other files",
    ),
    "huge": (huge, "larger than 2 GiB together"),
    "huge chunk": (huge_chunk, "has chunks of 2 GiB"),
    "many": (many, "some of its numbers were never written"),
    "holes": (holes, "some of its numbers were never written"),
    "filter": (other_filter, "a filter that is not known"),
    "empty": (lambda file: file.__setitem__("k", h5py.Empty("f4")), "without a shape"),
}


@pytest.mark.parametrize("lie", LIES)
def test_files_that_mislead_are_refused_in_one_line(tmp_path, lie):
    fill, message = LIES[lie]
    path = made(tmp_path, fill)
    (tmp_path / "secret.bin").write_bytes(np.ones(3, "f4").tobytes())
    made(tmp_path, lambda file: file.__setitem__("x", np.ones(3, "f4")), "secret.h5")
    tracemalloc.start()
    with pytest.raises(InvalidProblemError, match=rf"^.*x\.h5: [^\n]*{message}[^\n]*$"):
        read_entries(path)
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()


def test_a_chunk_that_unpacks_to_more_than_its_shape_is_refused(tmp_path):
    bomb = zlib.compress(bytes(2**28), 9)

    def fill(file):
        dataset = file.create_dataset("kernel", shape=(64,), dtype="f4", chunks=(64,), compression="gzip")
        dataset.id.write_direct_chunk((0,), bomb)

    with pytest.raises(InvalidProblemError, match="a chunk unpacks to more than its shape needs"):
        read_hdf5(made(tmp_path, fill))


def test_groups_in_groups_without_end_are_stopped(tmp_path):
    path = made(tmp_path, lambda file: file.create_group("/".join("g" * 80)))
    with pytest.raises(InvalidProblemError, match="more than 64 levels"):
        read_hdf5(path)


def test_a_file_cut_short_anywhere_is_one_line(tmp_path):
    path = made(tmp_path, lambda file: file.create_dataset("a/kernel", data=np.ones((30, 30))))
    whole = path.read_bytes()
    for size in range(0, len(whole), 211):
        path.write_bytes(whole[:size])
        with pytest.raises(InvalidProblemError, match=r"^.*x\.h5: damaged[^\n]*$"):
            read_entries(path)
    with pytest.raises(InvalidProblemError, match=r"none\.h5: no such file"):
        read_hdf5(tmp_path / "none.h5")


def endless(path):
    """A text in the file's heap is longer than its room says: HDF5 looks for what follows it without end."""
    made(path.parent, lambda file: file.create_group("vars").attrs.__setitem__("name", "lstm"), path.name)
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 24 : heap + 32] = bytes(8)
    content[heap + 16 : heap + 18] = (9).to_bytes(2, "little")
    path.write_bytes(content)
    return path


def test_a_file_on_which_hdf5_loops_is_given_up(tmp_path):
    with pytest.raises(InvalidProblemError, match=r"x\.h5: damaged: it was not read within 1 s$"):
        read_hdf5(endless(tmp_path / "x.h5"), seconds=1)


def test_a_process_that_ends_by_itself_is_a_damaged_file(tmp_path, monkeypatch):
    path = made(tmp_path, lambda file: file.create_dataset("kernel", data=np.ones(3)))
    monkeypatch.setattr(hdf5_process, "__name__", "none")
    with pytest.raises(
        InvalidProblemError, match=r"x\.h5: damaged, or too large: HDF5 failed to read it \(exit code 1\)"
    ):
        read_hdf5(path)
