"""The stages of a recommender, where they are not those of a model that scores entities.

They are called as the others are (`mlctl/flow.py`), read and write the same places, and their reports have the same
shape, so that the gate, the waivers and the commands know no difference.
"""

from __future__ import annotations

from typing import Final

STAGES: Final = frozenset({"features", "freeze", "train", "evaluate", "package"})
