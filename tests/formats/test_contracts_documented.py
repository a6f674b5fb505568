"""docs/contracts.md says of every column what the schema says: name, type, null."""

import re
from pathlib import Path
from typing import Any

import pytest

from surehand.formats import predictions_schema, rounds, trials
from surehand.formats.records import Record
from surehand.formats.rubrics import Rubric
from surehand.formats.schedules import Item, Key, Schedule, StopRule

DOCS = Path(__file__).parents[2] / "docs" / "contracts.md"
SCHEMAS = {
    "Predictions": predictions_schema.schema(16, 11),
    "Rounds": rounds.schema(),
    "Trials": trials.schema(),
}


def documented(section: str) -> list[tuple[str, str, str]]:
    """(name, type, null) of every row of the section's column table."""
    text = DOCS.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    table = text.split("| column |")[1].split("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \| ([^|]+) \| (yes|no) \| [^|]*\| [^|]+ \|$", table, re.MULTILINE)


@pytest.mark.parametrize("section", SCHEMAS)
def test_the_columns_are_the_documented_ones(section: str) -> None:
    schema: Any = SCHEMAS[section]
    assert documented(section) == [
        (field.name, re.sub(r" \(\w+\)", "", str(field.type)), "yes" if field.nullable else "no") for field in schema
    ]


@pytest.mark.parametrize("module", [predictions_schema, rounds, trials])
def test_the_version_is_the_documented_one(module: Any) -> None:
    assert f"now {module.LATEST} for each kind" in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("section", "table", "model"),
    [
        ("Rubrics", "field", Rubric),
        ("Schedules", "field", Schedule),
        ("Schedules", "field of an item", Item),
        ("Keys", "field", Key),
    ],
)
def test_the_fields_are_the_documented_ones(section: str, table: str, model: Any) -> None:
    text = DOCS.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = text.split(f"| {table} |")[1].split("\n\n")[0].splitlines()[2:]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert named == [name for name in model.model_fields if name not in Record.model_fields]


def test_the_stop_rule_is_documented() -> None:
    row = next(line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `stop` | null"))
    assert all(f"`{name}`" in row for name in StopRule.model_fields)
