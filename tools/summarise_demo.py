"""Prints what the demo data say: errors per group in both spaces, the verdicts on them, and the closed-loop truth.

`python tools/summarise_demo.py [folder]`: the numbers in docs/demo.md come from here.
"""

import sys
from pathlib import Path

import numpy as np

import surehand as sh
from surehand.demo import demo_folder
from surehand.demo.run import NEAR, demo_split
from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.trials import read_trials
from surehand.frames import Stats
from surehand.measure.error import GroupErrors
from surehand.measure.scale import ErrorSpace

TASKS = ("pick", "place", "press")
SPACES: tuple[tuple[ErrorSpace, float], ...] = (("robot", 1e3), ("std", 1.0))


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else demo_folder()
    folder, rate = sh.open_lerobot(root / "dataset"), rates(root)
    print("| checkpoint | success | " + " | ".join(TASKS) + " |")
    for name, row in rate.items():
        print(f"| {name} | " + " | ".join(f"{row[task]:.2f}" for task in ("all", *TASKS)) + " |")
    for space, factor in SPACES:
        errors = measure(root, folder, space)
        print(f"\n{space} units{' (× 10⁻³)' if factor > 1 else ''}")
        print("| checkpoint | success | arm | gripper | head | base | total | arm, near |")
        for name, e in errors.items():
            row = factor * np.array([*e.table(), e.table("near")[0]])
            digits = 2 if factor > 1 else 4
            print(f"| {name} | {rate[name]['all']:.2f} | " + " | ".join(f"{value:.{digits}f}" for value in row) + " |")
        mlp = {name: e for name, e in errors.items() if name.startswith("mlp")}
        for phase in (None, "near"):
            choice = sh.select_checkpoint(mlp, rng=np.random.default_rng(0), phase=phase)
            print(choice)
            for pick in choice.picks:
                print(f"  {pick.rule:24s} {pick.best:12s} success {rate[pick.best]['all']:.2f}; tied {len(pick.tied)}")
            for alarm in choice.masking:
                print(f"  {alarm.sentence}")


def rates(root: Path) -> dict[str, dict[str, float]]:
    """Policy: share of successes per task and of all."""
    trials = read_trials(root / "trials.csv")
    found = {}
    for name in trials.policies:
        block = np.array([row.block for row in trials[name].counted])
        good = trials[name].successes
        found[name] = {"all": float(good.mean())} | {task: float(good[block == task].mean()) for task in TASKS}
    return found


def measure(root: Path, folder: LeRobotFolder, space: ErrorSpace) -> dict[str, GroupErrors]:
    """Errors of every checkpoint on its held-out frames, with the phase "near" where the tool is near the thing."""
    split = demo_split(folder)
    held_out = folder.read(split.held_out, columns=["tool_object_distance"])
    near = (held_out.columns["tool_object_distance"].ravel() < NEAR).astype(int)
    train = folder.read(split.train).action
    stats = Stats(train.mean(0), train.std(0), train.min(0), train.max(0), source="training episodes")
    found = {}
    for path in sorted((root / "predictions").glob("*.parquet"), key=lambda path: (path.stem[:4] != "mlp-", path)):
        predictions = sh.read_predictions(path)
        layout = sh.Layout.parse(sh.open_predictions(path).metadata["layout"])
        pairs = sh.pair(predictions, held_out, phase=near, phases=("far", "near"))
        found[predictions.checkpoint] = sh.group_error(pairs, layout, space=space, stats=stats)
    return found


if __name__ == "__main__":
    main()
