"""Cards for experts, on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlctl import console

if TYPE_CHECKING:
    from mlctl.review import Review
    from mlctl.workspace import Places


def reviewed(found: Review, places: Places) -> None:
    """A line a card; what was answered says who said what, and whether it holds."""
    for card in found.cards:
        console.data(console.printable(f"{card.id}  {card.sentence()}"))
        if card.answer is not None:
            told = card.answer
            wanted = (
                f", it should be {told.wanted()}: {'it is' if card.holds else 'IT IS NOT'}" if told.wanted() else ""
            )
            console.data(console.printable(f"          {told.verdict} by {told.by}: {told.because}{wanted}"))
    unanswered = [card.id for card in found.cards if card.answer is None]
    if not found.cards:
        console.words("  review    no group is scored far from all others")
    elif unanswered:
        because = '--because "they all had a contract"'
        console.words(f"next:   mlctl review {places.name} --answer {unanswered[0]} --wrong --at-most 0.3 {because}")
    if any(card.answer for card in found.cards):
        console.words(f"kept:   {places.reviews}; commit it, and let your checks run mlctl review {places.name}")
