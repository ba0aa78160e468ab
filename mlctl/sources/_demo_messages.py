"""What the people of the demo company write to support, and which team each message was for, told days later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlctl.sources._demo_orders import FADING
from mlctl.sources._demo_people import DAY, at, customer_id, damaged, joined, people
from mlctl.sources._demo_random import MILLION, below, bits, waiting

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Whole = np.ndarray[Any, Any]

TEAMS: Final = ("billing", "delivery", "returns", "account", "product")
_GAP_DAYS: Final = 220
_TEMPLATES: Final = (
    (
        "I was charged twice for order {n}, please refund one payment",
        "The invoice of order {n} shows the wrong amount",
        "Warum wurde meine Karte für Bestellung {n} doppelt belastet?",
        "La facture de la commande {n} n'est pas correcte",
        "My card was declined but the money for {n} is gone",
    ),
    (
        "My parcel {n} has not arrived yet, where is it?",
        "Tracking of order {n} has not moved for a week",
        "Das Paket {n} ist seit Tagen überfällig",
        "Le colis {n} n'est pas arrivé à l'adresse indiquée",
        "The courier left order {n} at the wrong door",
    ),
    (
        "How can I send back order {n}? It does not fit",
        "I returned {n} two weeks ago and got no confirmation",
        "Ich möchte Bestellung {n} zurückschicken",
        "Je voudrais retourner un article de la commande {n}",
        "The return label for {n} does not open",
    ),
    (
        "I cannot log in any more, the reset mail does not come",
        "Please change the e-mail address of my account {n}",
        "Ich möchte mein Konto {n} löschen",
        "Mon mot de passe n'est plus accepté, compte {n}",
        "Somebody else signed in to my account {n}",
    ),
    (
        "Is item {n} available in a larger size?",
        "What is the coffee {n} like, is it dark or mild?",
        "Ist das Produkt {n} für Kinder geeignet?",
        "L'article {n} est-il compatible avec l'ancien modèle?",
        "The lid of product {n} broke on the first day",
    ),
)


def messages_table(customers: int, seed: int, end: int) -> pl.DataFrame:
    """The messages before a moment; one in sixty was damaged by a wrong encoding.

    Grain: one row per message. Time: `sent_at`.
    """
    import numpy as np
    import polars as pl

    who, turn, moment, team = _moments(customers, seed, end)
    form = below(bits(seed, "form", who, turn), len(_TEMPLATES[0]))
    texts = np.asarray(_TEMPLATES)[team, form]
    broken = below(bits(seed, "text damaged", who, turn), 60) == 0
    spoiled = np.asarray([[damaged(text) for text in forms] for forms in _TEMPLATES])[team, form]
    slot = pl.Series(1000 + below(bits(seed, "slot", who, turn), 900_000)).cast(pl.String)
    table = pl.DataFrame(
        {
            "message_id": message_id(who, turn),
            "customer_id": customer_id(who),
            "sent_at": at("sent_at", moment),
            "text": pl.Series(np.where(broken, spoiled, texts)),
            "slot": slot,
        }
    )
    filled = pl.col("text").str.replace("{n}", pl.col("slot"), literal=True)
    return table.with_columns(filled).drop("slot").sort("sent_at", "message_id")


def labels_table(customers: int, seed: int, end: int) -> pl.DataFrame:
    """Which team each message was for, known half a day to 20 days after the message; one in fifty is wrong.

    Grain: one row per message whose label has arrived. Time: `labelled_at`.
    """
    import numpy as np
    import polars as pl

    who, turn, moment, team = _moments(customers, seed, end)
    wait = DAY // 2 + 4 * DAY // 1000 * waiting(bits(seed, "label", who, turn)) // (MILLION // 1000)
    labelled = moment + np.minimum(wait, 20 * DAY)
    wrong = below(bits(seed, "wrong label", who, turn), 50) == 0
    told = np.where(wrong, (team + 1) % len(TEAMS), team)
    there = labelled < end
    table = pl.DataFrame(
        {
            "message_id": message_id(who[there], turn[there]),
            "team": pl.Series(np.asarray(TEAMS)[told[there]]),
            "labelled_at": at("labelled_at", labelled[there]),
        }
    )
    return table.sort("labelled_at", "message_id")


def message_id(who: Whole, turn: Whole) -> pl.Series:
    """Ids such as m000123-04."""
    import polars as pl

    texts = pl.Series("message_id", who).cast(pl.String).str.zfill(6), pl.Series(turn).cast(pl.String).str.zfill(2)
    return ("m" + texts[0] + "-" + texts[1]).alias("message_id")


def _moments(customers: int, seed: int, end: int) -> tuple[Whole, Whole, Whole, Whole]:
    """Every message before `end`: its customer's number, its turn, its moment and its true team.

    Who is about to leave waits a quarter as long before the next message, and writes about money and parcels.
    """
    import numpy as np

    known = people(customers, seed, end)
    position, moment, turn = np.arange(len(known.number)), known.signed_up.copy(), 0
    found: list[tuple[Whole, ...]] = []
    while len(position):
        fading = moment > known.leaves[position] - FADING
        gap = _GAP_DAYS * DAY // np.where(fading, 4, 1)
        wait = waiting(bits(seed, "message", known.number[position], turn))
        moment = moment + gap // 1000 * wait // (MILLION // 1000) + 1
        there = (moment < known.leaves[position] + 20 * DAY) & (moment < end)
        position, moment = position[there], moment[there]
        fading = moment > known.leaves[position] - FADING
        number = known.number[position]
        team = below(bits(seed, "team", number, turn), len(TEAMS))
        team = np.where(fading & (below(bits(seed, "sore", number, turn), 10) < 6), team % 2, team)
        found.append((number, np.full(len(position), turn), moment, team))
        turn += 1
    who, turns, moments, teams = joined(found, 4)
    return who, turns, moments, teams
