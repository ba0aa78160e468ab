"""What projects cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlctl import console

if TYPE_CHECKING:
    from mlctl.costs import Line, Month, WhatIf
    from mlctl.returns import Returns
    from mlctl.staleness import Staleness

_SHOWN = 12
"""Features that are shown."""


def months(found: Sequence[Month]) -> None:
    """A table of acts and one of features for each project, on stdout, and what they come to."""
    for month in found:
        if not month.acts:
            console.data(f"{month.project} {month.month}: nothing was done, or not written down")
            continue
        console.on_stdout().print(_table(month.acts, month.currency))
        if month.features:
            console.on_stdout().print(_features(month))
        console.data(_sum(month))
    if len(found) > 1:
        console.data(f"together {_money(sum(month.total for month in found))} {found[0].currency}")


def _money(amount: float) -> str:
    """Money with the digits that matter.

    >>> _money(1234.567), _money(0.00019432), _money(0.0)
    ('1,234.57', '0.00019', '0')
    """
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.2g}"


def _sum(month: Month) -> str:
    parts = [f"{month.project} {month.month}: {_money(month.total)} {month.currency}"]
    if month.a_run is not None:
        parts.append(f"{_money(month.a_run)} a run ({month.runs} runs)")
    if month.a_thousand is not None:
        parts.append(f"{_money(month.a_thousand)} for 1,000 predictions ({month.predictions:,} made)")
    parts.append(f"{month.stored_bytes / 2**20:,.0f} MiB kept for {_money(month.stored)} a month")
    told = "; ".join(parts)
    if month.budget is not None:
        word = "OVER" if month.forecast > month.budget else "within"
        told += f"; {_money(month.forecast)} by the end of the month, {word} the budget of {month.budget:g}"
    return told


def _table(lines: Sequence[Line], currency: str) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("act", "times", "CPU s", "wall s", "MiB written", "predictions", currency):
        table.add_column(heading, justify="left" if heading == "act" else "right")
    for line in lines:
        written, predictions = f"{line.written_bytes / 2**20:,.1f}", f"{line.predictions:,}" if line.predictions else ""
        numbers = (f"{line.cpu_s:,.1f}", f"{line.wall_s:,.1f}", written, predictions, _money(line.money))
        table.add_row(line.name, str(line.times), *numbers)
    return table


def _features(month: Month) -> Any:
    from rich.table import Table

    whole = sum(line.cpu_s for line in month.features) or 1.0
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("feature", "times", "CPU s", "share", month.currency):
        table.add_column(heading, justify="left" if heading == "feature" else "right")
    for line in month.features[:_SHOWN]:
        table.add_row(line.name, str(line.times), f"{line.cpu_s:.3f}", f"{line.cpu_s / whole:.1%}", _money(line.money))
    return table


def returns(found: Returns) -> None:
    """What acting brought, on stdout."""
    acted, held = found.acted, found.held
    console.data(f"acted upon  {acted.entities:,} entities, {_share(acted)} with label 1")
    console.data(f"held out    {held.entities:,} entities, {_share(held)} with label 1")
    if found.waiting:
        console.data(f"waiting     {found.waiting:,} entities whose label is not known yet")
    if found.uplift is None or found.brought is None or found.low is None or found.high is None:
        console.data("uplift      not told: too few entities with a label in one of the groups")
        return
    console.data(f"uplift      {found.uplift:+.2%} [{found.low:+.2%}, {found.high:+.2%}] fewer with label 1")
    middle, low, high = found.brought
    console.data(
        f"brought     {middle:,.2f} {found.currency} [{low:,.2f}, {high:,.2f}], work cost {_money(found.spent)}"
    )
    if found.roi is not None:
        console.data(f"return      {found.roi:+.1%} of what was spent")


def _share(group: Any) -> str:
    return f"{group.share:.2%}" if group.entities else "none"


def cadences(every: Sequence[tuple[WhatIf, Staleness | None]]) -> None:
    """What each cadence would cost, and what the model is worth just before the next refresh, a table a project."""
    for found, loss in every:
        _cadences(found, loss)


def _cadences(found: WhatIf, loss: Staleness | None) -> None:
    from rich.table import Table

    metric = [] if loss is None else [f"{loss.metric} before the next"]
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("every", "times a month", f"{found.currency} a month", "budget", "busy", *metric, ""):
        table.add_column(heading, justify="left" if heading in ("every", "") else "right")
    for one in found.cadences:
        budget = {None: "", True: "within", False: "OVER"}[one.within]
        mark = " ".join(word for word, when in (("now", found.now), ("asked for", found.asked)) if when == one.every)
        busy = f"{one.busy_share:.1%}" if one.busy_share <= 1 else "never ends"
        value = [] if loss is None else [f"{loss.aged[one.every]:.4f}"]
        table.add_row(one.every, f"{one.times:,.1f}", _money(one.money), budget, busy, *value, mark)
    console.on_stdout().print(table)
    if loss is not None:
        told = f"{loss.metric} {loss.fresh:.4f} with fresh features ({loss.better} is better)"
        console.data(f"{found.project}: {told}, on the {loss.rows:,} rows that judged the release")
    console.data(
        f"{found.project}: a refresh cost {_money(found.a_refresh)} {found.currency} and took {found.wall_s:,.0f} s "
        f"(median of {found.measured}, {_money(found.cheapest)} to {_money(found.dearest)})"
    )
