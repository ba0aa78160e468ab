"""`mlctl plan`: what a change of YAML, data or code touches, before anything is done. `mlctl apply`: exactly that.

A plan compares the composed configuration, the code and the asked moment of the data with what `dvc.lock` says the last
run was made from. It names the kind of each change, the stages that must run again and why, the partitions of the
history, the releases and readers that are touched, and the seconds that the ledger expects. Nothing is written. A plan
in a file carries the hashes of all that it rests on: applied, it is refused when anything of that has moved.
"""

from mlctl.changes.applying import Applied, apply
from mlctl.changes.kinds import KINDS, Change, kind_of
from mlctl.changes.plans import Planned, ProjectPlan, plan

__all__ = ["KINDS", "Applied", "Change", "Planned", "ProjectPlan", "apply", "kind_of", "plan"]
