"""A contract in the open standard: out, in, and out again the same; what it says is what the standard allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mlctl.drafts import odcs, odcs_draft
from tests import world

NAMED = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
CUSTOM = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["property", "value"],
        "properties": {"property": {"type": "string"}, "value": {}},
        "additionalProperties": False,
    },
}
QUALITY = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["metric", "mustBe"],
        "properties": {
            "type": {"enum": ["text", "library", "sql", "custom"]},
            "metric": {"enum": ["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"]},
            "arguments": {"type": "object"},
            "mustBe": {},
        },
        "additionalProperties": False,
    },
}


def options_of(logical: str, allowed: dict[str, Any]) -> dict[str, Any]:
    options = {"type": "object", "properties": allowed, "additionalProperties": False}
    return {
        "if": {"properties": {"logicalType": {"const": logical}}},
        "then": {"properties": {"logicalTypeOptions": options}},
    }


RANGE = {"minimum": {"type": "number"}, "maximum": {"type": "number"}}
PROPERTY = {
    "type": "object",
    "required": ["name"],
    "properties": {
        **{name: {"type": "string"} for name in ("name", "description", "physicalType", "classification")},
        **{name: {"type": "boolean"} for name in ("required", "unique", "primaryKey")},
        "primaryKeyPosition": {"type": "integer"},
        "logicalType": {"enum": ["string", "date", "timestamp", "time", "number", "integer", "boolean"]},
        "logicalTypeOptions": {"type": "object"},
        "quality": QUALITY,
        "customProperties": CUSTOM,
    },
    "additionalProperties": False,
    # as in the standard, a condition on the logical type also holds where none is given
    "allOf": [
        options_of("string", {"pattern": {"type": "string"}}),
        options_of("integer", RANGE),
        options_of("number", RANGE),
        options_of("timestamp", {name: {"type": "string"} for name in RANGE}),
    ],
}
SLA = {"property": {"type": "string"}, "value": {}, "unit": {"type": "string"}, "element": {"type": "string"}}
STANDARD = {
    "type": "object",
    "required": ["apiVersion", "kind", "id", "version", "status"],
    "properties": {
        "apiVersion": {"const": "v3.1.0"},
        "kind": {"const": "DataContract"},
        **{name: {"type": "string"} for name in ("id", "name", "version", "status")},
        "description": {"type": "object", "properties": {"purpose": {"type": "string"}}},
        "team": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False},
        "schema": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    **{name: {"type": "string"} for name in ("name", "description", "physicalType")},
                    "logicalType": {"const": "object"},
                    "properties": {"type": "array", "items": PROPERTY},
                    "customProperties": CUSTOM,
                },
                "additionalProperties": False,
            },
        },
        "slaProperties": {"type": "array", "items": {"type": "object", "required": ["property"], "properties": SLA}},
    },
    "additionalProperties": False,
}
"""The part of the published JSON schema of ODCS 3.1.0 that mlctl writes, by hand."""

ORDERS = """\
  orders:
    kind: demo
    table: orders
    customers: 600
    key: [order_id]
    max_age: 2w
    owner: the shop team
    about: one order
    notes:
      amount_eur: {about: what was paid, unit: eur, pii: false}
      customer_id: {about: who bought, pii: true, owner: sales}
"""
CHECK = """\
  contract:
    kind: columns
    source: orders
    severity: quarantine
    extra: warn
    columns:
      order_id: {type: text, nullable: false, unique: true, matches: "[A-Za-z0-9_-]+"}
      amount_eur: {type: number, nullable: false, min: 0, max: 900, severity: repair, repair: clip, summed: true}
      channel: {one_of: [web, app, "no"], max_missing: 0.5}
      ordered_at: {min: 0}
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose sources and checks say everything that a contract can hold."""
    folder = world.make_workspace(tmp_path_factory.mktemp("contract") / "workspace")
    config = folder / "projects/shop/project.yaml"
    world.replace(config, "  orders: {kind: demo, table: orders, customers: 600}\n", ORDERS)
    world.replace(config, "features:\n", f"{CHECK}features:\n")
    return folder


def exported(folder: Path, *arguments: str) -> str:
    done = world.mlctl(folder, "contract", "export", "shop", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def column(contract: dict[str, Any], table: str, name: str) -> dict[str, Any]:
    (found,) = (c for t in contract["schema"] if t["name"] == table for c in t["properties"] if c["name"] == name)
    return dict(found)


def test_what_is_exported_keeps_to_the_standard(told: Path) -> None:
    contract = yaml.safe_load(exported(told))

    jsonschema.validate(contract, STANDARD)
    assert odcs.faults(contract) == []
    amount = column(contract, "orders", "amount_eur")
    assert amount["logicalTypeOptions"] == {"minimum": 0.0, "maximum": 900.0}
    assert (amount["required"], "classification" in amount) == (True, False)
    order = column(contract, "orders", "order_id")
    assert (order["primaryKey"], order["primaryKeyPosition"], order["unique"]) == (True, 1, True)
    assert column(contract, "orders", "customer_id")["classification"] == "personal"
    assert column(contract, "orders", "channel")["quality"][0]["arguments"] == {"validValues": ["web", "app", "no"]}
    assert contract["slaProperties"] == [
        {"property": "freshness", "value": 14, "unit": "d", "element": "orders.ordered_at"}
    ]
    one = yaml.safe_load(exported(told, "orders"))
    assert ([table["name"] for table in one["schema"]], one["id"]) == (["orders"], "mlctl.shop.orders")


def test_out_in_and_out_again_is_the_same_text(told: Path, tmp_path: Path) -> None:
    folder = world.copy_workspace(told, tmp_path / "workspace")
    assert world.mlctl(folder, "ingest", "shop").returncode == 0
    first = exported(folder)
    assert column(yaml.safe_load(first), "customers", "plan")["physicalType"] == "String"
    (folder / "shop.odcs.yaml").write_text(first)

    done = world.mlctl(folder, "contract", "import", "shop.odcs.yaml")

    assert done.returncode == 0, done.stderr
    assert "left out" not in done.stderr
    config = folder / "projects/shop/project.yaml"
    whole = {**yaml.safe_load(config.read_text()), **yaml.safe_load(done.stdout)}
    config.write_text(yaml.safe_dump(whole, sort_keys=False))
    assert exported(folder) == first
    # rules that the standard has no word for come back too
    (check,) = (check for name, check in yaml.safe_load(done.stdout)["checks"].items() if name == "orders")
    assert (check["severity"], check["extra"]) == ("quarantine", "warn")
    assert check["columns"]["amount_eur"]["repair"] == "clip"
    assert check["columns"]["channel"]["max_missing"] == 0.5
    assert check["columns"]["ordered_at"]["min"] == 0


def test_a_contract_of_others_becomes_a_draft_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    world.make_workspace(tmp_path / "workspace")
    contract = {
        "apiVersion": "v3.0.2",
        "kind": "DataContract",
        "id": "53581432-6c55-4ba2-a65f-72344a91553a",
        "version": "2.1.0",
        "status": "draft",
        "servers": [{"server": "prod", "type": "s3"}],
        "slaProperties": [{"property": "latency", "value": 4, "unit": "d", "element": "Sales-Orders.at"}],
        "schema": [
            {
                "name": "Sales-Orders",
                "quality": [{"metric": "rowCount", "mustBeGreaterThan": 5, "name": "enough"}],
                "properties": [
                    {"name": "b", "primaryKey": True, "primaryKeyPosition": 2, "logicalType": "integer"},
                    {"name": "a", "primaryKey": True, "primaryKeyPosition": 1, "quality": [{"metric": "nullValues", "mustBe": 0}]},
                    {"name": "at", "logicalType": "timestamp", "logicalTypeOptions": {"minimum": "2020-01-01"}},
                    {"name": "born", "logicalType": "date", "classification": "PII", "description": "birthday"},
                    {"name": "pay", "logicalType": "number", "logicalTypeOptions": {"exclusiveMinimum": 0, "maximum": 9}, "classification": "restricted"},
                    {"name": "tags", "logicalType": "array"},
                ],
            }
        ],
    }  # fmt: skip
    path = tmp_path / "workspace" / "theirs.yaml"
    path.write_text(yaml.safe_dump(contract))

    imported = odcs_draft.draft(path)

    drafted = yaml.safe_load(imported.text)
    assert drafted["sources"]["sales_orders"] == {
        "kind": "parquet",
        "path": "sales_orders.parquet",
        "key": ["a", "b"],
        "max_age": "4d",
        "notes": {"born": {"about": "birthday", "pii": True}},
    }
    assert drafted["checks"]["sales_orders"]["columns"] == {
        "b": {"type": "integer"},
        "a": {"nullable": False},
        "at": {"type": "time"},
        "born": {"type": "time"},
        "pay": {"type": "number", "max": 9},
        "tags": {},
    }
    assert imported.left == (
        "sales_orders.at: minimum 2020-01-01",
        "sales_orders.pay: exclusiveMinimum 0",
        "sales_orders.pay: the classification restricted",
        "sales_orders.tags: the logicalType array",
        "sales_orders: its rule enough",
        "servers of the contract",
    )
    arguments = ("contract", "import", "theirs.yaml", "--project", "projects/shop")
    assert world.mlctl(tmp_path / "workspace", *arguments).returncode == 0
    assert (tmp_path / "workspace/projects/shop/draft.yaml").read_text() == imported.text
    again = world.mlctl(tmp_path / "workspace", *arguments)
    assert again.returncode == 2
    assert "is there already" in again.stderr


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"apiVersion": None}, "apiVersion is missing"),
        ({"apiVersion": "v2.2.2"}, "mlctl reads v3"),
        ({"kind": "Contract"}, "not DataContract"),
        ({"schema": []}, "schema holds no object"),
        ({"schema": [{"properties": []}]}, "schema[0] has no name"),
        ({"schema": [{"name": "t"}, {"name": "t"}]}, "t stands twice in schema"),
        ({"schema": [{"name": "t", "properties": [{"logicalType": "string"}]}]}, "schema[0].properties[0] has no name"),
        ({"schema": [{"name": "t", "properties": {"a": {}}}]}, "schema[0].properties is no list"),
        ({"schema": [{"name": "t", "properties": [{"name": "a"}, {"name": "a"}]}]}, "t.a stands twice"),
        ({"schema": [{"name": "t", "properties": [{"name": "a", "logicalType": "strng"}]}]}, "did you mean 'string'?"),
        ({"schema": [{"name": "t", "properties": [{"name": "a", "required": "yes"}]}]}, "neither true nor false"),
        (
            {"schema": [{"name": "t", "properties": [{"name": "a", "logicalType": "string", "logicalTypeOptions": {"minimum": 1}}]}]},
            "logicalTypeOptions of a string have no 'minimum'",
        ),
        (
            {"schema": [{"name": "t", "properties": [{"name": "a", "quality": [{"metric": "not_null", "mustBe": 0}]}]}]},
            "the metric 'not_null' is none of",
        ),
        (
            {"schema": [{"name": "t", "properties": [{"name": "a", "quality": [{"metric": "nullValues"}]}]}]},
            "needs exactly one of",
        ),
    ],
)  # fmt: skip
def test_a_contract_that_is_none_is_told(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    good = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "version": "1", "status": "active"}
    good |= {"schema": [{"name": "t", "properties": [{"name": "a", "logicalType": "string"}]}]}
    path = tmp_path / "contract.yaml"
    path.write_text(yaml.safe_dump(good))
    assert odcs.lint(path) == []
    path.write_text(yaml.safe_dump({**good, **change}))

    assert fault in " | ".join(odcs.lint(path))
    done = world.mlctl(tmp_path, "contract", "lint", "contract.yaml")
    assert done.returncode == 2
    assert "faults" in done.stderr


def test_a_source_that_is_not_there_is_told(told: Path) -> None:
    done = world.mlctl(told, "contract", "export", "shop", "order")

    assert done.returncode == 2
    assert "did you mean 'orders'?" in done.stderr
