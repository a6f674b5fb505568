"""docs/within-run.md states what the committed runs say."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_results_are_those_of_the_committed_runs() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    from within_run_results import results

    page = (ROOT / "docs" / "within-run.md").read_text(encoding="utf-8")
    assert results() in page, "docs/within-run.md is stale: run `make docs`"
