"""A checkpoint that lerobot trained is sound at the doctor's; each fault planted in a copy comes out with its code."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "doctor_checkpoints.py"
CAUSE = {
    "sound": set[str](),
    "renamed input": set[str](),
    "no step after": {"policy.normaliser_missing"},
    "statistics missing": {"policy.unreadable"},
    "keyed actions": {"policy.normaliser_missing"},
    "inert after": {"policy.normaliser_inert"},
    "inert state": {"policy.normaliser_inert"},
    "degrees": {"stats.mean", "stats.std"},
    "degrees after": {"policy.normaliser_differs"},
    "degrees of state": {"policy.state_stats"},
    "joints moved": {"policy.joint_order"},
    "state moved": {"policy.joint_order"},
    "another input": {"policy.inputs", "policy.normaliser_missing"},
    "another size": {"policy.inputs"},
    "config cut": {"policy.unreadable"},
    "weights cut": {"policy.unreadable"},
    "weights NaN": {"policy.unreadable"},
    "steps damaged": {"policy.unreadable"},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> dict[str, set[str]]:
    """Codes of errors and warnings by case."""
    for module in ("lerobot", "mujoco"):
        need(module)
    root = tmp_path_factory.mktemp("doctor")
    environment = os.environ | {"HF_HOME": str(root / "home"), "PYTHONWARNINGS": ""}
    done = subprocess.run([sys.executable, PROGRAM, root], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    cases = json.loads((root / "found.json").read_text())
    assert set(cases) == set(CAUSE)
    return {case: set(codes) for case, codes in cases.items()}


@pytest.mark.slow
@pytest.mark.parametrize("case", CAUSE)
def test_the_cause_comes_out(found: dict[str, set[str]], case: str) -> None:
    """Beside it stands only what follows from it: that the policy cannot be asked, or what its answers look like."""
    follows = {code for code in found[case] if code == "policy.unreadable" or code.startswith("predictions.")}
    assert found[case] - (follows - CAUSE[case]) == CAUSE[case]
    assert CAUSE[case] or not follows, "nothing is wrong with a sound checkpoint"
    if case in ("inert after", "degrees", "degrees after", "joints moved"):
        assert follows, "the answers show it too"
