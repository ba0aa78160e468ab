"""How models are judged: which rows teach and judge, the ladder, intervals, curves, and what decides by scores."""
