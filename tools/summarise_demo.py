"""Prints what the demo data say: errors per group in both spaces, the verdicts on them, and the closed-loop truth.

`python tools/summarise_demo.py [folder]`: the numbers in docs/demo.md come from here.
"""

import json
import sys
from pathlib import Path

import numpy as np

import surehand as sh
from surehand.demo import demo_folder
from surehand.formats.lerobot import LeRobotFolder
from surehand.frames import Stats
from surehand.measure.error import GroupErrors
from surehand.measure.scale import ErrorSpace
from surehand.splits import lerobot_split

NEAR = 0.12  # m from tool to object, measured: the near-contact phase
HELD_OUT = 0.25
HEAD = f"{'':12s}{'success':>8s}{'arm':>9s}{'gripper':>9s}{'head':>9s}{'base':>9s}{'total':>9s}{'near arm':>10s}"


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else demo_folder()
    folder = sh.open_lerobot(root / "dataset")
    outcomes = json.loads((root / "outcomes.json").read_text(encoding="utf-8"))
    attempts = outcomes["episodes_per_task"] * len(outcomes["tasks"])
    rate = {row["checkpoint"]: sum(row["successes"]) / attempts for row in outcomes["outcomes"]}
    spaces: tuple[tuple[ErrorSpace, float], ...] = (("robot", 1e3), ("std", 1.0))
    for space, factor in spaces:
        errors = measure(root, folder, space)
        print(f"\n{space} units{' (× 1e-3)' if factor > 1 else ''}\n{HEAD}")
        for name, e in errors.items():
            row = factor * np.array([*e.table(), e.table("near")[0]])
            print(f"{name:12s}{rate[name]:8.2f}" + "".join(f"{value:9.4f}" for value in row))
        mlp = {name: e for name, e in errors.items() if name.startswith("mlp")}
        for phase in (None, "near"):
            choice = sh.select_checkpoint(mlp, rng=np.random.default_rng(0), phase=phase)
            print(choice)
            for pick in choice.picks:
                print(f"  {pick.rule:24s} {pick.best:12s} success {rate[pick.best]:.2f}; tied {', '.join(pick.tied)}")
            for alarm in choice.masking:
                print(f"  {alarm.sentence}")


def measure(root: Path, folder: LeRobotFolder, space: ErrorSpace) -> dict[str, GroupErrors]:
    """Errors of every checkpoint on its held-out frames, with the phase "near" where the tool is near the object."""
    split = lerobot_split(dict(zip(folder.episodes.tolist(), folder.episode_tasks, strict=True)), HELD_OUT)
    held_out = folder.read(split.held_out, columns=["tool_object_distance"])
    near = (held_out.columns["tool_object_distance"].ravel() < NEAR).astype(int)
    train = folder.read(split.train).action
    stats = Stats(train.mean(0), train.std(0), train.min(0), train.max(0), source="training episodes")
    found = {}
    for path in sorted((root / "predictions").glob("*.parquet")):
        predictions = sh.read_predictions(path)
        layout = sh.Layout.parse(sh.open_predictions(path).metadata["layout"])
        pairs = sh.pair(predictions, held_out, phase=near, phases=("far", "near"))
        found[predictions.checkpoint] = sh.group_error(pairs, layout, space=space, stats=stats)
    return found


if __name__ == "__main__":
    main()
