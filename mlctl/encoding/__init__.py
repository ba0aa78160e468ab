"""Features as the float32 columns that models take: learnt on the training rows, sealed into the release.

Numbers pass through (missing is NaN); a true-or-false is 1 and 0; a category becomes one column for each value that is
common enough in training, one for all others (`other`, so an unseen value has a place) and one for missing. The rule of
today is an expression over the features, in one column. What is rare, unseen or missing goes by the policy `encoding:`.

A text is one column, how many known terms it holds; the terms themselves stand behind all columns, as pairs of a
term's number (from 1; of several texts one after the other) and its weight, filled up with zeros. Rows without a text
have no such tail. Or an encoder makes a vector of a text, a column a dimension; missing is missing in all of them.
"""

from __future__ import annotations

from mlctl.encoding._learning import learn, of_rule
from mlctl.encoding._learnt import Encoded, Encoding, read
from mlctl.encoding._matrix import PAIRS, embedded, encode, joined

__all__ = ["PAIRS", "Encoded", "Encoding", "embedded", "encode", "joined", "learn", "of_rule", "read"]
