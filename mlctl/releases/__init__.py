"""The releases of a project that are kept, by number; which of them is the champion is said by the rollout alone.

  projects/NAME/releases/ID/         the sealed folder; git holds its pointer `ID.dvc`, DVC its bytes
  projects/NAME/releases/ID.json     its number, and the facts of the moment at which it was registered
  projects/NAME/rollout.flagd.json   who answers (`mlctl/rollout/`); a change of it is a change in git

A reference names one: `churn` (who answers), `churn@champion`, `churn@challenger`, `churn/7`, or `churn/1f2e`, the
beginning of an id. Promoting and going back are one compare-and-set of the rollout: whoever reads it sees the old
champion or the new one, and the same promotion twice changes nothing.
"""

from mlctl.releases._champion import CHAMPION, Promoted, back, champion_id, open_champion, promote, to_serve
from mlctl.releases._listing import listing, tag
from mlctl.releases._mlflow import tell_mlflow
from mlctl.releases._opening import identity_of, prove
from mlctl.releases._reference import Reference, folder_of, named
from mlctl.releases._register import Entry, entries, facts_of, keep, register

__all__ = [
    "CHAMPION",
    "Entry",
    "Promoted",
    "Reference",
    "back",
    "champion_id",
    "entries",
    "facts_of",
    "folder_of",
    "identity_of",
    "keep",
    "listing",
    "named",
    "open_champion",
    "promote",
    "prove",
    "register",
    "tag",
    "tell_mlflow",
    "to_serve",
]
