"""PyTorch's files: tensors alone are loaded, whatever stands around them, and never code."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from gradparity.backends import InvalidProblemError, MissingFrameworkError, RequestError
from gradparity.backends.weight_files import read_weight_file, torch_files


def layer(**options):
    torch.manual_seed(0)
    return torch.nn.LSTM(3, 4, **options)


def state(prefix="", **options):
    return OrderedDict((prefix + name, tensor) for name, tensor in layer(**options).state_dict().items())


HELD = {
    "state dictionary": state("enc."),
    "checkpoint": {"epoch": 3, "state_dict": state("enc."), "optimizer_states": [{"state": {0: {"m": torch.ones(3)}}}]},
    "model": {"model": state("enc."), "config": {"hidden": 4, "names": ["a", None]}},
    "lightning": {"pytorch-lightning_version": "2.4.0", "state_dict": state("enc."), "loops": {}, "lr_schedulers": []},
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", HELD)
@pytest.mark.parametrize("name", ["w.pt", "w.bin"])
def test_state_dictionaries_are_read_through_what_is_around_them(tmp_path, kind, legacy, name):
    torch.save(HELD[kind], tmp_path / name, _use_new_zipfile_serialization=not legacy)
    (found,) = read_weight_file(tmp_path / name).layers
    assert (found.name, found.library, found.cell, found.unsupported) == ("enc", "torch", "lstm", "")
    for weight, tensor in state().items():
        np.testing.assert_array_equal(found.arrays[weight], tensor.numpy())


def test_several_layers_keep_their_names_and_half_precision_is_widened(tmp_path):
    tensors = {"a": state(num_layers=2, bidirectional=True), "b": {k: t.bfloat16() for k, t in state().items()}}
    torch.save(tensors, tmp_path / "w.pth")
    first, second = read_weight_file(tmp_path / "w.pth").layers
    assert (first.name, first.num_layers, first.bidirectional, second.name) == ("a", 2, True, "b")
    half = state()["weight_ih_l0"].bfloat16().float().numpy()
    np.testing.assert_array_equal(second.arrays["weight_ih_l0"], half)


def test_a_projection_is_said(tmp_path):
    torch.save(state(proj_size=2), tmp_path / "w.pt")
    (found,) = read_weight_file(tmp_path / "w.pt").layers
    assert found.unsupported.startswith("'weight_hr_l0' is among the layer's weights: a projection.")


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_a_file_is_not_run(tmp_path):
    trap = tmp_path / "ran"
    for name, held in {"m.pt": layer(), "t.pt": {"state_dict": state(), "hyper": Trap(trap)}}.items():
        torch.save(held, tmp_path / name)
        with pytest.raises(RequestError, match=rf"^[^\n]*{name}: it holds objects of [\w.]+, which are code[^\n]*$"):
            read_weight_file(tmp_path / name)
    (tmp_path / "p.pt").write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(RequestError, match=r"p\.pt: a pickle, which runs code when it is loaded"):
        read_weight_file(tmp_path / "p.pt")
    assert not trap.exists()


def test_the_lines_that_the_refusal_of_a_model_shows_make_a_file_that_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(layer(), "m.pt")
    with pytest.raises(RequestError) as error:
        read_weight_file(Path("m.pt"))
    exec(str(error.value).split("Where you trust it: ")[1])
    assert read_weight_file(Path("weights.pt")).layers[0].cell == "lstm"


@pytest.mark.parametrize("installed", ["2.5.1", "1.13.0+cpu"])
def test_a_torch_whose_loading_is_not_safe_is_refused(tmp_path, monkeypatch, installed):
    torch.save(state(), tmp_path / "w.pt")
    monkeypatch.setattr(torch_files, "version", lambda package: installed)
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("loaded"))
    with pytest.raises(MissingFrameworkError, match=r"needs torch 2\.6 or later, and .*CVE-2025-32434"):
        read_weight_file(tmp_path / "w.pt")


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_file_cut_short_anywhere_is_one_line(tmp_path, legacy):
    path = tmp_path / "w.pt"
    torch.save(state(), path, _use_new_zipfile_serialization=not legacy)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(InvalidProblemError, match=r"^[^\n]*w\.pt: damaged, or not a file of PyTorch[^\n]*$"):
            read_weight_file(path)


def test_tensors_that_repeat_one_number_are_refused_before_they_are_copied(tmp_path):
    torch.save({"weight_ih_l0": torch.ones(1).expand(1 << 20, 1 << 20)}, tmp_path / "w.pt")
    with pytest.raises(InvalidProblemError, match="larger than 2 GiB together"):
        read_weight_file(tmp_path / "w.pt")


def test_dictionaries_that_hold_each_other_again_and_again_are_looked_through_once(tmp_path):
    held = {"x": torch.ones(1)}
    for _ in range(50):
        held = {"a": held, "b": held}
    held["circle"] = held
    torch.save({**held, "enc": state(), "words": {f"word {k}": k for k in range(200_000)}}, tmp_path / "w.pt")
    file = read_weight_file(tmp_path / "w.pt")
    assert len(file.arrays) == 5
    assert [layer.name for layer in file.layers] == ["enc"]


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", b"")
    bomb = bytearray(content.getvalue())
    directory = bomb.index(b"PK\x01\x02")
    bomb[directory + 24 : directory + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    (tmp_path / "w.pt").write_bytes(bomb)
    with pytest.raises(InvalidProblemError, match="unpacks to 4 GiB"):
        read_weight_file(tmp_path / "w.pt")
