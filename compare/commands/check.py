"""`gradparity check`: whether a gradient that was derived by hand is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Annotated

import typer

from ...backends import Problem, RequestError
from ...backends.checks import require_dtype
from ...backends.file_writing import require_folder
from ..check import check_derivation
from ..check.display import show_check
from ..check.export import check_json
from ..check.separate_derivation import SeparateDerivation
from ..check.separate_process import TIMEOUT
from ..functions.loss_of_network import with_own_loss
from ..functions.separate_function import check_own_target
from ..output import console, terminal_svg, working
from ..systems import SEEDS
from .options import (
    STANDARD_OUTPUT,
    JsonOption,
    ReportOption,
    SvgOption,
    parse_sizes,
    refusal_on_page,
    require_targets,
    typed_arguments,
    write,
)


def check_command(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="Your function: MODULE:FUNCTION or FILE.py:FUNCTION.")
    ],
    system: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The network it is derived for, in place of arguments: a name from `gradparity systems`, or your "
            "System: FILE.py:NAME.",
        ),
    ] = None,
    arguments: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What it is called with: FILE.py:FUNCTION, which draws it from a NumPy generator, or FILE.npz. "
            "Default: the function `arguments` beside it.",
        ),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(metavar="FILE.py:LOSS", help="Another program in NumPy, whose loss is the right one."),
    ] = None,
    wrt: Annotated[
        list[str] | None,
        typer.Option(metavar="GRADIENT=NAME", help="Which argument, global or attribute a gradient is of. Repeat."),
    ] = None,
    returns: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="The names of what it returns in a row: loss,dW,_,db."),
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, metavar="N", help="Repeat. Default: 0, 1 and 2.")] = None,
    dtype: Annotated[
        str | None,
        typer.Option(metavar="DTYPE", help="float64 or float32. Default: float64; of your own arguments, as they are."),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(metavar="T,B,D,H,K", help="Other sizes; of a feed-forward network B and those of its layers."),
    ] = None,
    seq_len: Annotated[int | None, typer.Option(min=1, metavar="T", help="Another number of steps.")] = None,
    scale: Annotated[
        float, typer.Option(metavar="FACTOR", help="Multiply all parameters, inputs and states.", show_default=False)
    ] = 1.0,
    ordinary_only: Annotated[
        bool, typer.Option("--ordinary-only", help="Ask no problems with special numbers or sizes.")
    ] = False,
    no_diagnosis: Annotated[
        bool, typer.Option("--no-diagnosis", help="Judge only: do not look for the mistake and its line.")
    ] = False,
    case: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.npz", help="A saved problem, in place of a system. Repeat.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="The most that one call of the function may take.")
    ] = TIMEOUT,
    save_case: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save the smallest problem on which it is wrong in DIR.")
    ] = None,
    json: JsonOption = None,
    svg: SvgOption = None,
    report: ReportOption = None,
) -> None:
    """Check a gradient that you derived by hand.

    Any function in NumPy that returns (loss, gradients) is judged as it
    stands: are these the gradients of the loss that it returns? What it is
    called with is drawn by a function arguments(rng) beside it, or given by
    --arguments.

    With --of, another program says what the loss is. With --system, a network
    does, and supplies the numbers: the function then takes (params, inputs,
    targets, h0), for an LSTM also c0, and may leave gradients out.

    It runs in a process of its own, twice on each set of numbers: ordinary
    ones and, so that nothing hides, zeros, large numbers and, of a network,
    confident predictions, one sample and 60 steps.

    [bold]Examples[/bold]

    gradparity check my_cell.py:loss_and_gradients

    gradparity check attention.py:backward --arguments attention.npz --of attention.py:loss

    gradparity check my_lstm.py:backward --system lstm --save-case cases
    """
    require_targets(json, svg, report=report)
    if save_case:
        require_folder(save_case)
    if not 0 < timeout < inf:
        raise RequestError(f"--timeout {timeout:g}: expected a number of seconds above 0")
    of_system = {"--sizes": sizes, "--seq-len": seq_len, "--scale": scale != 1 or None}
    of_own = {"--arguments": arguments, "--of": of, "--wrt": wrt, "--returns": returns}
    with refusal_on_page(report, context.obj), working("loading") as progress:
        if system is None and not case:
            refuse(of_system, "is about a network: expected --system NAME with it")
            check = check_own_target(
                target,
                arguments=arguments or "",
                of=of or "",
                wrt=parse_wrt(wrt or ()),
                returns=returns.split(",") if returns else None,
                seeds=seed or SEEDS,
                dtype=require_dtype(dtype).name if dtype else "",
                ordinary_only=ordinary_only,
                diagnosis=not no_diagnosis,
                timeout=timeout,
                progress=progress,
            )
        else:
            refuse(of_own, "says what a function is called with, or what is right, as --system and --case do")
            cases = [Problem.load(path) for path in case or ()]
            if cases and (seed or dtype):
                raise RequestError("--case FILE.npz has numbers of its own: leave out --seed and --dtype")
            with SeparateDerivation(target, timeout=timeout) as derivation:
                check = check_derivation(
                    derivation,
                    derivation.system(system) if system and ":" in system else system,
                    seeds=seed or SEEDS,
                    dtype=dtype or "float64",
                    sizes=parse_sizes(sizes) if sizes is not None else None,
                    seq_len=seq_len,
                    scale=scale,
                    ordinary_only=ordinary_only,
                    diagnosis=not no_diagnosis,
                    cases=cases,
                    progress=progress,
                )
            check = with_own_loss(check, target, timeout=timeout, progress=progress)
    failing = check.smallest or check.first_wrong
    saved = (
        failing.problem.save_in(save_case, check.system if check.is_catalogued else check.name)
        if save_case and failing
        else None
    )
    show_check(check, saved, console(stderr=json == STANDARD_OUTPUT))
    if json is not None:
        write(json, check_json(check))
    if svg is not None:
        write(str(svg), terminal_svg(context.obj, svg, lambda on: show_check(check, saved, on)))
    if report is not None:
        from ..check.report import check_page, source_lines
        from ..report import write_report

        sources = source_lines([target, of or "", system or ""])
        page = check_page(check, target=target, arguments=typed_arguments(context.obj), sources=sources)
        write_report(report, page)
    if check.verdict != "agree":
        raise typer.Exit(1 if check.is_judged else 2)


def refuse(options: Mapping[str, object], why: str) -> None:
    """Refuses the options that were given."""
    for option, given in options.items():
        if given is not None and given != ():
            raise RequestError(f"{option} {why}")


def parse_wrt(texts: Sequence[str]) -> dict[str, str]:
    """`dW=model.W` and so on, as a dict."""
    pairs = [text.partition("=") for text in texts]
    for text, (gradient, _, name) in zip(texts, pairs, strict=True):
        if not gradient or not name:
            raise RequestError(f"--wrt {text}: expected GRADIENT=NAME, such as dW=model.W")
    return {gradient: name for gradient, _, name in pairs}
