"""docs/contracts.md says of every column what the schema says: name, type, null."""

import re
from pathlib import Path
from typing import Any

import pytest

from surehand.formats import predictions_schema, rounds, trials

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
