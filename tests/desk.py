"""A workspace whose messages go to teams by an encoder of one's own: a release to be served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests import encoders, world

_PROJECT = """\
name: desk
entity: {{key: ticket}}
sources: {{tickets: {{kind: csv, path: tickets.csv}}}}
features: {{message: {{kind: lookup, source: tickets, column: text}}}}
encoding: {{embeddings: {{message: {{encoder: encoder}}}}}}
label: {{kind: lookup, source: tickets, column: team, task: multiclass}}
split: {{kind: stratified}}
model: {{kind: logistic}}
gate: {{right_team: {{metric: accuracy, min: 0.9}}}}
serving: {serving}
"""


def make(
    folder: Path,
    vectors: dict[str, list[float]],
    teams: Mapping[str, str],
    serving: str = "{kind: http}",
    change: Callable[[Path], None] = lambda encoder: None,
) -> Path:
    """Trains it.

    Args:
        folder: Where the workspace goes.
        vectors: What the encoder makes of a word; `?` is every other one.
        teams: By word the team that messages with it go to.
        serving: The section of that name.
        change: Makes another encoder of the one in a folder.
    """
    made = world.make_workspace(folder, _PROJECT.format(serving=serving), "desk")
    change(encoders.write(made / "encoder", vectors))
    words = list(teams)
    rows = [(n, words[n % len(words)]) for n in range(400)]
    lines = [f"t{n},my {word} number {n % 13} {word},{teams[word]}" for n, word in rows]
    (made / "tickets.csv").write_text("\n".join(["ticket,text,team", *lines]) + "\n")
    done = world.mlctl(made, "run", "desk")
    assert done.returncode == 0, done.stderr
    return made
