"""`gradparity diff`: two files of weights, of one library or of two, and how they differ in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

H = 5


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = torch.nn.ModuleDict(
        {"enc": torch.nn.LSTM(3, H), "dec": torch.nn.GRU(3, H, bidirectional=True), "fc": torch.nn.Linear(H, H)}
    )
    save_file(network.state_dict(), "a.safetensors")
    return network


def in_order_iofg(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            i, f, g, o = parameter.clone().chunk(4)
            parameter.copy_(torch.cat([i, o, f, g]))


def test_what_differs_is_said_of_every_layer_and_array(files, gradparity):
    in_order_iofg(files["enc"])
    with torch.no_grad():
        files["dec"].weight_hh_l0[3, 2] *= 1.01
        files["fc"].weight.copy_(files["fc"].weight.clone().T)
    save_file(files.state_dict(), "b.safetensors")
    code, out, _ = gradparity("diff", "a.safetensors", "b.safetensors")
    assert code == 1
    lines = out.splitlines()
    assert "dec, torch gru D=3 H=5, both directions" in lines
    assert any(
        "In the first direction: W of b.safetensors differs in one entry of 75, W[3, 2] by 1 %" in of for of in lines
    )
    assert "  The gates of b.safetensors are in the order i o f g, where i f g o belongs, by the numbers of" in out
    assert "fc.weight of b.safetensors is that of a.safetensors, transposed." in lines
    assert "1 other array is the same." in lines
    assert lines[-1] == "a.safetensors and b.safetensors: they differ"


def test_the_same_weights_of_two_libraries_are_the_same(files, gradparity):
    assert gradparity("convert", "a.safetensors", "k.npz", "--to", "keras", "--prefix", "enc")[0] == 0
    code, out, _ = gradparity("diff", "a.safetensors", "k.npz", "--prefix", "enc")
    assert code == 0
    assert out.splitlines() == [
        "a.safetensors: enc, torch lstm D=3 H=5; k.npz: keras lstm D=3 H=5",
        "  The same weights.",
        "a.safetensors and k.npz: the same",
    ]


def test_a_forget_bias_that_was_left_out_is_told_from_the_numbers(files, gradparity):
    gradparity("convert", "a.safetensors", "tf.npz", "--to", "tf1", "--prefix", "enc", "--forget-bias", "1")
    arguments = ("diff", "a.safetensors", "tf.npz", "--prefix", "enc", "--to", "tf1")
    code, out, _ = gradparity(*arguments)
    assert code == 1
    assert "smaller by" in out
    assert "in the gate f, as by the forget bias that some libraries add when they run." in out
    assert gradparity(*arguments, "--forget-bias", "1")[0] == 0


def test_layers_that_cannot_be_laid_beside_each_other_are_told_apart(files, gradparity):
    save_file(torch.nn.LSTM(4, H, num_layers=2).state_dict(), "other.safetensors")
    code, out, _ = gradparity("diff", "a.safetensors", "other.safetensors", "--prefix", "enc")
    assert code == 1
    assert "a.safetensors has 3 inputs, and other.safetensors 4." in out
    assert "a.safetensors has 1 layers, and other.safetensors 2." in out
    code, out, _ = gradparity("diff", "a.safetensors", "other.safetensors", "--prefix", "dec")
    assert "a.safetensors is a GRU, and other.safetensors an LSTM." in out


def test_what_one_file_alone_has_is_told(files, gradparity):
    state = {name: array for name, array in files.state_dict().items() if not name.startswith("dec")}
    save_file(state | {"extra": torch.ones(2)}, "b.safetensors")
    code, out, _ = gradparity("diff", "a.safetensors", "b.safetensors")
    assert code == 1
    assert "a.safetensors alone has the layer 'dec'." in out
    assert "b.safetensors alone has 'extra'." in out


def test_of_other_numbers_it_is_said_that_no_convention_explains_them(files, gradparity):
    other = torch.nn.LSTM(3, H)
    (folder := Path("deep/other")).mkdir(parents=True)
    save_file(other.state_dict(), folder / "a.safetensors")
    _, out, _ = gradparity("diff", "a.safetensors", "deep/other/a.safetensors", "--prefix", "enc")
    assert "No convention of the libraries explains that." in out
    assert out.splitlines()[-1] == "a.safetensors and other/a.safetensors: they differ"


def test_layers_of_two_names_are_compared_on_request(files, gradparity):
    two = torch.nn.ModuleDict({"x": torch.nn.LSTM(3, H), "y": torch.nn.LSTM(3, H)})
    save_file(two.state_dict(), "two.safetensors")
    _, out, _ = gradparity("diff", "a.safetensors", "two.safetensors")
    assert "Layers of two names are compared with --prefix and --other-prefix." in out
    code, out, _ = gradparity("diff", "a.safetensors", "two.safetensors", "--prefix", "enc", "--other-prefix", "y")
    assert code == 1
    assert out.startswith("a.safetensors: enc, torch lstm D=3 H=5; two.safetensors: y, torch lstm D=3 H=5")


def test_a_reset_that_both_files_tell_is_compared(tmp_path, monkeypatch, gradparity):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    kernels = {"kernel": rng.standard_normal((3, 12)), "recurrent_kernel": rng.standard_normal((4, 12))}
    bias = rng.standard_normal(12)
    np.savez("before.npz", **kernels, bias=bias)
    np.savez("after.npz", **kernels, bias=np.stack([bias, np.zeros(12)]))
    code, out, _ = gradparity("diff", "before.npz", "after.npz", "--from", "keras", "--to", "keras")
    assert code == 1
    assert "The reset of before.npz is before, and that of after.npz after." in out


def test_the_document_has_what_the_terminal_says(files, gradparity):
    in_order_iofg(files["enc"])
    with torch.no_grad():
        files["dec"].weight_ih_l0[:2] = 7
    save_file(files.state_dict(), "b.safetensors")
    code, out, _ = gradparity("diff", "a.safetensors", "b.safetensors", "--json", "-")
    assert code == 1
    document = json.loads(out)
    assert document["verdict"] == "differ"
    by_layer = {layer["layers"][0]: layer for layer in document["layers"]}
    assert "i o f g" in by_layer["enc"]["sentences"][0]
    (difference,) = by_layer["dec"]["differences"]
    assert (difference["parameter"], difference["count"], difference["values"][1]) == ("U", 6, 7.0)
    assert document["same_others"] == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("missing.npz", "a.safetensors"), "missing.npz"),
        (("a.safetensors", "a.safetensors", "--prefix", "encoder"), "no layer is called 'encoder'"),
        (("a.safetensors", "a.safetensors", "--from", "tensorflow"), "tensorflow"),
        (("a.safetensors", "a.safetensors", "--reset", "never"), "expected 'after' or 'before'"),
    ],
)
def test_a_wrong_request_is_one_line(files, gradparity, arguments, expected):
    code, out, err = gradparity("diff", *arguments)
    assert (code, out) == (2, "")
    assert expected in err
    assert len(err.strip().splitlines()) == 1


def test_files_without_anything_in_common_are_not_compared(files, gradparity):
    np.savez("c.npz", q=np.ones(3))
    np.savez("d.npz", p=np.ones(3))
    code, out, _ = gradparity("diff", "c.npz", "d.npz")
    assert code == 2
    assert "nothing could be compared" in out


def test_other_arrays_are_compared_in_words(files, gradparity):
    weight = np.random.default_rng(0).standard_normal((3, 4))
    changed = weight.copy()
    changed[1, 2] = 9
    np.savez("c.npz", half=weight, scaled=weight, entry=weight, reshaped=weight, kind=weight, same=weight)
    np.savez(
        *("d.npz",),
        **{"half": weight.astype("f2").astype("f8"), "scaled": 2 * weight, "entry": changed},
        **{"reshaped": weight.reshape(4, 3), "kind": weight.astype(int), "same": weight},
    )
    _, out, _ = gradparity("diff", "c.npz", "d.npz")
    assert "half of d.npz is that of c.npz, rounded to float16." in out
    assert "scaled of d.npz is 2 times that of c.npz." in out
    assert "entry differs in one entry of 12, entry[1, 2]:" in out
    assert "reshaped of d.npz is that of c.npz, reshaped where it has to be transposed." in out
    assert "kind differs: float64 of shape (3, 4) in c.npz, and int64 of shape (3, 4) in d.npz." in out
    assert "1 other array is the same." in out
