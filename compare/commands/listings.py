"""`gradparity systems`, `mistakes` and `backends`: the lists."""

from __future__ import annotations

from typing import Any

from ...backends import RequestError, backend_names, default_backend_names, get_backend
from ...backends.registry import BACKENDS
from ..mistakes import MISTAKES, variants_to_plant
from ..output import SCHEMA, console, installed_version, listing_json, listing_table
from ..systems import SEEDS, SYSTEMS
from .options import STANDARD_OUTPUT, JsonOption, write


def systems_command(json: JsonOption = None) -> None:
    """List the systems of the catalogue, with their models and sizes."""
    _show_listing("systems", system_rows(), json)


def mistakes_command(json: JsonOption = None) -> None:
    """List the mistakes that `gradparity check` names, and the remedy for each."""
    _show_listing("mistakes", mistake_rows(), json)


def backends_command(json: JsonOption = None) -> None:
    """List the backends, and what is missing where one cannot be used."""
    _show_listing("backends", backend_rows(), json)


def _show_listing(name: str, rows: list[dict[str, object]], json: str | None) -> None:
    if json != STANDARD_OUTPUT:
        console().print(listing_table(rows))
    if json is not None:
        write(json, listing_json({"schema": SCHEMA, name: rows}))


def system_rows() -> list[dict[str, Any]]:
    """One row for each system of the catalogue."""
    return [
        {
            "system": system.name,
            "what": system.summary,
            "documents": " ".join(system.documents),
            "model": system.model.summary,
            "sizes": " ".join(
                [*(f"{letter}={size}" for letter, size in system.leading.items()), system.model.size_summary]
            ),
        }
        for system in SYSTEMS.values()
    ]


def mistake_rows() -> list[dict[str, Any]]:
    """One row for each mistake: where it can be made, its variants, and the equations that it violates."""
    where: dict[str, dict[str, None]] = {mistake.name: {} for mistake in MISTAKES}
    variants: dict[str, set[object]] = {mistake.name: set() for mistake in MISTAKES}
    equations: dict[str, set[int]] = {mistake.name: set() for mistake in MISTAKES}
    for system in SYSTEMS.values():
        problem = system.problem(seed=SEEDS[0])
        for mistake, variant in variants_to_plant(problem):
            where[mistake.name][problem.model.summary.partition(" (")[0]] = None
            variants[mistake.name].add((variant.words, str(variant.lines)))
            equations[mistake.name] |= set(variant.violates(problem))
    return [
        {
            "mistake": mistake.name,
            "in": ", ".join(where[mistake.name]),
            "variants": len(variants[mistake.name]),
            "equations": " ".join(map(str, sorted(equations[mistake.name]))),
            "remedy": mistake.remedy,
        }
        for mistake in MISTAKES
    ]


def backend_rows() -> list[dict[str, Any]]:
    """One row for each backend: whether it can be used, and if not, why. Loads them all."""
    rows = []
    for name in backend_names():
        reference = BACKENDS.get(name)
        summary, status = "", "ready" if name in default_backend_names() else "on request"
        try:
            summary = first_sentence(get_backend(name))
        except RequestError as error:
            status = str(error)
        version = installed_version(reference.package or reference.framework or "numpy") if reference else None
        rows.append({"backend": name, "what": summary, "version": version, "status": status})
    return rows


def first_sentence(backend: object) -> str:
    """The first line of a backend's docstring, as it describes itself."""
    lines = (type(backend).__doc__ or "").strip().splitlines()
    return lines[0].replace("`", "") if lines else ""
