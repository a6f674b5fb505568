"""Makes surehand's embedded demo data: `python tools/make_demo_data.py --out src/surehand/demo/data`.

Surehand's own commands record, train and roll out, all with one seed; this script runs them, keeps every second
predicted frame and rounds predictions and rounds to what 16-bit floats hold. The dataset stays as it was recorded.
What was designed and why stands in src/surehand/demo/README.md.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from surehand.formats.predictions import read_predictions, write_predictions
from surehand.formats.records import write_text
from surehand.formats.rounds import open_rounds, write_rounds
from surehand.frames import Round
from surehand.sim.model import mjcf
from surehand.sim.robot import body

SEED = 710  # the design was settled on seeds 700 and 701; this one was then run once
TASKS = ["--task", "pick", "--task", "place", "--task", "press"]
EVERY = {"mlp": 2, "flow": 4}  # every second (fourth) held-out frame is kept
DRAWS = 4  # chunks per frame of the stochastic learner
CANDIDATES = 8


@dataclass(frozen=True)
class Size:
    """How much is made."""

    demonstrations: int = 120
    mlp_steps: int = 3000
    checkpoints: int = 8
    flow_steps: int = 2000
    trials: int = 40  # closed-loop episodes per checkpoint and task
    watched: int = 6  # episodes per task whose decisions have branched candidates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent, prefix=".demo-") as draft:
        made = make(Path(draft), options.seed, Size())
        shutil.rmtree(options.out, ignore_errors=True)
        shutil.move(made, options.out)


def make(draft: Path, seed: int, size: Size) -> Path:
    """The folder of everything that ships, inside the empty folder `draft`."""
    made = draft / "data"
    ran = run_commands(draft, seed, size)
    shutil.move(draft / "dataset", made / "dataset")
    for name, every in EVERY.items():
        for path in sorted((draft / name / "predictions").glob("*.parquet")):
            thin_predictions(path, made / "predictions" / path.name, every)
    shutil.copy(draft / "mlp" / "run.json", made / "mlp-run.json")
    shutil.copy(draft / "trials" / "trials.csv", made / "trials.csv")
    (logged,) = (draft / "rounds" / "rounds").glob("*.parquet")
    rounds = open_rounds(logged)
    write_rounds(made / "rounds.parquet", map(rounded, rounds), layout=rounds.metadata["layout"])
    write_text(made / "robot.xml", mjcf(body("mobile"), "", "") + "\n")
    write_text(made / "commands.txt", ran)
    return made


def run_commands(draft: Path, seed: int, size: Size) -> str:
    """What commands.txt says: the versions, and the commands that were run."""
    lines = [f"# {name} {version(name)}" for name in ("surehand", "mujoco", "torch", "numpy")]
    for command in commands(draft, seed, size):
        lines.append(shlex.join(command))
        print(lines[-1], flush=True)
        subprocess.run([sys.executable, "-m", *command], cwd=draft, check=True)
    return "\n".join(lines) + "\n"


def commands(draft: Path, seed: int, size: Size) -> Iterator[list[str]]:
    """One surehand command after another; the checkpoints to roll out are those that training left."""
    sim, seeded = ["surehand", "sim"], ["--seed", str(seed)]
    record = ["--episodes", str(size.demonstrations), "--nudges", "--glances", "--out", "dataset"]
    yield [*sim, "record", *TASKS, *record, *seeded]
    mlp = ["--steps", str(size.mlp_steps), "--checkpoints", str(size.checkpoints), "--out", "mlp"]
    yield [*sim, "train", "dataset", "--learner", "mlp", *mlp, *seeded]
    flow = ["--steps", str(size.flow_steps), "--checkpoints", "1", "--draws", str(DRAWS), "--out", "flow"]
    yield [*sim, "train", "dataset", "--learner", "flow", *flow, *seeded]
    kept = [str(path.relative_to(draft)) for name in EVERY for path in sorted((draft / name / "checkpoints").iterdir())]
    yield [*sim, "rollout", *kept, *TASKS, "--episodes", str(size.trials), "--out", "trials", *seeded]
    watched = ["--candidates", str(CANDIDATES), "--native", "--branch", "--out", "rounds"]
    yield [*sim, "rollout", kept[-1], *TASKS, "--episodes", str(size.watched), *watched, *seeded]


def thin_predictions(source: Path, target: Path, every: int) -> None:
    """Nothing; writes the predictions of every n-th frame, rounded."""
    found = read_predictions(source)
    found = found.take(found.frame % every == 0)
    write_predictions(target, replace(found, prediction=half(found.prediction)))


def rounded(item: Round) -> Round:
    """The round with 16-bit numbers; scores and labels are left alone."""
    return replace(
        item,
        candidates=half(item.candidates),
        features=None if item.features is None else half(item.features),
        embedding=None if item.embedding is None else half(item.embedding),
        traces={name: half(trace) for name, trace in item.traces.items()},
    )


def half(values: np.ndarray) -> np.ndarray:
    """The nearest numbers that 16-bit floats hold, in the type they came in; zstd then packs them well."""
    return values.astype(np.float16).astype(values.dtype)


if __name__ == "__main__":
    main()
