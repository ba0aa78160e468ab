"""Champion and challenger on the same entities, once it is known what became of them: promote, keep, or not yet.

Both answered each row, one of them for the user, the other beside (`mlctl/scoring/sharing.py`,
`mlctl/server/trials.py`), so the difference of their losses is paired.
`pairs` reads the rows, `losses` says what an answer cost, `sequential` holds
an interval that may be looked at every day, `verdict` puts the guards beside it, `advancing` lets a ramp go on by it.
"""

from mlctl.comparing.advancing import ramp
from mlctl.comparing.verdict import Compared, Guard, compare, judged

__all__ = ["Compared", "Guard", "compare", "judged", "ramp"]
