"""When the data is taken and where scores go: refresh, database."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field, model_validator

from mlctl.kinds import Record
from mlctl.times import Moment

_FROM_ENVIRONMENT: Final = re.compile(r"\$\{oc\.env:[^}]*\}")
_PASSWORD: Final = re.compile(r"://[^@/]*:[^@/]+@|password\s*=\s*\S", re.IGNORECASE)
NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")


def holds_password(dsn: str) -> bool:
    """Whether a connection string or URI has a password written into it, and not by `${oc.env:NAME}`.

    >>> holds_password("postgresql://ann:s3cret@db/x"), holds_password("postgresql://ann:${oc.env:PASSWORD}@db/x")
    (True, False)
    """
    return bool(_PASSWORD.search(_FROM_ENVIRONMENT.sub("", dsn)))


class Refresh(Record):
    """When the data is taken."""

    as_of: Moment | None = Field(
        default=None, description="moment of the snapshot (exclusive); default: the moment of mlctl ingest"
    )
    promote: Literal["by_hand", "gate"] = Field(
        default="by_hand",
        description="what makes a retrained release the champion: a person (or the end of a ramp), or the gate alone",
    )


class Database(Record):
    """Where scores go."""

    kind: Literal["embedded", "postgres"] = Field(
        default="embedded", description="embedded: a PostgreSQL of this workspace; postgres: the one that dsn names"
    )
    dsn: str | None = Field(default=None, repr=False, description="connection string; secrets by ${oc.env:NAME} only")
    schema_name: str = Field(
        default="public", alias="schema", pattern=f"^{NAME.pattern}$", description="schema of the scores view"
    )
    connect_timeout_s: int = Field(default=5, ge=1, le=300, description="seconds to wait for a connection")
    keep: int = Field(default=5, ge=1, le=1000, description="generations of scores that are kept")

    @model_validator(mode="after")
    def _dsn_of_postgres(self) -> Database:
        if (self.kind == "postgres") != (self.dsn is not None):
            raise ValueError("`kind: postgres` needs a `dsn`; `kind: embedded` has none")
        if self.dsn is not None and holds_password(self.dsn):
            raise ValueError("`dsn` holds a password; put the whole dsn into the environment, `dsn: ${oc.env:NAME}`")
        return self
