"""Damaged and foreign case files are refused in one line; writing is whole or not at all."""

import json
import os

import numpy as np
import pytest
from gradparity.backends import FeedForward, InvalidProblemError, Problem, Recurrent, RequestError, Window


@pytest.fixture
def problem():
    return Problem.from_seed(Recurrent("rnn", 3, 5, 4), seq_len=7, batch_size=2, seed=0)


def refused(path):
    with pytest.raises(InvalidProblemError) as error:
        Problem.load(path)
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_a_missing_file(tmp_path):
    assert "no such file" in refused(tmp_path / "none.npz")


def test_a_folder(tmp_path):
    assert "cannot be read" in refused(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04 half a zip"])
def test_a_file_that_is_no_npz(tmp_path, content):
    path = tmp_path / "case.npz"
    path.write_bytes(content)
    assert "damaged, or not an .npz file" in refused(path)


def test_a_truncated_file_at_every_length(tmp_path, problem):
    path = problem.save(tmp_path / "case.npz")
    content = path.read_bytes()
    for kept in range(0, len(content), 97):
        path.write_bytes(content[:kept])
        refused(path)


def test_a_changed_number(tmp_path, problem):
    path = problem.save(tmp_path / "case.npz")
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["params.W"][0, 0] += 1
    np.savez(path, **arrays)
    assert "do not match the fingerprint" in refused(path)


def test_a_flipped_bit_is_refused_or_without_meaning(tmp_path, problem):
    path = problem.save(tmp_path / "case.npz")
    content = path.read_bytes()
    accepted = 0
    for place in range(0, len(content), 11):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            assert Problem.load(path).fingerprint == problem.fingerprint  # a bit of no meaning, such as a date
            accepted += 1
        except InvalidProblemError:
            continue
    assert accepted < len(content) / 20


WINDOW = Recurrent("rnn", 3, 5, 4, truncation=Window(2))


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (WINDOW, "family", "Recurent"),
        (WINDOW, "family", None),
        (WINDOW, "family", ["Recurrent"]),
        (WINDOW, "cell", "rn"),
        (WINDOW, "hidden_size", "five"),
        (WINDOW, "bias", 1),
        (WINDOW, "colour", "green"),
        (WINDOW, "truncation", "window"),
        (WINDOW, "truncation", 2),
        (WINDOW, "truncation", []),
        (WINDOW, "truncation", {"kind": "windows", "steps": 2}),
        (WINDOW, "truncation", {"kind": "window"}),
        (WINDOW, "truncation", {"kind": "window", "steps": 0}),
        (FeedForward((3, 4)), "sizes", 3),
        (FeedForward((3, 4)), "sizes", [[3], [4]]),
        (FeedForward((3, 4)), "sizes", {"3": 4}),
    ],
)
def test_a_header_with_a_model_that_is_none(tmp_path, model, field, value):
    sizes = dict.fromkeys(model.LEADING, 2)
    path = Problem.from_seed(model, **sizes, seed=0).save(tmp_path / "case.npz")
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(str(arrays.pop("header")))
    header["model"][field] = value
    np.savez(path, header=np.array(json.dumps(header)), **arrays)
    assert "not a valid gradparity case" in refused(path)


@pytest.mark.parametrize("header", [{}, {"model": None}, {"model": 5}, {"model": []}, {"model": "Recurrent"}])
def test_a_header_without_a_model(tmp_path, header):
    path = tmp_path / "case.npz"
    np.savez(path, header=np.array(json.dumps({"format": "gradparity-case", "version": 1, **header})))
    assert "not a valid gradparity case" in refused(path)


def test_an_npz_from_elsewhere(tmp_path):
    path = tmp_path / "case.npz"
    np.savez(path, weights=np.zeros(3))
    assert "not a gradparity case of version 1" in refused(path)


def test_a_single_array(tmp_path):
    path = tmp_path / "case.npy"
    np.save(path, np.zeros(3))
    assert "expected an .npz file" in refused(path)


def test_an_array_that_needs_pickle_is_not_loaded(tmp_path):
    path = tmp_path / "case.npz"
    np.savez(path, header=np.array([{"evil": 1}], dtype=object))
    assert "without pickle" in refused(path)


def test_a_missing_array(tmp_path, problem):
    path = problem.save(tmp_path / "case.npz")
    with np.load(path) as archive:
        arrays = {name: array for name, array in archive.items() if name != "params.W"}
    np.savez(path, **arrays)
    assert "params has no 'W'" in refused(path)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, problem, monkeypatch):
    path = problem.save(tmp_path / "case.npz")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "replace", full)
    with pytest.raises(RequestError, match="No space left on device"):
        problem.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["case.npz"]


def test_a_folder_that_does_not_exist(tmp_path, problem):
    with pytest.raises(RequestError, match="cannot be written: No such file or directory"):
        problem.save(tmp_path / "none" / "case.npz")
