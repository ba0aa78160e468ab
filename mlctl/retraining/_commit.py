"""The one commit of a retraining: what it made itself, and nothing that somebody else staged or changed."""

from __future__ import annotations

from collections.abc import Sequence

from mlctl import dvc, git, snapshot
from mlctl.retraining._outcomes import REFUSED, Order, Retraining
from mlctl.times import moment_text
from mlctl.workspace import Places


def owned(places: Places) -> list[str]:
    """Patterns of the files that a retraining writes."""
    folder = places.folder
    inside = ["params.yaml", "metrics/*.json", "plots/*", "releases/*.dvc", "releases/*.json", "releases/.gitignore"]
    files = [places.rollout, places.rollout_history, *(folder / name for name in inside)]
    return [str(snapshot.POINTER), str(dvc.LOCK), *(str(path) for path in files)]


def keep(patterns: Sequence[str], done: Sequence[Retraining], order: Order) -> tuple[str, str]:
    """Commits what was made, or leaves it staged: the commit's SHA, and what is told of it.

    Raises:
        ExternalError: Git refused.
    """
    if git.said("rev-parse", "--git-dir") is None:
        return "", "not in git: nothing is committed"
    paths = git.changed(patterns)
    if not paths:
        return "", "nothing to commit"
    if not order.commit:
        git.stage(paths)
        return "", f"{len(paths)} files are staged"
    sha = git.commit(paths, _message(done, order))
    return sha, f"{len(paths)} files in commit {sha[:12]}"


def _message(done: Sequence[Retraining], order: Order) -> str:
    names = ", ".join(became.project for became in done if not became.at_rest) or "the releases"
    on = f" on the data of {moment_text(order.as_of)}" if order.as_of else ""
    lines = [f"Retrain {names}{on}", ""]
    for became in done:
        if not became.at_rest:
            what = "the gate refused" if became.outcome == REFUSED else f"{became.release} is {_role(became.outcome)}"
            lines.append(f"{became.project}: {what}")
            lines += [f"  {cause}" for cause in became.why]
    return "\n".join(lines) + "\n"


def _role(outcome: str) -> str:
    return "kept until the trial under way has ended" if outcome == "waiting" else f"the {outcome}"
