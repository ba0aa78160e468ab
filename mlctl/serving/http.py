"""Each request is answered while somebody waits: a release over HTTP, by `mlctl serve`.

Use it where a decision is needed at once, on what the request itself says. Not where a nightly list is enough: batch
scoring needs no server.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mlctl.kinds import Record
from mlctl.serving import ServingOptions


class Flags(Record):
    """Who says which entity gets the challenger."""

    kind: Literal["file", "flagd"] = Field(
        default="file", description="file: the rollout file; flagd: a daemon that reads that file, for fleets"
    )
    host: str = Field(default="localhost", description="the daemon's host")
    port: int = Field(default=8015, ge=1, le=65535, description="the port of the daemon's sync stream")
    tls: bool = Field(default=False, description="whether the stream is encrypted")


class Options(ServingOptions):
    """Options of serving over HTTP."""

    kind: Literal["http"] = Field(default="http", description="http")
    max_rows: int = Field(default=1000, ge=1, le=100_000, description="most rows of a request")
    max_bytes: int = Field(default=2**20, ge=1024, le=2**30, description="most bytes of a request's body")
    batch_rows: int = Field(default=256, ge=1, le=100_000, description="most rows that are scored together")
    queue_rows: int = Field(
        default=2000, ge=1, le=10_000_000, description="most rows that wait; who comes then is told to come again (503)"
    )
    timeout_ms: int = Field(
        default=1000, ge=1, le=600_000, description="after waiting so long a request gets the fallback"
    )
    body_timeout_ms: int = Field(
        default=10_000, ge=10, le=600_000, description="a body that has not come by then is refused (408)"
    )
    drain_s: float = Field(
        default=5.0,
        ge=0,
        le=600,
        description="after SIGTERM: most seconds in which open connections are still answered",
    )
    flags: Flags = Field(default_factory=Flags, description="who says which entity gets the challenger")
    log: Literal["none", "answers", "inputs"] = Field(
        default="answers",
        description="what is written down of each row: nothing, the answer, or also the features as they were sent",
    )


EXAMPLE: Final[dict[str, object]] = {"kind": "http", "timeout_ms": 200, "log": "inputs"}
