"""`mlctl tune`: better options of the project's model, looked for on training rows alone.

Trials come in generations of a fixed size. What a generation tries depends on the finished generations and the seed and
on nothing else, so one worker or many, a kill in between, or several machines on one study end in the same study. The
test rows are never read. What is found is adopted only if it beats the present options by a paired 95 % interval.

The search is Optuna's TPE (Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011). After each
part of the rows a trial that is worse than the median of the earlier generations there is given up (Golovin et al.,
"Google Vizier", KDD 2017).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlctl import config, database, kinds
from mlctl.config import tuned
from mlctl.errors import ConfigError, Fault
from mlctl.files import canonical_json, lock, read_json, sha256_of, write_bytes
from mlctl.judging import ladder, splits
from mlctl.spec import Project
from mlctl.stages import Tell
from mlctl.stages._ground import Ground
from mlctl.stages._rows import classes, part
from mlctl.workspace import Places

if TYPE_CHECKING:
    import numpy as np
    import optuna

GENERATION: Final = 4
_SHARES: Final = (0.125, 0.25, 0.5, 1.0)
_PAUSE_S: Final = 0.2
_STALE_S: Final = 60


@dataclass(frozen=True)
class Tuned:
    """What tuning found.

    Attributes:
        study: Its id: a hash of rows, model, search space, metric and seed.
        trials: Trials that were finished or given up.
        metric: The metric that decides.
        before: Its value with the present options, on rows held out.
        after: Its value with the best ones.
        gain: Both ends of the paired 95 % interval of the gain, above 0 for better.
        options: The best options.
        adopted: Whether tuned.yaml was written.
        curve: The metric by share of the training rows.
        advice: What would help more: rows, or options.
    """

    study: str
    trials: int
    metric: str
    before: float
    after: float
    gain: tuple[float, float]
    options: Mapping[str, Any]
    adopted: bool
    curve: tuple[tuple[float, float], ...]
    advice: str

    def record(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {"format_version": "1.0", **vars(self), "gain": list(self.gain), "curve": [list(p) for p in self.curve]}


def tune(places: Places, project: Project, workers: int, tell: Tell) -> Tuned:
    """Looks for better options within the budget of `tune:`; the same command goes on where it was stopped.

    Raises:
        ConfigError: The project recommends items, or the model has nothing to be searched, or `tune.search` names no
            option of it.
        DataError: The training rows cannot be learnt from.
        IntegrityError: The training rows are missing or changed.
        ConflictError: Another process tunes this project in a study of this machine's own.
        ExternalError: The database of a shared study.
    """
    if project.ranks():
        raise ConfigError.no_tuning(places.name)
    rows, columns = part(places, "train")
    parts = tuple(splits.parts(project, rows))
    space = _space(project)
    ground = Ground(project, rows, columns, classes(places), parts, next(iter(project.metrics)), space)
    study_id = _identity(places, project, space)
    with _storage(places, project, study_id) as (storage, alone):
        with alone:
            study = _study(storage, study_id, ground)
        _search(study, ground, (workers, alone), tell)
        best = _best(study)
    return _told(places, ground, study_id, best, tell)


def _space(project: Project) -> dict[str, dict[str, Any]]:
    """By option of the model, its range."""
    own: Any = project.model
    module = kinds.load("models", own.kind)
    space = dict(project.tune.search or getattr(module, "SEARCH", {}))
    known = set(module.Options.model_fields)
    faults = [Fault(f"tune.search.{name}", f"{own.kind} has no option {name!r}") for name in space if name not in known]
    if not space:
        faults = [Fault("tune.search", f"there is nothing to be searched for {own.kind}", hint="give tune.search")]
    if faults:
        raise ConfigError.of_project(project.name, faults)
    return space


def _identity(places: Places, project: Project, space: Mapping[str, Any]) -> str:
    made = read_json(places.features / "report.json")
    fixed = {key: value for key, value in project.model.model_dump(mode="json").items() if key not in space}
    said = [places.name, made["train"]["sha256"], fixed, dict(space), next(iter(project.metrics)), project.tune.seed]
    return sha256_of(canonical_json(said))[:16]


@contextmanager
def _storage(places: Places, project: Project, study_id: str) -> Iterator[tuple[Any, AbstractContextManager[None]]]:
    """Where the study lies, and the lock that lets one process at a time begin a generation."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if not project.tune.shared:
        folder = places.state / "tune"
        folder.mkdir(parents=True, exist_ok=True)
        with lock(folder / f"{study_id}.lock", f"the study {study_id} of projects/{places.name}"):
            _clear(folder / f"{study_id}.journal")
            storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / f"{study_id}.journal")))
            yield storage, nullcontext()
        return
    where = config.with_secrets(project.database)
    with database.open_database(where, Path.cwd()) as connection:
        url = f"postgresql+psycopg://?{_query(connection.info.get_parameters())}"
        alone = _one_at_a_time(connection, study_id)
        # two processes that make the tables at once would refuse each other
        with alone, warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            rdb = optuna.storages.RDBStorage(url, heartbeat_interval=_STALE_S // 4, grace_period=_STALE_S)
        yield rdb, alone


def _clear(journal: Path) -> None:
    """Removes what a killed process left: Optuna's own lock, which it would wait for, and a line cut in the middle.

    Only to be called by the one process that holds the study.
    """
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    if not journal.is_file():
        return
    whole = journal.read_bytes()
    kept = whole[: whole.rfind(b"\n") + 1]
    if kept != whole:
        write_bytes(journal, kept)


class _one_at_a_time:  # noqa: N801 - reads as a phrase in `with`
    """A lock in the database; its number is the study's."""

    def __init__(self, connection: Any, study_id: str) -> None:
        self._connection, self._number = connection, int(study_id[:15], 16)

    def __enter__(self) -> None:
        self._connection.execute("SELECT pg_advisory_lock(%s)", (self._number,))

    def __exit__(self, *_: object) -> None:
        self._connection.execute("SELECT pg_advisory_unlock(%s)", (self._number,))


def _query(parameters: Mapping[str, str]) -> str:
    from urllib.parse import urlencode

    return urlencode(
        {key: value for key, value in parameters.items() if key in ("host", "port", "user", "dbname", "password")}
    )


def _study(storage: Any, study_id: str, ground: Ground) -> optuna.Study:
    import optuna

    better = ground.measure()[1]
    direction = optuna.study.StudyDirection.MAXIMIZE if better == "higher" else optuna.study.StudyDirection.MINIMIZE
    name = f"mlctl-{ground.project.name}-{study_id}"
    return optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)


def _search(
    study: optuna.Study,
    ground: Ground,
    how: tuple[int, AbstractContextManager[None]],
    tell: Tell,
) -> None:
    """Generation after generation, until the budget is spent; trials are claimed one by one, by whoever is free."""
    from optuna.trial import TrialState

    workers, alone = how
    budget = ground.project.tune
    end = None if budget.minutes is None else time.monotonic() + 60 * budget.minutes
    if isinstance(alone, nullcontext):
        # nobody else is here: what runs was killed
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            _renewed(study, trial)
    while True:
        with alone:
            trials = study.get_trials(deepcopy=False)
            open_ones = [trial for trial in trials if trial.state in (TrialState.WAITING, TrialState.RUNNING)]
            spent = _counted(trials) >= budget.trials or (end is not None and time.monotonic() > end)
            if not open_ones and spent:
                return
            if not open_ones:
                _begin_generation(study, ground, min(GENERATION, budget.trials - _counted(trials)))
        with ThreadPoolExecutor(max_workers=workers) as pool:
            taken = [pool.submit(_claimed, study, ground, tell) for _ in range(GENERATION)]
        if not any(trial.result() for trial in taken):
            _wait_for_others(study)


def _counted(trials: list[Any]) -> int:
    """Trials that tried something: one that failed with its process was put up again."""
    from optuna.trial import TrialState

    return sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials)


def _renewed(study: optuna.Study, trial: Any) -> None:
    """A trial whose process died is put up again with the same options and the same number in its generation."""
    from optuna.trial import TrialState

    study.tell(trial.number, state=TrialState.FAIL)
    _put_up_again(study, trial)


def _put_up_again(study: optuna.Study, trial: Any) -> None:
    study.enqueue_trial(trial.system_attrs["fixed_params"], user_attrs=trial.user_attrs)


def _wait_for_others(study: optuna.Study) -> None:
    import optuna

    time.sleep(_PAUSE_S)
    stale = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False):
        before = stale.get(trial.number)
        if before is not None and before.state.name == "RUNNING" and trial.state.name == "FAIL":
            _put_up_again(study, trial)


def _begin_generation(study: optuna.Study, ground: Ground, count: int) -> None:
    """Puts up the trials of the next generation, made from the finished ones alone."""
    import optuna

    finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    finished = sorted((trial for trial in finished if trial.state.name != "FAIL"), key=lambda t: t.user_attrs["place"])
    number = len(finished)
    for place in range(number, number + count):
        sampler = optuna.samplers.TPESampler(seed=ground.project.tune.seed * 100_003 + place, n_startup_trials=8)
        thinking = optuna.create_study(sampler=sampler, direction=study.direction)
        thinking.add_trials([trial for trial in finished if trial.value is not None])
        asked = thinking.ask({name: _distribution(said) for name, said in ground.space.items()})
        study.enqueue_trial(asked.params, user_attrs={"place": place, "generation": number})


def _distribution(said: Mapping[str, Any]) -> Any:
    """What Optuna calls a range."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if "one_of" in said:
        return CategoricalDistribution(tuple(said["one_of"]))
    low, high, log = said["low"], said["high"], bool(said.get("log"))
    whole = isinstance(low, int) and isinstance(high, int)
    return IntDistribution(low, high, log=log) if whole else FloatDistribution(float(low), float(high), log=log)


def _claimed(study: optuna.Study, ground: Ground, tell: Tell) -> bool:
    """Takes one waiting trial, if there is one, and tries it."""
    from optuna.trial import TrialState

    storage, own = study._storage, study._study_id
    for trial in storage.get_all_trials(own, deepcopy=False, states=(TrialState.WAITING,)):
        try:
            taken = storage.set_trial_state_values(trial._trial_id, state=TrialState.RUNNING)
        except RuntimeError:
            continue
        if taken:
            _tried(study, ground, trial, tell)
            return True
    return False


def _tried(study: optuna.Study, ground: Ground, trial: Any, tell: Tell) -> None:
    from optuna.trial import TrialState

    found = trial.system_attrs["fixed_params"]
    options = kinds.options("models", {**ground.project.model.model_dump(by_alias=True), **found})
    by_part: list[float] = []
    worse = _worse_than_median(study, trial.user_attrs["generation"], ground.measure()[1])

    def hear(number: int, value: float) -> bool:
        by_part.append(value)
        return number + 1 < len(ground.parts) and worse(number, sum(by_part) / len(by_part))

    scores = ground.held_out(options, hear=hear)
    for name, value in found.items():
        distribution = _distribution(ground.space[name])
        study._storage.set_trial_param(trial._trial_id, name, distribution.to_internal_repr(value), distribution)
    study._storage.set_trial_user_attr(trial._trial_id, "by_part", by_part)
    value = None if scores is None else ground.value(scores)
    state = TrialState.COMPLETE if value is not None and value == value else TrialState.PRUNED  # noqa: PLR0124
    study.tell(trial.number, value if state is TrialState.COMPLETE else None, state=state)
    shown = "given up after a part" if value is None else f"{ground.metric} {value:.4f}"
    done, budget = _counted(study.get_trials(deepcopy=False)), ground.project.tune.trials
    tell("tune", f"{done} of {budget}: {shown} with {', '.join(f'{k} {_short(v)}' for k, v in found.items())}")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _worse_than_median(study: optuna.Study, generation: int, better: str) -> Callable[[int, float], bool]:
    """Whether a running mean is worse than the median of the earlier generations after as many parts."""
    from statistics import median

    earlier = [
        trial.user_attrs["by_part"]
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name == "COMPLETE" and trial.user_attrs["generation"] < generation
    ]

    def worse(number: int, mean: float) -> bool:
        if len(earlier) < GENERATION:
            return False
        middle = median(sum(values[: number + 1]) / (number + 1) for values in earlier)
        return bool(mean < middle if better == "higher" else mean > middle)

    return worse


def _best(study: optuna.Study) -> tuple[int, dict[str, Any]]:
    """How many trials there were, and the best one's options; of equal ones the first."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in ("COMPLETE", "PRUNED")]
    whole = [trial for trial in trials if trial.state.name == "COMPLETE"]
    if not whole:
        return len(trials), {}
    sign = -1.0 if study.direction.name == "MAXIMIZE" else 1.0
    first = min(whole, key=lambda trial: (sign * float(trial.value or 0.0), trial.user_attrs["place"]))
    return len(trials), dict(first.system_attrs["fixed_params"])


def _told(places: Places, ground: Ground, study_id: str, best: tuple[int, dict[str, Any]], tell: Tell) -> Tuned:
    """The best options beside the present ones on the same rows, and what more rows would bring."""
    trials, options = best
    own: Any = ground.project.model
    chosen = ground.judged()
    truth, groups = ground.truth()[chosen], splits.entity_codes(ground.project, ground.rows)[chosen]
    candidate = kinds.options("models", {**own.model_dump(by_alias=True), **options})
    tell("tune", "the best of them beside the present options, on the same rows held out")
    now, then = (ground.held_out(said) for said in (own, candidate))
    if now is None or then is None:
        raise ConfigError.bad_override("tune", "no trial was finished")
    steps = ladder.climb(truth, {"present": now[chosen], "tuned": then[chosen]}, ground.measure(), groups)
    curve = tuple((share, ground.value(_known(ground.held_out(candidate, share)))) for share in _SHARES)
    low, high = steps[1].gain_low or 0.0, steps[1].gain_high or 0.0
    before, after = steps[0].value or float("nan"), steps[1].value or float("nan")
    found = (
        f"study {study_id}, {trials} trials: {ground.metric} {before:.4f} -> {after:.4f} on rows held out, "
        f"gain [{low:+.4f}, {high:+.4f}]"
    )
    if steps[1].earned:
        tuned.write(places, {"kind": own.kind, **options}, found)
    tell("tune", found)
    advice = _advice(curve, ground.measure()[1], after - before)
    return Tuned(study_id, trials, ground.metric, before, after, (low, high), options, steps[1].earned, curve, advice)


def _advice(curve: tuple[tuple[float, float], ...], better: str, gained: float) -> str:
    """What would help more: twice the rows (as the last doubling did), or other options."""
    sign = 1.0 if better == "higher" else -1.0
    doubling = sign * (curve[-1][1] - curve[-2][1])
    if doubling > max(sign * gained, 0.0):
        return f"data is the bottleneck: the last doubling of rows brought {doubling:+.4f}, tuning {sign * gained:+.4f}"
    return f"more rows would bring little: the last doubling brought {doubling:+.4f}, tuning {sign * gained:+.4f}"


def _known(scores: np.ndarray[Any, Any] | None) -> np.ndarray[Any, Any]:
    if scores is None:
        raise ConfigError.bad_override("tune", "no trial was finished")
    return scores
