"""Archives made to mislead: refused before what they claim is believed, as cases and as weights."""

from __future__ import annotations

import io
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from gradparity.backends import InvalidProblemError, Problem, Recurrent
from gradparity.backends.npz_files import MAX_BYTES, read_npz
from gradparity.backends.weight_files import read_weights


def npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def claiming(shape, data=b""):
    """An array file whose header claims a shape, before other data."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return content.getvalue() + data


def archive(path, *entries, compression=zipfile.ZIP_DEFLATED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as file:
        warnings.simplefilter("ignore")  # of a name that stands in it twice
        for name, content in entries:
            file.writestr(name, content)
    return path


ONES = npy(np.ones(3))
MISLEADING = {
    "twice": ([("W.npy", ONES), ("U.npy", ONES), ("W.npy", ONES)], "W stands in it twice"),
    "twice, once without .npy": ([("W.npy", ONES), ("W", ONES)], "W stands in it twice"),
    "twice, with an escape": ([("\x1b[2J.npy", ONES), ("\x1b[2J.npy", ONES)], r"\\x1b\[2J stands in it twice"),
    "no array": ([("W.npy", b"no array")], "W is no array"),
    "cut": ([("W.npy", ONES[:-8])], r"W has another size than its shape \(3,\) needs"),
    "longer": ([("W.npy", ONES + b"more")], "W has another size than its shape"),
    "huge shape": ([("W.npy", claiming((10**6, 10**7)))], "W has another size than its shape"),
    "huge shape, overflowing": ([("W.npy", claiming((2**62, 4)))], "W has another size than its shape"),
    "pickled": ([("W.npy", npy(np.array([{}], object)))], "W holds pickled objects"),
}


@pytest.mark.parametrize("read", [read_weights, Problem.load], ids=["weights", "case"])
@pytest.mark.parametrize("name", MISLEADING)
def test_a_misleading_archive_is_refused(tmp_path, name, read):
    entries, message = MISLEADING[name]
    with pytest.raises(InvalidProblemError, match=f"weights.npz: (damaged: )?{message}") as error:
        read(archive(tmp_path / "weights.npz", *entries))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [read_weights, Problem.load], ids=["weights", "case"])
def test_what_unpacks_to_more_than_the_limit_is_refused_before_it_is_unpacked(tmp_path, read):
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(64):
            file.writestr(f"{number}.npy", b"")
        for entry in file.infolist():  # as the list says of what compresses well
            entry.file_size = MAX_BYTES // 64 + 1
    tracemalloc.start()
    with pytest.raises(InvalidProblemError, match=r"weights\.npz: unpacks to 2 GiB, expected at most 2 GiB"):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_the_limit_counts_all_arrays_together(tmp_path):
    path = archive(tmp_path / "weights.npz", *((f"{name}.npy", ONES) for name in "abc"))
    for limit, fits in ((3 * len(ONES), True), (3 * len(ONES) - 1, False)):
        with open(path, "rb") as file:
            if fits:
                assert list(read_npz(path, file, max_bytes=limit)) == ["a", "b", "c"]
            else:
                with pytest.raises(InvalidProblemError, match="unpacks to"):
                    read_npz(path, file, max_bytes=limit)


def test_a_size_that_is_a_lie_is_damage(tmp_path):
    path = archive(tmp_path / "weights.npz", ("W.npy", npy(np.zeros(1000))))
    content = bytearray(path.read_bytes())
    size = (8128).to_bytes(4, "little")
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, (152).to_bytes(4, "little")))
    with pytest.raises(InvalidProblemError, match="damaged"):
        read_weights(path)


def test_every_kind_of_array_is_read_as_numpy_reads_it(tmp_path):
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "c": np.array(3.5),
        "d": np.zeros((0, 4), "f4"),
        "e": np.array("text"),
        "f": np.array([True]),
        "g": np.arange(3, dtype=">f8"),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "weights.npz", **arrays)
        read = read_weights(tmp_path / "weights.npz")
        assert list(read) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == array.dtype
    problem = Problem.from_seed(Recurrent("gru", 3, 5, 4), seed=0, seq_len=7, batch_size=2)
    assert Problem.load(problem.save(tmp_path / "case.npz")).fingerprint == problem.fingerprint
