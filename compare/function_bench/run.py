"""The course of a benchmark of functions: at each size all begin, are verified, and only then timed, in rounds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from ...backends import RequestError
from ...backends.checks import DTYPES, require_choice, require_integer
from ...backends.errors import DerivationError, unknown_name
from ..bench.run import ROUNDS, require_threads
from ..check.separate_process import TIMEOUT
from ..functions.drawn_arguments import DRAWS
from ..jobs import CaseProgress, locked, open_journal, thread_limits
from ..output import environment
from .frameworks import NUMPY
from .log import SOURCES, FunctionLog, read_function_log
from .measuring import Told, measure
from .recordings import Recordings
from .results import SCHEMA, FunctionBench, FunctionMeasurement
from .separate_candidate import Case, SeparateCandidate, Settings, Sizes
from .targets import Growth, Target, parse_growth, parse_targets


def run_function_bench(
    targets: Sequence[str],
    *,
    arguments: str = "",
    grow: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    returns: Sequence[str] | None = None,
    threads: int = 1,
    rounds: int = ROUNDS,
    timeout: float = TIMEOUT,
    log: Path | None = None,
    measured: Callable[[FunctionMeasurement], None] = lambda measurement: None,
    progress: CaseProgress = lambda label, done: None,
) -> FunctionBench:
    """Verifies and times functions that return a loss and gradients of the same arguments, each in its own process.

    Args:
        targets: the functions: `FILE.py:FUNCTION` or `MODULE:FUNCTION`, with `numpy:`, `torch:` or `jax:` before it
            where its framework is to be stated.
        arguments: `FILE.py:FUNCTION`, which draws what they are called with from a NumPy generator, or `FILE.npz`;
            empty means the function `arguments` beside the first one.
        grow: sizes that the arguments are drawn in, such as `T=10,100,1000`; one grows at a time.
        dtypes: to which floating-point arguments are rounded, `float64` and `float32`; none leaves them.
        returns: the names of what functions return that return it in a row.
        threads: of each function.
        rounds: how many; in each, every function is timed once.
        timeout: the most seconds that one call may take.
        log: a file that is written as measurements are made, and continued if it is there and the functions' files are
            as they were.
        measured: is called with each measurement, when it is there.
        progress: is called with what is measured, and how much is done.

    Returns:
        The measurements, or those that were made when it was interrupted.

    Raises:
        RequestError: an argument is wrong, or a function or its file is not there, or the log is of another benchmark
            or of other files.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from gradparity.compare.function_bench import run_function_bench
        >>> file = Path(tempfile.mkdtemp()) / "squares.py"
        >>> _ = file.write_text('''
        ... def arguments(rng, N=5):
        ...     return (rng.normal(size=N),)
        ... def one(w):
        ...     return (w * w).sum(), {"w": 2 * w}
        ... def other(w):
        ...     return w @ w, {"w": w + w}
        ... ''')
        >>> bench = run_function_bench([f"{file}:one", f"{file}:other"], rounds=1)
        >>> [(timing.backend, timing.framework, timing.verdict) for timing in bench.timings]
        [('one', 'numpy', 'accepted'), ('other', 'numpy', 'accepted')]
    """
    require_threads(threads)
    require_integer("rounds", rounds, at_least=1)
    if not 0 < timeout < math.inf:
        raise RequestError(f"timeout is {timeout:g}, expected a number of seconds above 0")
    for dtype in dtypes:
        require_choice("dtype", dtype, DTYPES)
    named, growths = parse_targets(targets), parse_growth(grow)
    if growths and arguments.endswith(".npz"):
        raise RequestError(
            f"{arguments}: its arrays have one size: --grow needs a function that draws, FILE.py:FUNCTION"
        )
    drawn_by = arguments or f"{named[0].path.rpartition(':')[0]}:{DRAWS}"
    settings = Settings(drawn_by, bool(arguments), tuple(returns) if returns else None, threads, timeout)
    sizes: list[Sizes] = [((growth.name, size),) for growth in growths for size in growth.values] or [()]
    cases = [Case(at, dtype) for dtype, at in product(dict.fromkeys(dtypes or [""]), sizes)]
    asked = {"schema": SCHEMA, "functions": list(targets), "arguments": drawn_by, "rounds": rounds}
    recorded = environment() | {
        "threads": thread_limits(threads),
        "bench": asked | {"timeout": timeout, "threads": threads},
    }
    header = {**asked, "threads": threads, "returns": list(settings.returns or ())}
    started, interrupted = time.perf_counter(), False
    measurements: list[FunctionMeasurement] = []
    try:
        with locked(log):
            told = _told(named, settings, cases, growths, progress)
            header[SOURCES] = {source: digest for one in told.values() for source, digest in one.sources.items()}
            known = read_function_log(log, header) if log else FunctionLog({}, 0)
            in_numpy = {target.name: target for target in named if told[target.name].framework == NUMPY}
            with (
                Recordings(in_numpy, settings) as recordings,
                open_journal(log, known.whole_bytes, header | {"environment": recorded}) as write,
            ):
                for case in cases:
                    progress(case.label, len(measurements))
                    measurement = known.measurements.get(case)
                    if measurement is None:
                        measurement = measure(named, told, settings, case, rounds, recordings)
                        write(measurement.as_json())
                    measurements.append(measurement)
                    measured(measurement)
    except KeyboardInterrupt:
        interrupted = True
    return FunctionBench(measurements, growths, recorded, interrupted, time.perf_counter() - started)


def _told(
    targets: Sequence[Target],
    settings: Settings,
    cases: Sequence[Case],
    growths: Sequence[Growth],
    progress: CaseProgress,
) -> dict[str, Told]:
    """What is known of each function before it is timed. A process tells it in which nothing is timed."""
    found: dict[str, Told] = {}
    for target in targets:
        progress(f"loading {target.name}", 0)
        with SeparateCandidate(target, settings) as candidate:
            for growth in growths:
                if growth.name not in candidate.sizes:
                    sizes = candidate.sizes
                    which = unknown_name("size", growth.name, sizes) if sizes else f"it takes no size {growth.name!r}"
                    raise RequestError(f"{settings.arguments}: {which}")
            try:
                found[target.name] = Told(*candidate.tell(cases[0], target.framework), sources=candidate.sources)
            except DerivationError as error:
                found[target.name] = Told(target.framework, {}, str(error), candidate.sources)
    return found
