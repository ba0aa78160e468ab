"""Who gets the challenger, by a flagd daemon: for fleets whose servers share no disk.

OpenFeature's provider holds the daemon's flags up to date by its sync stream and evaluates them here, so an answer
costs no network. While the daemon cannot be reached its last word counts; before its first one the champion answers.
"""

from __future__ import annotations

from typing import Any

from mlctl.rollout.flag_file import CHALLENGER, CHAMPION
from mlctl.serving.http import Flags


class Daemon:
    """The flag of one project."""

    def __init__(self, project: str, flags: Flags) -> None:
        from openfeature import api
        from openfeature.contrib.provider.flagd import FlagdProvider
        from openfeature.contrib.provider.flagd.config import ResolverType

        self._project = project
        self._provider = FlagdProvider(
            host=flags.host, port=flags.port, tls=flags.tls, resolver_type=ResolverType.IN_PROCESS
        )
        api.set_provider(self._provider, project)
        self._client: Any = api.get_client(project)

    def variant(self, key: str) -> str:
        """Who answers this key: champion or challenger."""
        from openfeature.evaluation_context import EvaluationContext

        details = self._client.get_string_details(self._project, "", EvaluationContext(key))
        return CHALLENGER if details.variant == CHALLENGER else CHAMPION

    def close(self) -> None:
        """Ends the stream."""
        self._provider.shutdown()
