"""A server that follows the rollout file: the challenger is opened beside what answers and joins between two requests.

A share that becomes smaller, or a challenger that goes, counts at the next look; nothing is opened for it. A file that
cannot be read is told, counted and left: the last good one goes on.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from mlctl import config, ramp, rollout
from mlctl.errors import MlctlError
from mlctl.rollout import Note, Rollout, Traffic
from mlctl.rollout.detector import Detector
from mlctl.server.flags import Daemon
from mlctl.server.variants import Trial
from mlctl.spec import Guards
from mlctl.workspace import Places

if TYPE_CHECKING:
    from mlctl.server.answering import Answering
    from mlctl.server.recommending import Recommending

_LOOK_S: Final = 0.25


class Following:
    """The rollout file of a project, as one server follows it."""

    def __init__(
        self,
        answering: Answering | Recommending,
        places: Places,
        now: Callable[[], datetime],
        tell: Callable[[str], None],
    ) -> None:
        self._answering, self._places, self._now, self._tell = answering, places, now, tell
        self._stamp: tuple[int, int, int] | None = None
        self._wanted = Rollout()
        self._refused: set[tuple[str, str]] = set()
        self._known: dict[str, Any] = {}
        self._daemon: Daemon | None = None
        self._opening: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        answering.trials.end = self._end

    async def follow(self) -> None:
        """Looks again and again, until it is cancelled."""
        try:
            while True:
                self._look()
                await asyncio.sleep(_LOOK_S)
        finally:
            if self._daemon is not None:
                self._daemon.close()

    def _look(self) -> None:
        with suppress(OSError):
            found = self._places.rollout.stat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._wanted = rollout.read(self._places)
                except MlctlError as error:
                    self._answering.measures.refused_release()
                    self._tell(f"the new rollout is not taken, the last one goes on: {' '.join(str(error).split())}")
        self._apply()

    def _apply(self) -> None:
        """Brings what answers to what the file says, as far as it is open."""
        variants, wanted = self._answering.variants, self._wanted.traffic
        now = variants.trial
        refused = (self._wanted.seal, wanted.challenger) in self._refused
        # a challenger is tried against its own champion alone, which may still be on its way
        if wanted.mode == "off" or refused or wanted.champion != variants.release:
            if now is not None:
                self._take(None)
            return
        if now is not None and now.challenger.release.id == wanted.challenger:
            if now.traffic != wanted:
                self._take(replace(now, traffic=wanted))
            return
        if now is not None:
            self._take(None)
        challenger = self._known.get(wanted.challenger)
        if challenger is not None:
            self._take(Trial(self._places.name, wanted, challenger, Detector(self._guards()), self._falls()))
        elif self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open(self._wanted))

    def _falls(self) -> Callable[[str], str] | None:
        """Who answers a key, where a daemon says so."""
        flags = self._answering.options.flags
        if flags.kind == "file":
            return None
        if self._daemon is None:
            self._daemon = Daemon(self._places.name, flags)
            self._tell(f"the flagd daemon on {flags.host}:{flags.port} says who gets the challenger")
        return self._daemon.variant

    def _guards(self) -> Guards:
        """What the project allows a challenger; the defaults where only releases lie."""
        try:
            return config.read_params(self._places).rollout.guards
        except MlctlError as error:
            self._tell(f"the guards of a challenger are the defaults: {' '.join(str(error).split())}")
            return Guards()

    def _take(self, trial: Trial | None) -> None:
        self._answering.variants.trial = trial
        self._answering.measures.traffic(Traffic() if trial is None else trial.traffic)
        self._tell(f"challenger: {shown(trial)}")

    async def _open(self, wanted: Rollout) -> None:
        """Opens a challenger beside what answers; one that cannot be tried leaves everybody to the champion."""
        identity, folder = wanted.challenger, self._places.releases / wanted.challenger
        try:
            found, why = await asyncio.to_thread(self._answering.open_challenger, folder)
        except (MlctlError, OSError, ValueError, KeyError) as error:
            why = " ".join(str(error).split())
        if why:
            self._refused.add((wanted.seal, identity))
            self._answering.measures.refused_release()
            self._tell(f"challenger {identity} is not taken, the champion answers everybody: {why}")
        else:
            self._known = {identity: found}
        self._opening = None
        self._apply()

    def _end(self, trial: Trial) -> None:
        """Writes down that a challenger was sent away."""
        self._refused.add((self._wanted.seal, self._wanted.challenger))
        self._answering.measures.traffic(Traffic())
        task = asyncio.get_running_loop().create_task(asyncio.to_thread(self._written, trial, self._now()))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _written(self, trial: Trial, at: datetime) -> None:
        by = f"mlctl serve, pid {os.getpid()} on {socket.gethostname()}"
        note = Note(by, at, f"sent away: {trial.detector.tripped}", trial.detector.evidence())
        try:
            ramp.send_away(self._places, trial.traffic.challenger, note)
        except MlctlError as error:
            self._tell(
                f"the rollout file still names it, for this server alone it is off: {' '.join(str(error).split())}"
            )


def shown(trial: Trial | None) -> str:
    """What a challenger does, for people."""
    if trial is None:
        return "none; the champion answers everybody"
    does = f"answers {trial.traffic.percent:g} %" if trial.traffic.weight else "answers in the background"
    return f"{trial.challenger.release.id} {does}"
