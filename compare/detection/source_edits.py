"""Slips: small edits of the source text of a backward pass, as they happen to people who derive it by hand.

What may be edited stands between the comment `# backward` and the end of the file, or the comment `# end`.
"""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

INSTEAD = {"axis=0": "axis=1", "axis=1": "axis=0", "axis=-1": "axis=-2"}


class Slip(NamedTuple):
    """An edit of a program.

    Attributes:
        kind: such as `a factor dropped`.
        line: that was edited, from 1.
        was: what stood there, and `now` what does: the expression or the statement.
        source: of the whole program.
        lines: on which a finding tells of it: the edited line; those that use a variable whose statement is deleted;
            those of a loop that is run too seldom.
    """

    kind: str
    line: int
    was: str
    now: str
    source: str
    lines: frozenset[int]


class _Edit(NamedTuple):
    kind: str
    node: ast.AST
    now: str


def slips(source: str, seed: int = 0) -> Iterator[Slip]:
    """The slips that a program may have, of every kind in turn, in an order that a seed draws.

    Args:
        source: of the program.
        seed: of the order.
    """
    by_kind: dict[str, list[_Edit]] = defaultdict(list)
    for edit in _edits(source):
        by_kind[edit.kind].append(edit)
    shuffle = random.Random(seed).shuffle
    for edits in by_kind.values():
        shuffle(edits)
    while any(by_kind.values()):
        kinds = [kind for kind, edits in by_kind.items() if edits]
        shuffle(kinds)
        for kind in kinds:
            yield _slip(source, by_kind[kind].pop())


def _edits(source: str) -> Iterator[_Edit]:
    tree = ast.parse(source)
    lines = source.splitlines()
    first = next(number for number, line in enumerate(lines, 1) if line.strip() == "# backward")
    last = next((number for number, line in enumerate(lines, 1) if line.strip() == "# end"), len(lines))
    counts = {id(one) for node in ast.walk(tree) for one in _arithmetic_of_steps(node)}
    nodes = [one for one in ast.walk(tree) if first < getattr(one, "lineno", 0) <= last and id(one) not in counts]
    names = sorted({one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)})
    for node in nodes:
        if isinstance(node, ast.BinOp):
            yield from _of_operator(node)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
            yield from (_Edit("another variable", node, name) for name in names if name != node.id)
        elif type(node) in EDITS:
            yield from EDITS[type(node)](node)


def _arithmetic_of_steps(node: ast.AST) -> Iterator[ast.AST]:
    """What an index or the bounds of a range are made of: only as a whole it is edited."""
    if isinstance(node, ast.Subscript):
        yield from ast.walk(node.slice)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "range":
        for argument in node.args:
            yield from ast.walk(argument)


def _of_operator(node: ast.BinOp) -> Iterator[_Edit]:
    left, right = ast.unparse(node.left), ast.unparse(node.right)
    match node.op:
        case ast.Mult():
            yield _Edit("a factor dropped", node, left)
            yield _Edit("a factor dropped", node, right)
        case ast.Div():
            yield _Edit("a divisor dropped", node, left)
        case ast.Add():
            yield _Edit("minus for plus", node, f"({left} - {right})")
            yield _Edit("a term dropped", node, left)
            yield _Edit("a term dropped", node, right)
        case ast.Sub():
            yield _Edit("plus for minus", node, f"({left} + {right})")
            yield _Edit("a difference the other way round", node, f"({right} - {left})")
            yield _Edit("a term dropped", node, left)
        case ast.Pow():
            yield _Edit("a square dropped", node, left)
        case ast.MatMult():
            yield _Edit("a transposition added", node, f"{left} @ {right}.T")
            yield _Edit("a product the other way round", node, f"{right} @ {left}")


def _of_attribute(node: ast.Attribute) -> Iterator[_Edit]:
    if node.attr == "T":
        yield _Edit("a transposition left out", node, ast.unparse(node.value))


def _of_subscript(node: ast.Subscript) -> Iterator[_Edit]:
    if not isinstance(node.ctx, ast.Load):
        return
    of, index = ast.unparse(node.value), node.slice
    if isinstance(index, ast.Slice):
        if index.upper and not index.lower:
            yield _Edit("the other part", node, f"{of}[-{ast.unparse(index.upper)}:]")
        return
    is_step = isinstance(index, ast.Name | ast.BinOp)
    parts = [*index.elts] if isinstance(index, ast.Tuple) else [index] if is_step else []
    for number, part in enumerate(parts):
        if isinstance(part, ast.Name | ast.BinOp):
            for shift, kind in ((" + 1", "a step too late"), (" - 1", "a step too early")):
                others = [ast.unparse(one) for one in parts]
                others[number] += shift
                yield _Edit(kind, node, f"{of}[{', '.join(others)}]")


def _of_call(node: ast.Call) -> Iterator[_Edit]:
    name = ast.unparse(node.func)
    if name == "range":
        bounds = [ast.unparse(one) for one in node.args]
        if len(bounds) == 1:
            yield _Edit("a step left out", node, f"range(1, {bounds[0]})")
            yield _Edit("a step left out", node, f"range({bounds[0]} - 1)")
        else:
            yield _Edit("a step left out", node, f"range({bounds[0]} - 1, {', '.join(bounds[1:])})")
            yield _Edit("a step left out", node, f"range({bounds[0]}, {bounds[1]} + 1, {', '.join(bounds[2:])})")
    elif name.rpartition(".")[2] in ("sum", "mean"):
        taken = node.args[0] if node.args else node.func.value  # type: ignore[attr-defined]
        yield _Edit("a sum left out", node, ast.unparse(taken))
        text = ast.unparse(node)
        for was, now in INSTEAD.items():
            if was in text:
                yield _Edit("a sum over another axis", node, text.replace(was, now))


def _of_constant(node: ast.Constant) -> Iterator[_Edit]:
    if isinstance(node.value, float) or node.value in (1, 2):
        yield _Edit("another number", node, repr(node.value / 2))


def _of_assignment(node: ast.Assign) -> Iterator[_Edit]:
    yield _Edit("a statement deleted", node, "pass")
    if isinstance(node.value, ast.BinOp):
        yield _Edit("a sign", node.value, f"-({ast.unparse(node.value)})")


def _of_augmented(node: ast.AugAssign) -> Iterator[_Edit]:
    target, value = ast.unparse(node.target), ast.unparse(node.value)
    yield _Edit("a statement deleted", node, "pass")
    if isinstance(node.op, ast.Add):
        whole = f"{target}[...]" if target.startswith("self.") else target
        yield _Edit("= for +=", node, f"{whole} = {value}")
        yield _Edit("a sign", node, f"{target} -= {value}")


def _of_comparison(node: ast.Compare) -> Iterator[_Edit]:
    if isinstance(node.ops[0], ast.Gt):
        yield _Edit("another comparison", node, f"{ast.unparse(node.left)} < {ast.unparse(node.comparators[0])}")


EDITS: dict[type, Callable[..., Iterator[_Edit]]] = {
    ast.Attribute: _of_attribute,
    ast.Subscript: _of_subscript,
    ast.Call: _of_call,
    ast.Constant: _of_constant,
    ast.Assign: _of_assignment,
    ast.AugAssign: _of_augmented,
    ast.Compare: _of_comparison,
}


def _slip(source: str, edit: _Edit) -> Slip:
    node = edit.node
    lines = source.encode().splitlines(keepends=True)
    first, last = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
    before = b"".join(lines[:first]) + lines[first][: node.col_offset]  # type: ignore[attr-defined]
    after = lines[last][node.end_col_offset :] + b"".join(lines[last + 1 :])  # type: ignore[attr-defined]
    edited = before.decode() + edit.now + after.decode()
    was = source.encode()[len(before) : len(source.encode()) - len(after)].decode()
    where = {first + 1}
    if edit.kind == "a statement deleted":
        where |= _uses(edited, node, first + 1)
    elif edit.kind == "a step left out":
        where |= _loop(edited, first + 1)
    return Slip(edit.kind, first + 1, was, edit.now, edited, frozenset(where))


def _uses(source: str, statement: ast.AST, line: int) -> set[int]:
    """The lines from which on, or up to which, a variable has another value without a statement: those that read it."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target  # type: ignore[attr-defined]
    changed = [ast.unparse(one) for one in (target.elts if isinstance(target, ast.Tuple) else [target])]
    function = _innermost(source, line, ast.FunctionDef)
    return {
        node.lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Name | ast.Subscript | ast.Attribute) and ast.unparse(node) in changed
    }


def _loop(source: str, line: int) -> set[int]:
    loop = _innermost(source, line, ast.For)
    return {node.lineno for node in ast.walk(loop) if hasattr(node, "lineno")}


def _innermost(source: str, line: int, of_type: type) -> ast.AST:
    around = [node for node in ast.walk(ast.parse(source)) if isinstance(node, of_type)]
    around = [node for node in around if node.lineno <= line <= (node.end_lineno or line)]  # type: ignore[attr-defined]
    return max(around, key=lambda node: node.lineno)  # type: ignore[attr-defined]
