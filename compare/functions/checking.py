"""A person's own function, judged as it stands: are these the gradients of the loss that it returns?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ...backends import Backend, RequestError, load_backends
from ...backends.errors import DerivationError, first_line
from ...backends.registry import ENGINES
from ...backends.tracing.recorder import NotRecordableError
from ..check.repetition import asked_twice
from ..check.results import Asked, Check
from ..check.shrinking import SmallProblems
from ..check.wording import summary
from ..jobs import StageProgress
from ..localization import Localization, LossRepairs, Precision
from ..referee import Comparison, DisagreementError, compare, compare_certified_if_possible, findings
from .asked_function import AnyFunction, AskedFunction
from .calls import Function, loss_by_cotangent, name_of, named_arguments
from .likeness import likenesses
from .own_function import OwnFunction
from .recorded_function import CHANGES, Recorded, Setting
from .wrong_answers import common_repairs, is_loss_wrong, wrong_answers

MOST_FOR_JAX = 3000  # operations: JAX compiles them one by one
MOST_FOR_SPECIAL = 5000  # operations: a program that has more is asked with ordinary numbers only
MOST_ENTRIES = 100_000  # of a program that is enclosed with special numbers although no engine disagrees with it
SMALL_SIZES = (1, 2, 3)
MOST_ARRAYS = 8  # that are made large one by one
AS_GIVEN = Setting("as given")
ITS_OWN_LOSS = "the loss that it returns"
KEEP = 'Keep the case: .comparison.problem.save("case.npz") of this error.'


def check_gradients(
    function: Any,
    *arguments: Any,
    wrt: Mapping[str, str] | None = None,
    of: Function | None = None,
    vjp: tuple[Function, Function] | None = None,
    returns: Sequence[str] | None = None,
    certify: bool | None = None,
    ordinary_only: bool = False,
    diagnosis: bool = True,
    progress: StageProgress = lambda stage: None,
    **options: Any,
) -> Check:
    """Judges a function in NumPy that returns a loss and its gradients. Its own loss is the truth.

    The function runs as it stands. It is asked twice on each set of numbers, and runs once on arrays that remember what
    is done to them, and some times beside, to make sure that these can be trusted. What was recorded is differentiated
    by gradparity's own rules, enclosed in balls if `python-flint` is installed, and differentiated by PyTorch and JAX
    if they are. After its arguments as they are, it is asked with zeros and with large numbers in the arrays that are
    differentiated by. Whatever it can reach is afterwards as it was.

    Args:
        function: `function(*arguments) -> (loss, gradients)`, or with more after these. The gradients are a dict by the
            arguments' names, nested or not, or a tuple in the arguments' order.
        *arguments: what it is called with: arrays in float64 or float32, and whatever else it takes.
        wrt: for gradients whose name does not say it, the argument, such as `{"dWxh": "Wxh"}`; or a global of the
            function's module, or an attribute, such as `{"dW": "model.W"}`.
        of: another program in NumPy, whose loss is the right one, called with the same arguments, or those of them that
            it names. The function may then return gradients alone, and compute in any framework.
        vjp: `(forward, backward)` of a layer without a loss, in place of the function: all that is given by position
            are then arguments. The loss is the sum of the outputs times a cotangent that is drawn.
        returns: the names of all values if they are returned in a row, such as `("loss", "dWxh", "dWhh")`; what is
            called `_` is passed over.
        certify: whether the exact gradient is enclosed; None encloses it where that is possible, and for the special
            numbers of a large program where it disagrees with the engines.
        ordinary_only: ask it with the arguments as they are, and with no others.
        diagnosis: whether the line is looked for, if it is wrong.
        progress: is called with what is being done.
        **options: keyword arguments of the function.

    Returns:
        The judgement: its `verdict`, `rows()`, and what was `asked`. It never raises for gradients that are wrong.

    Raises:
        NotRecordableError: the loss cannot be followed; the message says what and where.
        DerivationError: the function fails, or returns something of another form, or it is not clear which argument a
            gradient belongs to.

    Examples:
        >>> import numpy as np
        >>> from gradparity.compare import check_gradients
        >>> def least_squares(w, x, y):
        ...     e = x @ w - y
        ...     return (e * e).sum(), {"w": x.T @ e}  # a factor of 2 is missing
        >>> check = check_gradients(least_squares, np.ones(2), np.eye(2), np.zeros(2))
        >>> check.verdict, {row["quantity"]: row["verdict"] for row in check.rows()}
        ('disagree', {'loss': 'right', 'dw': 'wrong'})
    """
    if vjp is not None:
        function, arguments = loss_by_cotangent(*vjp), (function, *arguments)
    elif not callable(function):
        raise RequestError(f"{function!r} is no function: expected check_gradients(function, *arguments)")
    given = named_arguments(function, arguments, options)
    own = OwnFunction(function, lambda setting: given, definition=of, wrt=wrt, returns=returns)
    return check_own(
        own,
        [AS_GIVEN],
        loss=ITS_OWN_LOSS if of is None else f"the loss that {name_of(of)} returns",
        certify=certify,
        ordinary_only=ordinary_only,
        diagnosis=diagnosis,
        progress=progress,
    )


def check_own(
    own: AnyFunction,
    settings: Sequence[Setting],
    *,
    loss: str,
    sizes: Mapping[str, int] | None = None,
    certify: bool | None = None,
    ordinary_only: bool = False,
    diagnosis: bool = True,
    progress: StageProgress = lambda stage: None,
) -> Check:
    """Asks a function at every setting, and then at the first one with special numbers.

    Args:
        own: the function.
        settings: the ordinary ones, at least one.
        loss: what defines the right answer, in words.
        sizes: with which the arguments are drawn, and which may be made smaller.
        certify: as for `check_gradients`.
        ordinary_only: as for `check_gradients`.
        diagnosis: as for `check_gradients`.
        progress: as for `check_gradients`.

    Returns:
        The judgement.

    Raises:
        NotRecordableError: as `check_gradients` does.
        DerivationError: as `check_gradients` does.
    """
    asked: list[Asked] = []
    notes: dict[str, None] = {}
    recorded: Recorded | None = None
    for setting in settings:
        progress(f"asking {own.name}: {setting.name}")
        recorded = own.record(setting)
        engines, missing = _engines(len(recorded.problem.model.operations), all_of_them=not asked)  # type: ignore[union-attr]
        asked.append(_asked(own, setting, recorded, engines, certify))
        notes |= dict.fromkeys([*_matched(recorded), *recorded.notes, *missing, *_own_rounding(own.name, asked[-1])])
        if asked[-1].verdict == "not reproducible":
            break
    assert recorded
    special = [] if ordinary_only or asked[-1].verdict == "not reproducible" else list(_special(recorded, settings[0]))
    operations = len(recorded.problem.model.operations)  # type: ignore[union-attr] # it is a recording
    if special and operations > MOST_FOR_SPECIAL:
        notes |= {f"special numbers were not asked: {operations} operations, and at most {MOST_FOR_SPECIAL} are": None}
        special = []
    wrong_at: Setting | None = None  # the first special one
    for setting in special:
        progress(f"asking {own.name}: {setting.name}")
        try:
            recorded = own.record(setting)
            engines, _ = _engines(0, all_of_them=False)
            one = _asked(own, setting, recorded, engines, certify)
        except (DerivationError, NotRecordableError, RequestError) as error:
            notes |= {f"not asked with {setting.name}: {first_line(error).partition(': ')[2]}": None}
            continue
        if not any(earlier.comparison.within_own_rounding for earlier in asked):
            notes |= dict.fromkeys(_own_rounding(own.name, one))
        if one.verdict == "undecidable":
            notes |= {f"with {setting.name} not everything can be decided: {_why_undecided(own.name, one)}": None}
        else:
            asked.append(one)
            if one.verdict == "disagree" and wrong_at is None:
                wrong_at = setting
    wrong = next((setting for setting, one in zip(settings, asked, strict=False) if one.verdict == "disagree"), None)
    small = SmallProblems()
    if wrong and sizes:
        progress("looking for the smallest arguments on which it is wrong")
        small = smallest_arguments(own, wrong, sizes)
    localization = Localization()
    if diagnosis and (located_at := wrong or wrong_at):
        repairs = _loss_repairs(own, settings, asked, progress)
        try:
            localization = located_after(own, located_at, repairs, loss, progress)
        except DerivationError as error:  # it took too long, or the process died of it
            notes |= {f"the line was not found: {first_line(error).partition(': ')[2]}": None}
    check = Check(
        own.name,
        loss,
        tuple(asked),
        small=small,
        output=own.output,
        notes=tuple(notes),
        is_catalogued=False,
        is_diagnosed=diagnosis,
        localization=localization,
    )
    return replace(check, notes=(*likenesses(check.comparisons, own.name), *check.notes))


def assert_gradients(function: Any, *arguments: Any, **options: Any) -> Check:
    """Passes if a function returns the gradients of the loss that it returns. For tests.

    Args:
        function: as for `check_gradients`.
        *arguments: as for `check_gradients`.
        **options: as for `check_gradients`.

    Returns:
        The judgement, whose verdict is `agree`.

    Raises:
        DisagreementError: a gradient is wrong, or cannot be decided, or another call gives another answer.
        NotRecordableError: as `check_gradients` does.
        DerivationError: as `check_gradients` does.

    Examples:
        >>> import numpy as np
        >>> from gradparity.compare import assert_gradients
        >>> assert_gradients(lambda w: ((w * w).sum(), (2 * w,)), np.ones(3)).verdict
        'agree'
    """
    check = check_gradients(function, *arguments, **options)
    if check.verdict != "agree":
        assert check.first_wrong
        raise DisagreementError(check.first_wrong, report=summary(check, next_step=KEEP))
    return check


def smallest_arguments(own: AnyFunction, setting: Setting, sizes: Mapping[str, int]) -> SmallProblems:
    """Draws smaller and smaller arguments, as long as a function is wrong on them.

    Args:
        own: the function.
        setting: at which it is wrong.
        sizes: what can be made smaller, with the usual values.

    Returns:
        The smallest on which it is wrong: no single size can be made smaller, as far as was tried.
    """
    smallest: Comparison | None = None
    tried = 0

    def wrong_at(smaller: Mapping[str, int]) -> Comparison | None:
        nonlocal tried
        tried += 1
        at = replace(setting, name="smaller", sizes=tuple(smaller.items()))
        try:
            recorded = own.record(at)
            comparison = _asked(own, at, recorded, _engines(0, all_of_them=False)[0], certify=False).comparison
        except (DerivationError, RequestError):  # not every function takes every size
            return None
        return comparison if comparison.has_wrong_numbers(own.name) else None

    current = dict(sizes)
    for size in SMALL_SIZES:
        smaller = {name: min(size, usual) for name, usual in sizes.items()}
        if found := wrong_at(smaller):
            current, smallest = smaller, found
            break
    for name in sizes:
        for size in range(1, min(current[name], max(SMALL_SIZES) + 1)):
            if found := wrong_at({**current, name: size}):
                current[name], smallest = size, found
                break
    return SmallProblems(smallest, tried, wrong=1 if smallest else 0)


def _asked(
    own: AnyFunction, setting: Setting, recorded: Recorded, engines: Mapping[str, Backend], certify: bool | None
) -> Asked:
    derivation = AskedFunction(own, setting)
    backends: dict[str, Backend] = {own.name: derivation, **engines}

    def ask(problem: Any) -> Comparison:
        spread = partial(own.rounding, setting)
        if certify is None:
            if setting.change and sum(problem.model.sizes.values()) > MOST_ENTRIES:
                comparison = compare(problem, backends, own_spread=spread)
                if comparison.verdict_on(own.name) != "disagree":
                    return comparison
            return compare_certified_if_possible(problem, backends, own_spread=spread)
        return compare(problem, backends, certify=certify, own_spread=spread)

    return asked_twice(derivation, recorded.problem, setting.name, ask, is_ordinary=not setting.change)


def located_after(
    own: AnyFunction, setting: Setting, repairs: LossRepairs, right_loss: str, progress: StageProgress
) -> Localization:
    """Where a function is wrong: in its forward pass, and in its way back after the first change of that.

    Args:
        own: the function.
        setting: at which it is wrong.
        repairs: of its forward pass.
        right_loss: which loss these give, in words.
        progress: is called with what is being done.

    Returns:
        The places, layer by layer.

    Raises:
        DerivationError: the function fails.
    """
    progress("looking for the line")
    localization = own.locate(setting, progress, repairs.changes[0] if repairs.changes else None)
    precision = localization.precision
    if not repairs:
        return localization
    if repairs.rounded and not precision.located:
        precision = Precision(repairs.rounded)
    return replace(localization, loss_repairs=repairs, right_loss=right_loss, precision=precision)


def _loss_repairs(
    own: AnyFunction, settings: Sequence[Setting], asked: Sequence[Asked], progress: StageProgress
) -> LossRepairs:
    """What gives the right loss at all settings where its own is another one."""
    ordinary = [one.comparison for one, _ in zip(asked, settings, strict=False)]
    if not any(is_loss_wrong(comparison, own.name) for comparison in ordinary):
        return LossRepairs()
    progress("looking for what tells its loss from the right one")
    try:
        wrong = wrong_answers(ordinary, own.name)
        return common_repairs(own.loss_repairs(settings[one.at], one.right) for one in wrong)
    except DerivationError:
        return LossRepairs()


def _special(recorded: Recorded, setting: Setting) -> Iterator[Setting]:
    """Zeros, and large numbers: in all arrays, and in one after the other, since one can hide what another shows."""
    for change in CHANGES:
        yield replace(setting, name=change, change=change)
    arrays = list(recorded.paths)
    for name in arrays[:MOST_ARRAYS] if len(arrays) > 1 else ():
        yield replace(setting, name=f"{name} times 30", change="times 30", array=name)


def _engines(operations: int, *, all_of_them: bool) -> tuple[dict[str, Backend], list[str]]:
    """Who differentiates the recording: JAX, which takes long to compile, only the first one."""
    names = [name for name in ENGINES if all_of_them or name != "jax"]
    left_out = []
    if "jax" in names and operations > MOST_FOR_JAX:
        names.remove("jax")
        left_out = [f"JAX was not asked: {operations} operations, and it compiles at most {MOST_FOR_JAX} here"]
    engines, missing = load_backends(names)
    return engines, [*missing, *left_out]


def _why_undecided(name: str, asked: Asked) -> str:
    """What keeps a function from being judged at a setting, in words; the engines' failures are not its own."""
    comparison = asked.comparison
    of_function = replace(comparison, verdict="undecidable", failures=tuple(comparison.failures_of(name)))
    why, *_ = findings(of_function)
    if of_function.failures:
        return f"{why.removesuffix('.').removeprefix(f'{name}: non-finite: ')}, and so is that of every engine"
    return why.removesuffix(".")


def _own_rounding(name: str, asked: Asked) -> Iterator[str]:
    """What is right up to the function's own rounding alone, which is more than that of another way to write it."""
    labels = asked.comparison.within_own_rounding
    blocks = [block for block in asked.comparison.blocks if block.label in labels and block.scale]
    if blocks:
        largest = max(block.spread / block.scale for block in blocks)
        yield (
            f"{', '.join(labels)}: right up to rounding in the formulas of {name}, which loses digits: by up to "
            f"{largest:.1e} of the largest entry, where gradparity's own rules lose fewer ({asked.name})"
        )


def _matched(recorded: Recorded) -> Iterator[str]:
    """Which gradient was taken for that of which array, where that is not plain."""
    told = [
        (recorded.returned_as[name], path)
        for name, path in recorded.paths.items()
        if recorded.returned_as[name] not in (path, name)
    ]
    if told:
        (one, path), *others = told
        rest = "".join(f", {other} with respect to {way}" for other, way in others)
        yield f"{one} is the gradient with respect to {path}{rest}"
    if not recorded.gives_loss:
        yield "it returns no loss: that of the definition stands in its place"
