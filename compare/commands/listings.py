"""`gradparity systems`, `mistakes` and `backends`: what there is."""

from __future__ import annotations

from ..console import console
from ..display import listing_table
from ..export import SCHEMA, listing_json
from ..listings import backend_rows, mistake_rows, system_rows
from .options import STANDARD_OUTPUT, JsonOption, write


def systems_command(json: JsonOption = None) -> None:
    """List the systems of the catalogue."""
    _show_listing("systems", system_rows(), json)


def mistakes_command(json: JsonOption = None) -> None:
    """List the mistakes that `gradparity check` knows by name, and what to do about each."""
    _show_listing("mistakes", mistake_rows(), json)


def backends_command(json: JsonOption = None) -> None:
    """List the backends, and what is missing for those that cannot be used."""
    _show_listing("backends", backend_rows(), json)


def _show_listing(name: str, rows: list[dict[str, object]], json: str | None) -> None:
    if json != STANDARD_OUTPUT:
        console().print(listing_table(rows))
    if json is not None:
        write(json, listing_json({"schema": SCHEMA, name: rows}))
