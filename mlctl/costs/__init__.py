"""What a project costs: the ledger's lines times the prices of `cost:`, by month, act, run, feature and prediction.

Lines hold what was taken (seconds, bytes, predictions) and no money, so another price tells what the past would have
cost. Money is what the processors, the disks and the services behind predictions cost; people are no part of it.
"""

from mlctl.costs.cadence import WhatIf, what_if
from mlctl.costs.month import Line, Month, budget_facts, month_of, monthly
from mlctl.costs.prices import money

__all__ = ["Line", "Month", "WhatIf", "budget_facts", "money", "month_of", "monthly", "what_if"]
