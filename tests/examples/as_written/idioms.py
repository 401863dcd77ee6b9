"""Idioms of plain NumPy: `f(p, x)` is a number, `p = {"w": (3, 4)}`, x is (4,). No line of theirs may have to change."""
import math
import numpy, numpy as np
from numpy import tanh, zeros, dot
import numpy.linalg as la
def view_write(p, x):
    h = np.zeros((2, 3)); row = h[1]; row += p["w"] @ x; return (h ** 2).sum()
def swapaxes_write(p, x):
    h = np.zeros((2, 3)); h.T[:, 0] = p["w"] @ x; return np.sin(1.0) * (h ** 2).sum()
def reshape_write(p, x):
    h = np.zeros((2, 3)); f = h.reshape(6); f[:3] = p["w"] @ x; return (h ** 2).sum()
def ravel_iter(p, x): return sum(w * i for i, w in enumerate(p["w"].ravel()))
def from_import(p, x): return dot(tanh(p["w"]), x).sum() + zeros(2).sum()
def list_of_lists(p, x): return (np.array([[p["w"][0, 0], 2.0], [x[0], p["w"][1, 1]]]) ** 2).sum()
def np_array_list(p, x): return np.exp(-np.array([w @ x for w in p["w"]])).sum()
def math_functions(p, x): return math.exp(math.tanh(p["w"][0] @ x))
def float_call(p, x): return float(p["w"][0] @ x) ** 2 + (p["w"] ** 2).sum()
def item_call(p, x): return (p["w"][0] @ x).item() ** 2
def bool_mask(p, x):
    w = p["w"].copy(); w[w < 0] = 0; return (w @ x).sum()
def augmented_buffer(p, x):
    s = np.zeros(3)
    for k in range(4): s += p["w"][:, k] * x[k]
    return np.prod(s)
def logsumexp_reduce(p, x): return np.logaddexp.reduce(p["w"] @ x)
def sort(p, x): return (np.sort(p["w"] @ x) * np.arange(3)).sum()
def argmax_pick(p, x):
    s = p["w"] @ x; return s[np.argmax(s)]
def pinv_solve(p, x): G = p["w"] @ p["w"].T + np.eye(3); return la.solve(G, np.ones(3)).sum()
def power_float(p, x): return ((p["w"] ** 2 + 1) ** 1.5).sum() + np.sqrt(np.square(p["w"]).sum())
def vectorize(p, x): return np.vectorize(lambda t: 1 / (1 + np.exp(-t)))(p["w"]).sum()
def float32_buffer(p, x):
    r = np.zeros(3, dtype=np.float32); r[:] = p["w"] @ x; return r.sum()
def empty_like_input(p, x):
    r = np.empty_like(x); r[:3] = p["w"] @ x; r[3] = 1; return (r * r).sum()
