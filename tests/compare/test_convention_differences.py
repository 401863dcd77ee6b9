"""How weights differ, in words: every convention of the libraries, planted, is said; of other numbers nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import Problem, Recurrent
from gradparity.backends.layouts import LAYOUTS
from gradparity.compare.conversion.files_compared import HeldLayer
from gradparity.compare.differences.convention_differences import convention_differences
from gradparity.compare.differences.reading_words import native_gates
from gradparity.compare.differences.weight_differences import weight_differences
from sampling import case

H = 5
MODELS = {
    "lstm": Recurrent("lstm", 3, H, 1),
    "gru": Recurrent("gru", 3, H, 1),
    "before": Recurrent("gru", 3, H, 1, reset="before"),
    "rnn": Recurrent("rnn", 3, H, 1),
    "square": Recurrent("lstm", H, H, 1),
    "both": Recurrent("lstm", 3, H, 1, bidirectional=True),
    "stack": Recurrent("gru", H, H, 1, num_layers=3),
}


def drawn(model, seed=0):
    params = Problem.from_seed(model, seed=seed, seq_len=1, batch_size=1).params
    return {name: array for name, array in params.items() if name not in ("V", "c")}


def held(name, model, params, library="torch"):
    layout = LAYOUTS[library]
    return HeldLayer(name, layout, model, layout.from_params(model, params))


def said(model, change, library="torch"):
    """What is said of a layer B whose parameters are those of A after a change."""
    params = drawn(model)
    changed = {name: array.copy() for name, array in params.items()}
    change(changed)
    return convention_differences(held("A", model, params, library), held("B", model, changed, library))


def gates_in_order(*order):
    def change(params):
        for name in params:
            if name != "b_hn":
                parts = np.split(params[name], len(order))
                params[name] = np.concatenate([parts[k] for k in order])

    return change


def in_gate(k, gates, action, names=("U", "W", "b")):
    def change(params):
        for name in names:
            block = params[name][k * H : (k + 1) * H]
            block[...] = action(block)

    return change


def in_array(name, action):
    def change(params):
        params[name] = action(params[name])

    return change


def gate_by_gate(gates):
    return lambda array: np.concatenate([part.T for part in np.split(array, gates)])


def folded(params):
    params["b"][-H:] += params["b_hn"]
    params["b_hn"][:] = 0


def exchanged(params):
    params["U"], params["W"] = params["W"].copy(), params["U"].copy()


def wrongly_cut(params):
    both = np.concatenate([params["W"], params["U"]], axis=1)
    params["U"], params["W"] = both[:, :3], both[:, 3:]


def directions(params):
    for name in ("U", "W", "b"):
        params[name], params[f"{name}.reverse"] = params[f"{name}.reverse"], params[name]


def layers(params):
    for name in ("U", "W", "b", "b_hn"):
        params[f"layer0.{name}"], params[f"layer2.{name}"] = params[f"layer2.{name}"], params[f"layer0.{name}"]


def swapped_bias(params):
    params["b"][-H:], params["b_hn"] = params["b_hn"].copy(), params["b"][-H:].copy()


def other_units(params):
    order = np.array([2, 0, 4, 1, 3])
    rows = np.concatenate([H * k + order for k in range(4)])
    params |= {"U": params["U"][rows], "b": params["b"][rows], "W": params["W"][rows][:, order]}


PLANTED = {
    # the orders of the table: i f g o, i g f o, i o f g; r z n, z r n
    "i g f o": ("lstm", gates_in_order(0, 2, 1, 3), "The gates of B are in the order i g f o, where i f g o belongs"),
    "i o f g": ("lstm", gates_in_order(0, 3, 1, 2), "The gates of B are in the order i o f g, where i f g o belongs"),
    "z r n": ("gru", gates_in_order(1, 0, 2), "The gates of B are in the order z r n, where r z n belongs"),
    "U alone": (
        "lstm",
        in_array("U", lambda U: U[[*range(5), *range(15, 20), *range(5, 15)]]),
        "The gates of U of B are",
    ),
    # kernels of the other library's shape
    "W transposed": ("lstm", in_array("W", gate_by_gate(4)), "W of B is that of A, transposed gate by gate."),
    "U transposed": ("square", in_array("U", gate_by_gate(4)), "U of B is that of A, transposed gate by gate."),
    "rnn transposed": ("rnn", in_array("W", np.transpose), "W of B is that of A, transposed."),
    "reshaped": (
        "lstm",
        in_array("U", lambda U: U.T.reshape(U.shape)),
        "U of B is that of A, reshaped where it has to be",
    ),
    "reshaped back": ("gru", in_array("U", lambda U: U.reshape(U.T.shape).T), "U of B is that of A, reshaped where it"),
    "unit by unit": (
        "gru",
        in_array("W", lambda W: W.reshape(3, H, H).swapaxes(0, 1).reshape(W.shape)),
        "rows unit by unit",
    ),
    "[h; x]": ("lstm", wrongly_cut, "U and W of B are those of A, cut out of [W U] where the order is [U W]."),
    "U for W": ("square", exchanged, "U of B is W of A."),
    # σ(f + 1) at run time, and what is not 1
    "f + 1": (
        "lstm",
        in_gate(1, 4, lambda b: b + 1, ["b"]),
        "b of B is larger by exactly 1 in the gate f, as by the forget",
    ),
    "f − 1": ("lstm", in_gate(1, 4, lambda b: b - 1, ["b"]), "b of B is smaller by"),
    # h' = (1 − z) n + z h, or the other way
    "flip": (
        "gru",
        in_gate(1, 3, np.negative),
        "U, W and b of B have the opposite sign in the gate z: its z is 1 − z of A.",
    ),
    "flip before": ("before", in_gate(1, 3, np.negative), "have the opposite sign in the gate z: its z is 1 − z of A."),
    # biases: none, one, two, b_hn
    "no b": ("lstm", in_array("b", np.zeros_like), "b of B is zero, and not that of A."),
    "no b_hn": ("gru", in_array("b_hn", np.zeros_like), "b_hn of B is zero, and not that of A."),
    "b_hn added": ("gru", folded, "b of B is that of A, with b_hn added to b_n."),
    "b_n for b_hn": ("gru", swapped_bias, "b_hn of B is b_n of A."),
    "b twice": (
        "lstm",
        in_array("b", lambda b: 2 * b),
        "b of B is 2 times that of A, as a bias is that was added twice.",
    ),
    # [d, ·]: directions; `_l{k}`: layers
    "directions": (
        "both",
        directions,
        "The two directions are exchanged: B reads from the first step on with the weights",
    ),
    "layers": ("stack", layers, "The layers of B are layers 2, 1 and 0 of A."),
    # what the table does not have
    "units": ("lstm", other_units, "The hidden units of B are those of A in another order: 2 0 4 1 3."),
    "float16": (
        "lstm",
        in_array("W", lambda W: W.astype("float16").astype("float64")),
        "W of B is that of A, rounded to float16.",
    ),
    "scaled": ("lstm", in_array("W", lambda W: 0.5 * W), "W of B is 0.5 times that of A."),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_convention_is_said_and_explains_everything(planted):
    model, change, expected = PLANTED[planted]
    found = said(MODELS[model], change)
    assert any(expected in sentence for sentence in found.sentences), found.sentences
    assert found.is_whole
    assert len(found.sentences) <= 2


@pytest.mark.parametrize("library", LAYOUTS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "before", "rnn"])
def test_the_order_of_the_gates_is_said_in_the_librarys_own(library, cell):
    model = replace(MODELS[cell], activation="relu") if library == "haiku" and cell == "rnn" else MODELS[cell]
    if LAYOUTS[library].unsupported(model) or cell == "rnn":
        return  # it has no such cell, or the cell no gates
    params = drawn(model)
    params |= {"b_hn": np.zeros(H)} if "b_hn" in params else {}
    changed = dict(params)
    gates = model.gates
    gates_in_order(1, 0, *range(2, len(gates)))(changed)
    layout = replace(LAYOUTS[library], added_to_forget_gate=0.0)  # the rows as they are stored
    one, other = (
        HeldLayer(name, layout, model, layout.from_params(model, of))
        for name, of in zip("AB", (params, changed), strict=True)
    )
    found = convention_differences(one, other)
    native = native_gates(other)
    if native:
        exchange = str.maketrans(gates[:2], gates[1::-1])
        expected = f"are in the order {' '.join(native.translate(exchange))}, where {' '.join(native)} belongs"
    else:
        expected = f"are exchanged, by the numbers of A: its {gates[0]} is {gates[1]} and {gates[1]} is {gates[0]}."
    assert expected in found.sentences[0]
    assert found.is_whole


def test_what_a_library_adds_itself_is_in_no_row_of_its_files():
    layout, model = LAYOUTS["haiku"], MODELS["lstm"]
    (weights,) = layout.from_params(model, drawn(model))
    rows = np.r_[:H, 2 * H : 3 * H, H : 2 * H, 3 * H : 4 * H]
    other = {"linear.w": weights["linear.w"][:, rows], "linear.b": weights["linear.b"][rows]}
    found = convention_differences(
        *(HeldLayer(name, layout, model, [of]) for name, of in (("A", weights), ("B", other)))
    )
    assert found.sentences == ("The gates of B are in the order i f g o, where i g f o belongs, by the numbers of A.",)
    torch_layer = held("C", model, drawn(model) | {"b": layout.unpack(model, weights)["b"]})
    assert "larger by" in convention_differences(torch_layer, HeldLayer("A", layout, model, [weights])).sentences[0]


def test_the_native_orders_are_those_of_the_table():
    orders = {
        library: (native_gates(held("", MODELS["lstm"], drawn(MODELS["lstm"]), library)))
        for library in ("torch", "flax-linen", "haiku", "keras", "onnx", "mlx", "equinox", "tf1", "paddle")
    }
    four = dict.fromkeys(("torch", "keras", "mlx", "equinox", "paddle"), "ifgo")
    assert orders == four | {"flax-linen": "", "haiku": "igfo", "onnx": "iofg", "tf1": "igfo"}


def test_several_conventions_at_once_are_all_said():
    def change(params):
        gates_in_order(0, 3, 1, 2)(params)
        params["W"] = gate_by_gate(4)(params["W"])
        params["b"][H : 2 * H] += 1
        params["W"][7, 2] *= 1.01

    found = said(MODELS["lstm"], change)
    texts = "\n".join(found.sentences)
    assert "i o f g" in texts
    assert "W of B is that of A, transposed gate by gate." in texts
    assert "b of B is larger by" in texts
    assert "W of B differs in one entry of 100, W[7, 2] by 1 %" in texts
    assert len(found.sentences) == 4
    assert found.is_whole


@pytest.mark.parametrize(("kept", "dropped"), [("bias_ih", "bias_hh"), ("bias_hh", "bias_ih")])
def test_of_two_biases_the_one_that_is_dropped_is_named(kept, dropped):
    model = MODELS["lstm"]
    layer = held("A", model, drawn(model))
    rng = np.random.default_rng(1)
    (weights,) = layer.weights
    both = replace(layer, weights=[weights | {"bias_hh": rng.standard_normal(20)}])
    less = replace(layer, name="B", weights=[dict(both.weights[0]) | {dropped: np.zeros(20)}])
    which = {"bias_ih": "first", "bias_hh": "second"}
    found = convention_differences(both, less).sentences
    assert found == (f"b of B is the {which[kept]} of the two biases of A alone: the {which[dropped]} one is dropped.",)
    assert convention_differences(less, both).sentences == (
        f"b of A is the sum of two biases, of which B has the {which[kept]} alone.",
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", [case(seed, campaign=seed > 2) for seed in range(1, 6)])
def test_of_other_numbers_nothing_is_said(model, seed):
    one, other = (held(name, MODELS[model], drawn(MODELS[model], k)) for name, k in (("A", 0), ("B", seed)))
    found = convention_differences(one, other)
    assert (found.sentences, found.explained) == ((), ())


def test_a_kernel_is_reshaped_in_the_order_in_which_it_is_stored():
    """Keras has z r n: who reshapes its kernels for PyTorch has their rows in this order, and cut otherwise."""
    model = MODELS["gru"]
    keras_layer = held("A", model, drawn(model), "keras")
    (stored,) = keras_layer.weights
    other = {
        "weight_ih": stored["kernel"].reshape(3 * H, 3),
        "weight_hh": stored["recurrent_kernel"].reshape(3 * H, H),
        "bias_ih": stored["bias"][0],
        "bias_hh": stored["bias"][1],
    }
    found = convention_differences(keras_layer, HeldLayer("B", LAYOUTS["torch"], model, [other]))
    assert found.is_whole, found.sentences
    assert "U and W of B are those of A, reshaped where it has to be transposed." in found.sentences
    assert any("in the order z r n, where r z n belongs" in sentence for sentence in found.sentences)


@pytest.mark.parametrize("planted", ["", "order", "entry"])
def test_large_layers_are_read_to_the_last_entry(planted):
    model = Recurrent("lstm", 200, 200, 1)
    params = drawn(model)
    changed = {name: array.copy() for name, array in params.items()} if planted else drawn(model, 1)
    if planted == "order":
        gates_in_order(0, 3, 1, 2)(changed)
    if planted:
        changed["W"][301, 7] += 1
    found = convention_differences(held("A", model, params), held("B", model, changed))
    assert bool(found.sentences) == bool(planted)
    assert any("one entry of 160000" in sentence for sentence in found.sentences) == bool(planted)
    assert any("i o f g" in sentence for sentence in found.sentences) == (planted == "order")


def test_a_gate_that_no_convention_explains_is_named():
    rng = np.random.default_rng(3)
    found = said(MODELS["lstm"], in_gate(2, 4, lambda block: rng.standard_normal(block.shape), ["U"]))
    assert found.sentences == ("U of B differs in the gate g alone, and no convention explains it.",)
    assert found.explained == ("W", "b")


def test_what_holds_of_one_layer_alone_is_said_of_it():
    def change(params):
        params["layer1.W"] = gate_by_gate(3)(params["layer1.W"])

    assert said(MODELS["stack"], change).sentences == ("In layer 1: W of B is that of A, transposed gate by gate.",)


def test_the_same_weights_differ_in_nothing():
    layer = held("A", MODELS["stack"], drawn(MODELS["stack"]))
    assert convention_differences(layer, replace(layer, name="B")).sentences == ()
    assert weight_differences([layer, replace(layer, name="B")]) == ()


@pytest.mark.parametrize("zeros", ["b", "W"])
def test_zeros_fit_every_order_and_none_is_said_for_them(zeros):
    params = drawn(MODELS["lstm"]) | {zeros: np.zeros_like(drawn(MODELS["lstm"])[zeros])}
    changed = {name: array.copy() for name, array in params.items()}
    changed["U"][3, 1] += 1
    found = convention_differences(held("A", MODELS["lstm"], params), held("B", MODELS["lstm"], changed))
    assert not any("order" in sentence for sentence in found.sentences)
