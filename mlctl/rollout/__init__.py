"""Who answers whom: one file a project in flagd's format names champion, challenger, mode and share: the one truth.

  projects/NAME/rollout.flagd.json   the state; replaced in one rename: a reader sees the one before or the one after
  projects/NAME/history.jsonl        every state that there was, a line each, chained by hashes, only ever added to

`read` needs no lock. `change` is a compare-and-set: it names the state that it was decided on, and is refused when
somebody was first. `buckets` says whom the challenger answers, as flagd does.
"""

from mlctl.rollout.changes import change, read, verified_history
from mlctl.rollout.record import WHOLE, Mode, Note, Rollout, Traffic

__all__ = ["WHOLE", "Mode", "Note", "Rollout", "Traffic", "change", "read", "verified_history"]
