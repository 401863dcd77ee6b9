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


@pytest.mark.parametrize(
    ("content", "values", "column"),
    [
        ("date;value\n2020-01-01;1,5\n2020-01-02;2,5\n2020-01-03;4\n", [1.5, 2.5, 4], "'value'"),
        ("1\t0,25\n2\t0,5\n3\t,125\n", [0.25, 0.5, 0.125], "number 2"),
        ('day,value\nMo,"1,5"\nTu,"-2,25"\nWe,"3,0"\n', [1.5, -2.25, 3], "'value'"),
        ("0,1 1,5\n0,2 2,5\n0,3 4,5\n", [1.5, 2.5, 4.5], "number 2"),
        ("2020-01-01,1.5\n2020-01-02,2.5\n2020-01-03,4\n", [1.5, 2.5, 4], "number 2"),
        ("12:00;7\n12:05;8\n12:10;10\n", [7, 8, 10], "number 2"),
        ("   1.5\n  22.5\n 333.5\n", [1.5, 22.5, 333.5], "number 1"),
        (" 1 ,  5 \n 2 ,  7 \n 3 , 6.5 \n", [5, 7, 6.5], "number 2"),
        ("t,value,unit\n1,5,1\n2,7,1\n3,6,1\n", [5, 7, 6], "'value'"),
        ("value\n5e-324\n1.5e-323\n1e-323\n", [1, 3, 2], "'value'"),
        ("value\n1e-310\n3e-310\n2e-310\n", [1, 3, 2], "'value'"),
        ("value\n1e308\n-1e308\n0\n", [1, -1, 0], "'value'"),
    ],
)
def test_the_right_column_and_all_of_its_rows_are_taken(write, content, values, column):
    dataset = load_dataset(write("series.csv", content))
    series = np.array(values, dtype=float)
    standardized = (series - series.mean()) / series.std()
    np.testing.assert_allclose(np.append(dataset.inputs[0, 0], dataset.targets[:, 0, 0]), standardized, atol=1e-9)
    assert dataset.summary.startswith(f"the next value of column {column}: {len(values)} rows, from ")


def test_what_was_taken_is_printed(gradparity, write):
    write("series.csv", "date;value\n2020-01-01;1,5\n2020-01-02;2,25\n2020-01-03;4\n2020-01-04;3\n")
    code, out, _ = gradparity("compare", "--data", "series.csv", "--seed", 0, "--dtype", "float64")
    assert code == 0
    assert "note: series.csv: the next value of column 'value': 4 rows, from 1.5, 2.25, 4\n" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,5\n2,7\n3,9\n", "one column with decimal commas, or two columns of integers? A header row tells"),
        ("value\n1,5\n2,7\n", "row 2 has 2 cells and row 1 has 1: expected as many in each"),
        ("date,value\n2020-01-01,1,5\n2020-01-02,2,5\n", "row 2 has 3 cells and row 1 has 2"),
        ("a,b\n1,2\n3\n4,5\n", "row 3 has 1 cells and row 1 has 2"),
        ("a;b\nx;1,234\ny;5,678\n", "'1,234' may have thousands or decimals after its mark"),
        ('a,b\nx,"1,234.5"\ny,"5,678.5"\n', "'1,234.5' may have thousands or decimals after its mark"),
        ("a;b\nx;1.234,5\ny;5.678,5\n", "'1.234,5' may have thousands or decimals after its mark"),
        ("1e400\n1\n2\n", "'1e400' is too large for a number in float64"),
        ("value\n1\n-1e999\n2\n", "'-1e999' is too large for a number in float64"),
        ("12 kg,1\n3,2\n4,5\n", "row 1 has '12 kg' in a column of numbers: neither a name nor a number"),
        ("2020-01-01\n1\n2\n", "row 1 has '2020-01-01' in a column of numbers"),
        ("A,1\nB,3\nC,7\n", "row 1 may be a header or values"),
        ("nan\n1\n2\n", "no numeric column"),
        ("5\n5\n5\n", "every numeric column has the same number in all rows"),
        ("value\n0.1\n0.1\n0.1\n", "every numeric column has the same number in all rows"),
        ("a,b\n1,0\n1,0\n1,-0.0\n", "every numeric column has the same number in all rows"),
    ],
)
def test_a_csv_file_that_may_be_read_in_two_ways_or_says_nothing_is_refused(write, content, message):
    with pytest.raises(RequestError) as error:
        load_dataset(write("series.csv", content))
    assert f"series.csv: {message}" in str(error.value)
    assert "\n" not in str(error.value)


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
