"""The error tree: each class is one exit code, each situation is said once, by a named constructor.

A message always has the same four parts: *what* is wrong; *where* (file:line, column, row count, artefact); *why*; and
*next*, the command to type. Expected bad outcomes (a refused gate, a failed check) are reports and not exceptions,
until they must stop the command.

Exit codes: 0 done, 1 a bug, 2 ConfigError, 3 DataError, 4 the gate refused, 5 ConflictError, 6 IntegrityError,
7 ExternalError, 8 stopped but resumable, 9 a monitor's alarm, 130 interrupt, 143 terminate.
"""

from mlctl.errors._config import ConfigError, Fault
from mlctl.errors._data import DataError
from mlctl.errors._tree import (
    EXIT_ALARM,
    EXIT_BUG,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_REFUSED,
    EXIT_STOPPED,
    EXIT_TERMINATED,
    SIGKILL,
    MlctlError,
    Relayed,
    StoppedError,
    did_you_mean,
    first_line,
    listed,
)
from mlctl.errors._world import ConflictError, ExternalError, IntegrityError

__all__ = [
    "EXIT_ALARM",
    "EXIT_BUG",
    "EXIT_INTERRUPTED",
    "EXIT_OK",
    "EXIT_REFUSED",
    "EXIT_STOPPED",
    "EXIT_TERMINATED",
    "SIGKILL",
    "ConfigError",
    "ConflictError",
    "DataError",
    "ExternalError",
    "Fault",
    "IntegrityError",
    "MlctlError",
    "Relayed",
    "StoppedError",
    "did_you_mean",
    "first_line",
    "listed",
]
