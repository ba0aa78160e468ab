"""How item vectors are indexed and searched, and when an index is too old: index."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mlctl.kinds import Record
from mlctl.times import Duration


class Decay(Record):
    """What an index may lose before it is told."""

    overlap: float = Field(
        default=0.5, ge=0, le=1, description="fewest of an item's neighbours that it must share with a week ago"
    )
    orphans: float = Field(
        default=0.01, ge=0, le=1, description="largest share of items that are gone, or that have no vector"
    )
    max_age: Duration = Field(default="90d", description="how old a vector may be")
    new_items: float = Field(
        default=0.01, gt=0, lt=1, description="p-value below which vectors of new items lie elsewhere than the others"
    )
    cold_traffic: float = Field(default=0.5, gt=0, le=1, description="largest share of answers to users in state cold")


class Index(Record):
    """How vectors are stored, searched and measured: mlctl index."""

    storage: Literal["vector", "halfvec"] = Field(
        default="vector", description="4 bytes a number, or 2 at half the precision"
    )
    m: int = Field(default=16, ge=2, le=100, description="links of an item in each layer of the HNSW graph")
    ef_construction: int = Field(default=64, ge=4, le=1000, description="how widely links are looked for in the build")
    recall: float = Field(
        default=0.95, ge=0, le=1, description="share of the exact neighbours that the search must find, by interval"
    )
    queries: int = Field(default=200, ge=20, le=10_000, description="how many users' vectors the recall is measured by")
    filters: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="filters whose recall is measured, by name: by column a value, several values, or min and max",
    )
    candidates: int = Field(
        default=1000,
        ge=100,
        le=5000,
        description="most items that are searched for, where the release must put them in order; as few as are enough",
    )
    release_below: int = Field(
        default=20_000,
        ge=0,
        description="of fewer items the release itself answers /recommend where parts of its model have no vectors: "
        "that is exact, and sooner done than many candidates are fetched",
    )
    release_numbers: int = Field(
        default=1_000_000,
        ge=0,
        description="with so many numbers in all vectors (items times dimension) the release itself answers /recommend "
        "also where vectors are its whole score: multiplying them takes less than asking the database",
    )
    memory_mb: int = Field(default=1024, ge=64, le=1_000_000, description="most memory of the build, in MiB")
    keep: int = Field(default=2, ge=1, le=100, description="generations of the index that are kept")
    connections: int = Field(
        default=2,
        ge=1,
        le=100,
        description="connections of one server to the database; more than its cores make each other wait",
    )
    timeout_ms: int = Field(
        default=100, ge=1, le=60_000, description="after waiting so long for the database, the fallback answers"
    )
    fallback: Literal["release", "popularity"] = Field(
        default="release",
        description="who answers while the database is away: the release's own vectors, exactly, or popularity",
    )
    decay: Decay = Field(default_factory=Decay, description="what an index may lose before it is told")
