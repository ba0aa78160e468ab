"""The project as one valid record, or every fault of it at once."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from mlctl import kinds, spec
from mlctl.config import validation
from mlctl.errors import ConfigError
from mlctl.times import duration, moment, moment_text

VALID: dict[str, Any] = {
    "name": "shop",
    "entity": {"key": "customer_id", "source": "customers"},
    "sources": {
        "customers": {"kind": "csv", "path": "customers.csv"},
        "orders": {"kind": "csv", "path": "orders.csv", "time": "ordered_at"},
    },
    "checks": {"volume": {"kind": "rows", "source": "orders", "min": 1}},
    "features": {"orders": {"kind": "count", "source": "orders", "windows": ["30d"]}},
    "label": {"kind": "count", "source": "orders", "horizon": "90d", "is": 0},
    "model": {"kind": "xgboost"},
    "metrics": {"roc_auc": {"kind": "roc_auc"}},
    "cohorts": {"new": "orders = 0"},
    "gate": {"ranks": {"metric": "roc_auc", "min": 0.7}},
    "serving": {"kind": "batch"},
}


def changed(**values: Any) -> dict[str, Any]:
    """The valid mapping with dotted keys (`__` for the dot) set, or removed by `...`."""
    mapping = deepcopy(VALID)
    for key, value in values.items():
        *parents, last = key.split("__")
        part = mapping
        for parent in parents:
            part = part.setdefault(parent, {})
        if value is ...:
            del part[last]
        else:
            part[last] = value
    return mapping


def faults(**values: Any) -> dict[str, str]:
    project, found = validation.read(changed(**values))
    assert project is None
    return {fault.key: f"{fault.message}; {fault.hint}" for fault in found}


def test_a_valid_mapping_is_read_to_a_project_that_reads_back_to_itself():
    project, found = validation.read(VALID)

    assert found == []
    assert project is not None
    assert project.horizon_days() == 90.0
    assert validation.read(project.mapping()) == (project, [])
    assert project.mapping()["decide"] == {
        "threshold": None, "above": "yes", "below": "no", "min_confidence": 0.0,
        "worth": None, "max_error": None, "conformal": None, "fallback_by": "word",
        "evidence": None, "min_evidence": 1.0, "cold": None, "fallback": "review",
    }  # fmt: skip


@pytest.mark.parametrize("section", ["entity", "sources", "features", "label", "model", "metrics", "gate", "serving"])
def test_a_missing_section_is_told(section):
    assert faults(**{section: ...}) == {section: f"is missing; mlctl explain {section}"}


@pytest.mark.parametrize("section", ["sources", "features", "metrics", "gate"])
def test_an_empty_section_is_told(section):
    assert "is empty" in faults(**{section: {}})[section]


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("entity__source", "custmers", "did you mean 'customers'?"),
        ("features__orders__source", "order", "did you mean 'orders'?"),
        ("checks__volume__source", "ordres", "did you mean 'orders'?"),
        ("label__source", "orderz", "did you mean 'orders'?"),
        ("label__source", "zzz", "known: customers, orders"),
        ("gate__ranks__metric", "roc_au", "did you mean 'roc_auc'?"),
        ("gate__ranks__cohort", "nee", "did you mean 'new'?"),
        ("gate__ranks__better_than", "logistik", "did you mean 'logistic'?"),
        ("features__orders__kind", "counts", "did you mean 'count'?"),
        ("model__kind", "xgbost", "did you mean 'xgboost'?"),
        ("model__dept", 3, "did you mean 'depth'?"),
        ("gate__ranks__minimum", 3, "did you mean 'min'?"),
        ("label__kind", "cuont", "did you mean 'count'?"),
        ("modle", {}, "did you mean 'model'?"),
    ],
)
def test_what_does_not_exist_is_told_with_the_nearest_that_does(key, value, hint):
    found = faults(**{key: value})

    assert list(found) == [key.replace("__", ".")]
    assert hint in found[key.replace("__", ".")]


@pytest.mark.parametrize("section", ["sources", "checks", "features", "metrics"])
@pytest.mark.parametrize("name", ["Orders", "1st", "a-b", "a b", "", "é", "a.b", "a\n"])
def test_names_are_lower_case_words(section, name):
    mapping = changed()
    mapping[section][name] = next(iter(VALID[section].values()))

    _, found = validation.read(mapping)

    assert [fault.key for fault in found] == [f"{section}.{name}"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("entity", "customer_id"), ("sources", ["orders"]), ("sources__orders", "orders.csv"), ("features__orders", None),
        ("features__orders__kind", ...), ("features__orders__windows", []), ("features__orders__windows", ["30"]),
        ("features__orders__windows", ["0d"]), ("features__orders__windows", ["1.5d"]), ("features__orders__windows", ["-1d"]),
        ("label__horizon", "90 d"), ("label__is", ...), ("split", {"every": "1m"}), ("split", {"moments": 0}),
        ("split", {"test_share": 1}), ("split", {"kind": "folds", "folds": 1}), ("decide", {"threshold": 1.1}),
        ("decide", {"threshold": float("nan")}), ("gate__ranks__min", ...), ("gate__ranks__min", "high"),
        ("database", {"kind": "postgres"}), ("database", {"dsn": "postgresql://x"}), ("database", {"schema": "Bad"}),
        ("database", {"schema": "a; drop"}), ("database", {"keep": 0}), ("refresh", {"as_of": "2026-13-01"}),
        ("refresh", {"as_of": "2026-11-01T00:00:00"}), ("refresh", {"as_of": 20261101}),
        ("features__orders__column", "amount"), ("label__column", "amount"), ("label__kind", "sum"), ("label__kind", "sql"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_a_fault_that_names_its_key(key, value):
    found = faults(**{key: value})

    assert found
    assert all(place.split(".")[0] == key.split("__")[0] for place in found)


def test_every_fault_is_told_at_once_and_the_sections_are_compared_only_when_each_is_right():
    found = faults(entity__kee=1, model__depth="deep", gate__ranks__cohort="nobody", split={"moments": 0})

    assert set(found) == {"entity.kee", "model.depth", "split.moments"}


def test_an_aggregate_needs_a_source_with_time():
    assert faults(features__orders__source="customers") == {
        "features.orders.source": "'customers' has no time column; set sources.customers.time"
    }
    assert faults(label__source="customers") == {
        "label.source": "'customers' has no time column; set sources.customers.time"
    }


def test_an_aggregate_label_has_a_horizon_and_a_lookup_has_none():
    assert "label" in faults(label__horizon=...)
    assert "label" in faults(
        label={"kind": "lookup", "source": "customers", "column": "left", "horizon": "90d", "is": True}
    )
    lookup = {"kind": "lookup", "source": "customers", "column": "left", "is": True}
    assert faults(label=lookup) == {
        "split.kind": "a label without a horizon has no time to split by; set split.kind: folds, random, stratified or group"
    }
    project, found = validation.read(changed(label=lookup, split={"kind": "folds"}))
    assert not found
    assert project is not None
    assert project.horizon_days() == 0.0
    assert project.label.is_ is True


@pytest.mark.parametrize(
    ("train", "test", "right"),
    [
        (["2026-01-01"], ["2026-04-01"], True),  # January, February and March have 31 + 28 + 31 = 90 days
        (["2026-01-02"], ["2026-04-01"], False),
        (["2025-01-01", "2026-01-01"], ["2026-04-01", "2026-08-01"], True),
        (["2026-05-01"], ["2026-04-01"], False),
        (["2026-01-01"], None, False),
        (None, ["2026-04-01"], False),
        ([], [], False),
    ],
)
def test_between_training_and_test_lies_the_whole_horizon(train, test, right):
    split = {key: value for key, value in (("train", train), ("test", test)) if value is not None}

    project, found = validation.read(changed(split=split))

    assert (project is not None) == right == (not found)
    assert all(fault.key.startswith("split") for fault in found)


def test_moments_belong_to_a_split_by_time():
    assert set(faults(split={"kind": "random", "train": ["2026-01-01"], "test": ["2026-08-01"]})) == {"split"}


def test_the_ladder_may_be_named_by_the_gate_and_so_may_the_model_itself():
    for better_than in ("constant", "logistic", "xgboost"):
        project, found = validation.read(changed(gate__ranks={"metric": "roc_auc", "better_than": better_than}))
        assert project is not None, found
    assert (
        "model.ladder has no 'logistic'"
        in faults(
            model={"kind": "xgboost", "ladder": ["constant"]},
            gate__ranks={"metric": "roc_auc", "better_than": "logistic"},
        )["gate.ranks.better_than"]
    )


def test_outcomes_keep_their_type():
    for value in (0, 1.5, "yes", True, False):
        project, _ = validation.read(changed(label__is=value))
        assert project is not None
        assert (project.label.is_, type(project.label.is_)) == (value, type(value))


def test_a_database_does_not_show_its_secret():
    database = spec.Database.model_validate({"kind": "postgres", "dsn": "${oc.env:SCORES_DSN}"})
    database = database.model_copy(update={"dsn": "postgresql://u:geheim@h/db"})

    assert "geheim" not in repr(database)


@pytest.mark.parametrize(
    "dsn",
    ["postgresql://u:geheim@h/db", "host=h password=geheim", "host=h Password = 'x'", "postgresql://h/d?password=x"],
)
def test_a_password_in_the_yaml_is_refused_without_being_shown(dsn):
    _, faults = validation.read(changed(database={"kind": "postgres", "dsn": dsn}))

    (fault,) = faults
    assert fault.key == "database"
    assert "`dsn` holds a password" in fault.message
    assert dsn not in str(fault)


@pytest.mark.parametrize("dsn", ["${oc.env:DSN}", "postgresql://u@h/db", "postgresql://u:${oc.env:PW}@h/db", "host=h"])
def test_a_connection_string_without_a_written_password_is_taken(dsn):
    project, faults = validation.read(changed(database={"kind": "postgres", "dsn": dsn}))

    assert faults == []
    assert project.database.dsn == dsn


@pytest.mark.parametrize(("text", "hours"), [("1h", 1), ("36h", 36), ("30d", 720), ("2w", 336), ("99999d", 2_399_976)])
def test_durations(text, hours):
    assert duration(text).total_seconds() == hours * 3600


@pytest.mark.parametrize("text", ["", "d", "0d", "00h", "1m", "1y", "1.5d", "-1d", "1 d", "100000d", "1d1h", "१d"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        duration(text)


def test_moments_are_utc():
    assert moment_text(moment("2026-11-01T02:00:00+02:00")) == "2026-11-01"
    assert moment_text(moment("2026-11-01T06:00:00Z")) == "2026-11-01T06:00:00Z"
    with pytest.raises(ValueError, match="no time zone"):
        moment("2026-11-01T06:00:00")


@pytest.mark.parametrize("seam", kinds.SEAMS)
def test_every_seam_has_kinds_and_refuses_others(seam):
    assert kinds.names(seam)
    with pytest.raises(ConfigError, match="has no kind"):
        kinds.options(seam, {"kind": "../errors"})
