"""Independent jobs with numbers, carried out by processes here, by any executor, or by a cluster."""

from .executors import Place, at_dask, at_executor, choose_place, here
from .gathering import Crew, crew
from .serving import Death, Served
from .shards import WHOLE, Shard, parse_shard
from .versions import like, require_same_versions

__all__ = [
    "WHOLE",
    "Crew",
    "Death",
    "Place",
    "Served",
    "Shard",
    "at_dask",
    "at_executor",
    "choose_place",
    "crew",
    "here",
    "like",
    "parse_shard",
    "require_same_versions",
]
