"""The environment's part of a configuration: `${oc.env:NAME}`, which only keys of secrets may hold.

It stays as it is in everything that is written down, and is filled in only where a secret is used.
"""

from __future__ import annotations

import os
import re
from typing import Final

from mlctl.errors import ConfigError

REFERENCE: Final = re.compile(r"\$\{oc\.env:([A-Za-z_][A-Za-z0-9_]*)(?:,([^}]*))?\}")
"""A reference to the environment: name, and default if it has one."""
SECRET_KEYS: Final = (
    "database.dsn",
    "sources.NAME.dsn",
    "alerts.NAME.url",
    "alerts.NAME.password",
    "alerts.NAME.secret",
)
"""The keys that may read the environment, for people."""
_SECRET_KEY: Final = re.compile(
    r"database\.dsn|sources\.[^.]+\.dsn|alerts\.[^.]+\.(url|password|secret|user|headers\.[^.]+)"
)


def is_secret(key: str) -> bool:
    """Whether a dotted key may hold `${oc.env:NAME}`, and is masked where it is shown.

    >>> is_secret("sources.orders.dsn"), is_secret("model.seed")
    (True, False)
    """
    return _SECRET_KEY.fullmatch(key) is not None


def from_environment(text: str, key: str) -> str:
    """The text of a secret key with `${oc.env:NAME}` filled in.

    Args:
        text: What the YAML says.
        key: The dotted key that holds it, for messages.

    Raises:
        ConfigError: The variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], match[2])
        if found is None:
            raise ConfigError.missing_environment(match[1], key)
        return found

    return REFERENCE.sub(value, text)


class untouched:  # noqa: N801 - reads as a phrase in `with`
    """While it holds, `${oc.env:NAME}` resolves to itself and the clock is refused: nothing of a machine gets in."""

    def __enter__(self) -> None:
        from omegaconf import OmegaConf

        def itself(name: str, *default: str) -> str:
            return "${oc.env:" + ",".join([name, *default]) + "}"

        def refused(*_: str) -> str:
            raise ValueError("what is composed may depend neither on the clock nor on the machine")

        OmegaConf.register_new_resolver("oc.env", itself, replace=True)
        for name in ("now", "hydra", "python_version"):
            OmegaConf.register_new_resolver(name, refused, replace=True)

    def __exit__(self, *_: object) -> None:
        from hydra.core.utils import setup_globals
        from omegaconf import OmegaConf
        from omegaconf.resolvers import oc

        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
        setup_globals()
