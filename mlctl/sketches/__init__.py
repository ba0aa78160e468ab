"""Sketches: what is known of many rows without keeping them, exact to add up and the same on every machine.

shapes       what a sketch of a column counts, fixed at training
sketch       one column's counts; counting.py makes them
sheet        the sketches of everything that was scored together
statistics   the daily statistics and distances of a sketch
additive     foretells scores from the histograms of the inputs
norms        what a daily statistic is like on usual days
baseline     what training saw, sealed with the release
shelf        sketches and baselines on disk
"""

from mlctl.sketches.baseline import Baseline, Day, Learnt, learn, of_record
from mlctl.sketches.shapes import Shape
from mlctl.sketches.sheet import DECISION, SCORE, Sheet, added_up
from mlctl.sketches.sketch import Sketch

__all__ = [
    "DECISION",
    "SCORE",
    "Baseline",
    "Day",
    "Learnt",
    "Shape",
    "Sheet",
    "Sketch",
    "added_up",
    "learn",
    "of_record",
]
