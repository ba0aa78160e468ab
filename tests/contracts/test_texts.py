"""Texts: the same terms in training and serving, and the same score from the graph as from the training library."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from mlctl import kinds
from mlctl.encoding import PAIRS, Encoding, encode, learn
from mlctl.errors import ConfigError, DataError
from mlctl.graphs import runtime
from mlctl.graphs.shapley import additive
from mlctl.judging import fitting
from mlctl.models import TrainingTable
from mlctl.spec import EncodingPolicy
from mlctl.text import Terms, Weighing, terms_of
from mlctl.text import learn as learn_terms

POLICY = EncodingPolicy.model_validate({"text": {"message": {"min_rows": 1}}})
TEXTS = [
    ("my parcel has not arrived", "delivery"),
    ("where is my parcel", "delivery"),
    ("Das Paket ist überfällig", "delivery"),
    ("the invoice is wrong", "billing"),
    ("I was charged twice, the invoice says so", "billing"),
    ("la facture n'est pas correcte", "billing"),
    ("I cannot log in", "account"),
    ("my password does not work", "account"),
    ("ich möchte mein Konto löschen", "account"),
]
HOSTILE = [None, "", "   ", "🦜🦜", "ﬁ ﬂ", "\x00", "ÄÖÜ" * 4000, "parcel " * 5000, "中文 字符", "İstanbul", "#pa # p"]


def messages(copies: int = 6) -> tuple[pl.DataFrame, np.ndarray, tuple[str, ...]]:
    """Rows with a text, a number and a category, and the code of each row's team."""
    draw = np.random.default_rng(5)
    teams = ("account", "billing", "delivery")
    told = [(text + (" please" * (copy % 3)), team) for copy in range(copies) for text, team in TEXTS]
    rows = pl.DataFrame(
        {
            "message": [text for text, _ in told],
            "waiting_h": draw.exponential(5, len(told)),
            "channel": draw.choice(["web", "app"], len(told)).tolist(),
        }
    )
    return rows, np.array([float(teams.index(team)) for _, team in told]), teams


def table(task: str = "multiclass") -> tuple[TrainingTable, Encoding]:
    rows, labels, teams = messages()
    if task == "binary":
        labels, teams = (labels == 2).astype(float), ("0", "1")
    learnt = learn(rows, POLICY)
    matrix = encode(learnt, rows)
    return TrainingTable(matrix, labels, learnt.columns(), task, teams, None, learnt.texts()), learnt


def test_terms_are_words_words_in_a_row_and_pieces_of_words():
    found = terms_of("Pay  NOW, Zoë", Terms(words=(1, 2), pieces=(4, 4)))

    assert found == ["pay", "now", "zoë", "pay now", "now zoë", "# pay", "#pay ", "# now", "#now ", "# zoë", "#zoë "]


def test_weights_are_tf_idf_of_length_one_worked_out_by_hand():
    terms = Terms(words=(1, 1), pieces=None, min_rows=1)
    names, rarity = learn_terms(["a b", "a c", "a"], terms)
    assert names == ("a", "b", "c")
    assert rarity == (math.log(4 / 4) + 1, math.log(4 / 2) + 1, math.log(4 / 2) + 1)

    weights = dict(Weighing(terms, names, rarity)("b a b unknown"))

    a, b = 1.0, (1 + math.log(2)) * (math.log(2) + 1)
    assert weights == pytest.approx({0: a / math.hypot(a, b), 1: b / math.hypot(a, b)}, rel=1e-15)


def test_rare_terms_are_left_out_and_the_commonest_kept():
    terms = Terms(words=(1, 1), pieces=None, min_rows=2, most=2)

    assert learn_terms(["x y z", "x y z", "x y", "w"], terms)[0] == ("x", "y")


def test_nothing_counts_behind_most_characters():
    terms = Terms(words=(1, 1), pieces=None, most_characters=5)

    assert terms_of("one two three", terms) == ["one", "t"]


def test_a_row_is_its_columns_and_then_pairs_of_term_and_weight():
    learnt = learn(messages()[0], POLICY)

    row = encode(learnt, pl.DataFrame({"message": ["parcel"], "waiting_h": [2.5], "channel": ["web"]}))[0]

    assert learnt.columns() == (
        "message",
        "waiting_h",
        "channel=app",
        "channel=web",
        "channel=(other)",
        "channel=(missing)",
    )
    assert row[1:6].tolist() == [2.5, 0.0, 1.0, 0.0, 0.0]
    pairs = row[6:].reshape(-1, 2)
    assert len(pairs) % PAIRS == 0
    known = {learnt.features[0].terms[int(number) - 1]: weight for number, weight in pairs if number}
    assert len(known) == row[0]
    assert known["parcel"] == 1.0
    assert sum(weight**2 for term, weight in known.items() if term.startswith("#")) == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_graph_answers_as_the_library_does_on_ordinary_and_hostile_rows(task):
    seen, learnt = table(task)
    fitted = fitting.fit(kinds.options("models", {"kind": "logistic", "c": 10}), seen)
    hostile = pl.DataFrame({"message": HOSTILE, "waiting_h": [1.0] * len(HOSTILE), "channel": ["web"] * len(HOSTILE)})

    runtime.check_graph(fitted.onnx, kinds.load("models", "logistic").OPS, None, 3 if task == "multiclass" else None)
    assert runtime.parity(fitted, seen.matrix) < 1e-6
    assert runtime.parity(fitted, encode(learnt, hostile)) < 1e-6
    assert sum(fitted.importance) == pytest.approx(1.0)
    assert fitted.importance[0] > 0.5


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_row_has_the_same_bits_whatever_stands_beside_it(task):
    seen, learnt = table(task)
    fitted = fitting.fit(kinds.options("models", {"kind": "logistic", "c": 10}), seen)
    rows = (
        messages()[0]
        .head(9)
        .vstack(
            pl.DataFrame(
                {
                    "message": [text or "" for text in HOSTILE],
                    "waiting_h": [3.0] * len(HOSTILE),
                    "channel": ["app"] * len(HOSTILE),
                }
            )
        )
    )
    together = runtime.score_onnx(fitted.onnx, encode(learnt, rows))

    alone = np.concatenate(
        [runtime.score_onnx(fitted.onnx, encode(learnt, rows[place])) for place in range(rows.height)]
    )

    assert together.tobytes() == alone.tobytes()


def test_it_learns_what_the_teams_are_asked_and_a_text_without_a_known_term_is_unsure():
    seen, learnt = table()
    fitted = fitting.fit(kinds.options("models", {"kind": "logistic", "c": 10}), seen)
    asked = ["has my parcel arrived?", "PASSWORD", "wrong invoice", "🦜"]
    rows = pl.DataFrame({"message": asked, "waiting_h": [5.0] * 4, "channel": ["web"] * 4})

    scores = runtime.score_onnx(fitted.onnx, encode(learnt, rows))

    assert [seen.classes[place] for place in scores[:3].argmax(axis=1)] == ["delivery", "account", "billing"]
    assert scores[3].max() < 0.5 < scores[:3].max(axis=1).min()


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_what_each_feature_adds_makes_up_the_score(task):
    seen, learnt = table(task)
    fitted = fitting.fit(kinds.options("models", {"kind": "logistic", "c": 10}), seen)

    found = additive(fitted.onnx, seen.matrix, learnt.texts())

    sums = found.base + found.parts.sum(axis=2)
    if task == "binary":
        shares = 1 / (1 + np.exp(-sums[:, 0]))
    else:
        shares = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    assert shares == pytest.approx(runtime.score_onnx(fitted.onnx, seen.matrix), abs=1e-6)
    assert np.abs(found.parts[:, :, 0]).mean() > 1.0


def test_each_of_two_texts_has_its_own_part():
    rows, labels, teams = messages()
    draw = np.random.default_rng(1)
    rows = rows.select("message", pl.Series("note", draw.choice(["red", "green", "blue"], rows.height).tolist()))
    learnt = learn(rows, EncodingPolicy.model_validate({"text": {"message": {"min_rows": 1}, "note": {"min_rows": 1}}}))
    seen = TrainingTable(encode(learnt, rows), labels, learnt.columns(), "multiclass", teams, None, learnt.texts())
    fitted = fitting.fit(kinds.options("models", {"kind": "logistic", "c": 10}), seen)

    found = additive(fitted.onnx, seen.matrix, learnt.texts())

    sums = np.exp(found.base + found.parts.sum(axis=2))
    scores = sums / sums.sum(axis=1, keepdims=True)
    assert scores == pytest.approx(runtime.score_onnx(fitted.onnx, seen.matrix), abs=1e-6)
    assert np.abs(found.parts[:, :, 0]).mean() > 3 * np.abs(found.parts[:, :, 1]).mean() > 0
    assert fitted.importance[0] > fitted.importance[1] > 0
    assert sum(fitted.importance) == pytest.approx(1.0)


def test_what_was_learnt_survives_json_to_the_last_bit():
    _, learnt = table()
    again = Encoding.model_validate_json(learnt.model_dump_json())
    rows = messages()[0]

    assert encode(again, rows).tobytes() == encode(learnt, rows).tobytes()


def test_without_any_term_there_is_no_tail():
    policy = EncodingPolicy.model_validate({"text": {"message": {"min_rows": 99}}})
    learnt = learn(messages()[0], policy)

    assert learnt.width == 6
    assert encode(learnt, messages()[0]).shape == (54, 6)


@pytest.mark.parametrize("kind", ["xgboost"])
def test_a_kind_that_cannot_read_texts_says_so(kind):
    seen, _ = table("binary")

    with pytest.raises(ConfigError, match="cannot read the text message"):
        fitting.fit(kinds.options("models", {"kind": kind}), seen)


def test_a_text_that_is_none_is_refused():
    with pytest.raises(DataError, match="Int64"):
        learn(pl.DataFrame({"message": [1, 2]}), POLICY)
    with pytest.raises(DataError, match="message"):
        learn(pl.DataFrame({"massage": ["a"]}), POLICY)


@pytest.mark.parametrize("said", [{"words": None, "pieces": None}, {"words": [2, 1]}, {"pieces": [0, 3]}])
def test_terms_that_cannot_be_are_refused(said):
    with pytest.raises(ValueError, match=r"words|range|pieces"):
        Terms.model_validate(said)


def test_one_term_a_thousand_times_moves_graph_and_library_alike():
    seen, learnt = table()
    fitted = fitting.fit(kinds.options("models", {"kind": "logistic", "c": 1000}), seen)
    columns = len(learnt.columns())
    rows = np.zeros((seen.terms, columns + 2000), dtype=np.float32)
    rows[:, columns::2], rows[:, columns + 1 :: 2] = np.arange(1, seen.terms + 1)[:, None], 1 / 3

    differences = np.abs(runtime.score_onnx(fitted.onnx, rows) - fitted.predict(rows))

    assert differences.max() < 1e-6
