from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import RequestError
from gradparity.compare import SYSTEMS, assert_agree
from gradparity.compare.systems.datasets import load_dataset


@pytest.mark.parametrize("source", ["digits", "sunspots"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_references_agree_on_real_input(source, dtype):
    dataset = load_dataset(source)
    assert_agree(dataset.problem(SYSTEMS[dataset.default_system], seed=0, dtype=dtype))


def test_digits_are_read_row_by_row_with_the_label_at_every_step():
    dataset = load_dataset("digits")
    T, B, D = dataset.inputs.shape
    assert (T, D) == (8, 8)
    assert B >= 100  # a training accuracy in steps of at most a percent
    assert (dataset.inputs.min(), dataset.inputs.max()) == (0, 1)
    assert dataset.targets.shape == (8, B)
    assert set(dataset.targets[0]) == set(range(10))
    assert (dataset.targets == dataset.targets[0]).all()
    assert list(dataset.targets[0, :5]) == [0, 1, 2, 3, 4]  # as scikit-learn's images begin


def test_sunspots_are_predicted_one_year_ahead():
    dataset = load_dataset("sunspots")
    assert dataset.inputs.shape == dataset.targets.shape == (22, 8, 1)
    np.testing.assert_array_equal(dataset.inputs[1:], dataset.targets[:-1])


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_a_text_is_predicted_character_by_character(write):
    text = "das ist ein kurzer Text mit ä, ß und 漢字\n" * 3
    dataset = load_dataset(write("text.txt", text))
    assert dataset.output_size == len(set(text))
    assert dataset.inputs.shape == (25, 8, len(set(text)))
    alphabet = sorted(set(text))
    first = "".join(alphabet[i] for i in dataset.inputs[:, 0].argmax(axis=-1))
    following = "".join(alphabet[i] for i in dataset.targets[:, 0])
    assert (first, following) == (text[:25], text[1:26])
    last = "".join(alphabet[i] for i in dataset.targets[:, -1])
    assert last == text[-25:]  # the windows reach to the end
    assert_agree(dataset.problem(SYSTEMS["elman-softmax"], seed=0))


def test_two_characters_are_enough(write):
    dataset = load_dataset(write("text.txt", "ab"))
    assert dataset.inputs.shape == (1, 1, 2)
    assert_agree(dataset.problem(SYSTEMS["elman-softmax"], seed=0))


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("date,name,value\n2020-01-01,a,1.5\n2020-01-02,b,2.5\n2020-01-03,c,4\n", [1.5, 2.5, 4]),
        ("year;value;note\n1;10;x\n2;30;y\n3;20;z\n", [10, 30, 20]),
        ("1\n2\n4\n8\n", [1, 2, 4, 8]),
        ("city,2019,2020\nA,1,2\nB,3,5\n", [2, 5]),
        (",0\n0,7\n1,8\n", [7, 8]),
        ("value\n1e3\n-2e3\n0\n", [1000, -2000, 0]),
        ("a,b\n1,5\n2,\n3,7\n", [1, 2, 3]),
        ("\ufeffvalue\r\n1\r\n2\r\n", [1, 2]),
    ],
)
def test_the_last_whole_numeric_column_of_a_csv_is_taken(write, content, values):
    dataset = load_dataset(write("series.csv", content))
    series = np.array(values, dtype=float)
    standardized = (series - series.mean()) / series.std()
    np.testing.assert_allclose(np.append(dataset.inputs[0, 0], dataset.targets[:, 0, 0]), standardized, atol=1e-12)
    assert_agree(dataset.problem(SYSTEMS["elman-squared-error"], seed=0))


def test_a_constant_column_is_no_division_by_zero(write):
    for value in ("5", "0.1"):  # the mean of three times 0.1 is not 0.1
        inputs = load_dataset(write("series.csv", f"{value}\n{value}\n{value}\n")).inputs
        assert abs(inputs).max() < 1e-15


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", "", "is empty, expected at least 2 to predict one from the other"),
        ("one.txt", "a", "holds 1 character, expected at least 2"),
        ("same.txt", "aaaa", "only 'a' occurs, expected at least 2 different characters"),
        ("binary.txt", b"caf\xe9", "byte 3 is not UTF-8, expected a text file in UTF-8"),
        ("empty.csv", " \n", "is empty, expected a numeric column"),
        (
            "words.csv",
            "name,colour\na,red\nb,blue\n",
            "no numeric column: in each some cell is empty or no finite number",
        ),
        ("holes.csv", "value\n1\nnan\n3\n", "no numeric column"),
        ("header.csv", "value\n", "no numeric column"),
        ("single.csv", "value\n1\n", "holds 1 value, expected at least 2"),
        ("huge.csv", "1e308\n-1e308\n1e308\n", "the numbers are too large to be standardized"),
        ("data.json", "{}", "unknown data set"),
    ],
)
def test_a_file_with_nothing_to_predict_is_refused_in_one_line(write, name, content, message):
    with pytest.raises(RequestError) as error:
        load_dataset(write(name, content))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"none\.txt: no such file"):
        load_dataset(str(tmp_path / "none.txt"))


@pytest.mark.parametrize("name", ["mlp", "ordered-derivatives"])
def test_a_system_without_time_does_not_fit_a_sequence(name):
    with pytest.raises(RequestError, match=f"{name} has no time, but digits is a sequence: try elman-softmax"):
        load_dataset("digits").problem(SYSTEMS[name], seed=0)


@pytest.mark.parametrize("name", ["lstm", "gru-bidirectional", "elman-window"])
def test_every_recurrent_system_takes_the_sizes_of_the_data(name):
    problem = load_dataset("digits").problem(SYSTEMS[name], seed=0)
    assert (problem.model.input_size, problem.model.output_size, problem.seq_len) == (8, 10, 8)
    assert replace(problem.model, input_size=4, hidden_size=8, output_size=5) == SYSTEMS[name].model


def test_a_system_whose_loss_does_not_fit_the_data_is_refused_with_one_that_does():
    with pytest.raises(RequestError, match="sunspots needs squared_error: try elman-squared-error"):
        load_dataset("sunspots").problem(SYSTEMS["elman-softmax"], seed=0)
