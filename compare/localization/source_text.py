"""A place in somebody's source, in the words that stand there: an expression, an operand, what it is assigned to."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import CodeType

from ...backends.errors import printable
from ...backends.tracing.places import Place

MOST_LETTERS = 80
RETURNED = "return"  # in the place of a variable: what a function returns
Span = tuple[int, int, int, int]


def expression(place: Place) -> str:
    """The expression, in backquotes.

    Example:
        >>> from gradparity.backends.tracing.places import current_place
        >>> expression(current_place())[-1]
        '`'
    """
    return _quoted(_source(place, place.span) if place.span else place.expression)


def operand(place: Place, number: int) -> str:
    """An operand of the expression, in backquotes; empty if the text does not tell which it is."""
    node = _node(place)
    parts: list[ast.expr] = []
    if isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
    elif isinstance(node, ast.AugAssign):
        parts = [node.target, node.value]
    elif isinstance(node, ast.UnaryOp):
        parts = [node.operand]
    elif isinstance(node, ast.Call) and not any(
        _is_text(one) for one in node.args
    ):  # an einsum has operands of its own
        receiver = _receiver(node, place.code.co_filename)
        parts = [*([receiver] if receiver else []), *node.args]
    return _quoted(ast.unparse(parts[number])) if number < len(parts) else ""


def _receiver(call: ast.Call, file: str) -> ast.expr | None:
    """What a method is called on; None of a function, be it one of a module, such as `np.exp`."""
    if not isinstance(call.func, ast.Attribute):
        return None
    root: ast.expr = call.func.value
    while isinstance(root, ast.Attribute):
        root = root.value
    is_module = isinstance(root, ast.Name) and root.id in _imported(file)
    return None if is_module else call.func.value


@lru_cache(maxsize=64)
def _imported(file: str) -> frozenset[str]:
    """The names that a file imports."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return frozenset({"np", "numpy"})
    imports = [one for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for one in node.names]
    return frozenset((one.asname or one.name).partition(".")[0] for one in imports)


def is_compound(text: str) -> bool:
    """Whether an expression belongs in parentheses where it is a part of another one.

    Example:
        >>> is_compound("1 + np.exp(a)"), is_compound("h[t]")
        (True, False)
    """
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return True
    return not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call | ast.Constant)


def is_number(text: str) -> bool:
    """Whether an expression is a number as it is written, such as `1` or `-0.5`.

    Example:
        >>> is_number("-0.5"), is_number("n")
        (True, False)
    """
    try:
        return isinstance(ast.literal_eval(text), int | float)
    except (SyntaxError, ValueError):
        return False


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def variable(place: Place) -> tuple[str, Place]:
    """What the whole expression is assigned to, such as `da`, and where; empty if it is a part of another one.

    What a helper function returns is what its caller assigns it to.
    """
    node = _node(place)
    if isinstance(node, ast.AugAssign):
        return printable(ast.unparse(node.target)), place
    targets = _targets(place.code.co_filename)
    span = place.span or (0, 0, 0, 0)
    if targets.get(span) == RETURNED:
        return variable(place.called_from) if place.called_from else ("", place)
    return printable(targets.get(span, "")), place


def argument_of_caller(place: Place, name: str) -> str:
    """What the caller passes for a parameter, in backquotes; empty if that cannot be told."""
    names = place.code.co_varnames[: place.code.co_argcount]
    if place.called_from is None or name not in names:
        return ""
    return operand(place.called_from, names.index(name))


def underlined(place: Place) -> list[str]:
    """The line of the place, and below it a mark under the expression."""
    text = linecache.getline(place.code.co_filename, place.line).rstrip("\n")
    span = place.span
    if not text.strip() or span is None:
        return []
    indent = len(text) - len(text.lstrip())
    start = len(text.encode()[: span[2]].decode(errors="replace"))
    stop = len(text.encode()[: span[3]].decode(errors="replace")) if span[1] == span[0] else len(text)
    return [printable(text[indent:], limit=len(text)), " " * (start - indent) + "^" * max(stop - start, 1)]


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return f"`{printable(text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + '…')}`"


def _source(place: Place, span: Span) -> str:
    first, last, start, end = span
    lines = [linecache.getline(place.code.co_filename, number).encode() for number in range(first, last + 1)]
    if not lines:
        return ""
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    return b"".join(lines).decode(errors="replace")


@lru_cache(maxsize=1024)
def _node(place: Place) -> ast.AST | None:
    """The expression, or the augmented assignment, that stands at a place."""
    if place.span is None:
        return None
    text = " ".join(line.strip() for line in _source(place, place.span).splitlines())
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        pass
    try:
        return ast.parse(text).body[0]
    except (SyntaxError, IndexError):
        return None


@lru_cache(maxsize=64)
def _targets(file: str) -> dict[Span, str]:
    """By the span of the right-hand side, what it is assigned to."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return {}
    found: dict[Span, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            _pair(node.targets[0], node.value, found)
        elif isinstance(node, ast.AnnAssign) and node.value:
            _pair(node.target, node.value, found)
        elif isinstance(node, ast.Return) and node.value:
            found[span_of(node.value)] = RETURNED
        elif isinstance(node, ast.Lambda):
            found[span_of(node.body)] = RETURNED
    return found


def _pair(target: ast.expr, value: ast.expr, found: dict[Span, str]) -> None:
    """`a, b = x, y` is two assignments."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for one, other in zip(target.elts, value.elts, strict=True):
            _pair(one, other, found)
    else:
        found[span_of(value)] = ast.unparse(target)


def span_of(node: ast.expr | ast.stmt) -> Span:
    """The first and the last line of an expression or a statement, and its first and last column."""
    return node.lineno, node.end_lineno or node.lineno, node.col_offset, node.end_col_offset or node.col_offset


def returned_at(code: CodeType, name: str) -> Place | None:
    """Where a function returns a gradient: the value that a dict, a call or a row of its last return has for it.

    Args:
        code: of the function.
        name: of the gradient, such as `dW`; it may be called `W` there.
    """
    called, function = {name, name.removeprefix("d")}, function_of(code)
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)] if function else []
    for node in ast.walk(returns[-1]) if returns else ():
        values: list[ast.expr] = []
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            values = [value for key, value in pairs if isinstance(key, ast.Constant) and key.value in called]
        elif isinstance(node, ast.Call):
            values = [one.value for one in node.keywords if one.arg in called]
        elif isinstance(node, ast.Tuple):
            values = [one for one in node.elts if ast.unparse(one).rpartition(".")[2] == name]
        for value in values:
            return place_of(code, span_of(value))
    return None


def place_of(code: CodeType, span: Span) -> Place | None:
    """The place of an expression of a function; None if no instruction carries it out."""
    found = (number for number, position in enumerate(code.co_positions()) if position == span)
    number = next(found, None)
    return None if number is None else Place(code, 2 * number)


def function_of(code: CodeType) -> ast.FunctionDef | None:
    """The text of a function; None if it cannot be read, or is a lambda."""
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first_lines = [node.lineno, *(one.lineno for one in node.decorator_list)]
            if code.co_firstlineno in first_lines:
                return node
    return None
