"""What commands are given, turned into what the library takes; every refusal is one line with the next step."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from surehand.decide.evidence import Errors
from surehand.errors.plan import require_held_out
from surehand.errors.record import ErrorsRecord
from surehand.errors.recorded import recorded_errors
from surehand.exceptions import FormatError, SurehandError
from surehand.formats.checkpoint_names import split_step
from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.modality import read_modality
from surehand.formats.predictions import PredictionsFile, open_predictions
from surehand.formats.stats_files import read_any_stats
from surehand.frames import By, Stats
from surehand.layout import Layout
from surehand.measure.scale import ErrorSpace
from surehand.robots import Match, find_robot, robot
from surehand.splits import Split, lerobot_split, listed_split, random_split

PREDICTION_SUFFIXES = (".parquet", ".npz")


def open_dataset(folder: Path | None, repo_id: str, *, check: bool = True) -> LeRobotFolder:
    """The dataset at `folder`, or LeRobot's local copy of `repo_id`."""
    return open_lerobot(dataset_folder(folder, repo_id), check=check)


def open_files(paths: Sequence[Path]) -> list[PredictionsFile]:
    """Recorded predictions; a folder stands for every prediction file in it, in the order of their training steps."""
    found: list[PredictionsFile] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.suffix in PREDICTION_SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise FormatError(f"{path}: no predictions (.parquet or .npz) in this folder")
        files = [open_predictions(file) for file in inside]
        found.extend(sorted(files, key=_run_and_step) if path.is_dir() else files)
    return found


def _run_and_step(file: PredictionsFile) -> tuple[str, int]:
    """What a checkpoint's name sorts by: 9k before 10k."""
    run, step = split_step(file.checkpoint)
    return run, -1 if step is None else step


def dataset_folder(folder: Path | None, repo_id: str) -> Path:
    """Where the dataset lies on disk."""
    if folder is not None:
        return folder
    if not repo_id:
        raise SurehandError("which dataset? give its folder, or --repo-id for LeRobot's local copy")
    local = Path(os.environ.get("HF_LEROBOT_HOME") or Path.home() / ".cache/huggingface/lerobot") / repo_id
    if not local.is_dir():
        raise FormatError(f"{repo_id}: no local copy at {local}; download it with LeRobot, or give a folder")
    return local


def check_writable(folder: Path | None) -> None:
    """Nothing, or FormatError before any work is done for a folder that could not be written in the end."""
    if folder is None:
        return
    try:
        standing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
        Path(tempfile.mkdtemp(dir=standing, prefix=".surehand.")).rmdir()
    except OSError as error:
        raise FormatError(f"cannot write to {folder}: {error.strerror or error}; choose another folder") from None


def named_layout(
    name: str = "", text: str = "", modality: Path | None = None, size: int | None = None
) -> Layout | None:
    """The layout the user named in one of three ways, None where in none."""
    if sum(map(bool, (name, text, modality))) > 1:
        raise SurehandError("give one of --robot, --layout and --modality, not several")
    if name:
        return robot(name)
    if text:
        return Layout.parse(text)
    return read_modality(modality, size) if modality is not None else None


def find_layout(dataset: LeRobotFolder, name: str = "", text: str = "", modality: Path | None = None) -> Match:
    """The layout the user named, or the one the evidence points to; refused where it contradicts the dataset."""
    layout = named_layout(name, text, modality, dataset.size)
    if layout is not None:
        layout.check_names(dataset.action_names, dataset.size)
        said = f"--robot {name}" if name else "--layout" if text else f"--modality {modality}"
        return Match(name or None, layout, (f"named by {said}",))
    beside = dataset.root / "meta" / "modality.json"
    if beside.is_file():
        layout = read_modality(beside, dataset.size, dataset.action_names)
        return Match(None, layout, ("groups read from the dataset's meta/modality.json",))
    stats = dataset.stats()
    low, high = (stats.min, stats.max) if stats else (None, None)
    return find_robot(dataset.action_names, dataset.size, low, high, dataset.robot_type)


def make_split(
    dataset: LeRobotFolder,
    files: Sequence[PredictionsFile],
    fraction: float | None,
    episodes: str,
    ratio: float | None,
    seed: int,
) -> Split:
    """The held-out episodes the user asked for; with predictions and no word from the user, the predicted episodes."""
    if sum((fraction is not None, bool(episodes), ratio is not None)) > 1:
        raise SurehandError("give one of --split, --episodes and --ratio, not several")
    everything = [int(e) for e in dataset.episodes]
    if episodes:
        split = listed_split(everything, episodes)
    elif ratio is not None:
        split = random_split(everything, ratio, seed)
    elif fraction is None and files:
        split = _predicted_episodes(everything, files)
    else:
        tasks = dict(zip(everything, dataset.episode_tasks, strict=True))
        split = lerobot_split(tasks, 0.1 if fraction is None else fraction)
    require_held_out(split)
    return split


def _predicted_episodes(everything: list[int], files: Sequence[PredictionsFile]) -> Split:
    predicted = sorted({int(e) for file in files for e in file.episodes()})
    unknown = sorted(set(predicted) - set(everything))
    if unknown:
        raise SurehandError(
            f"{len(unknown)} predicted episodes are not in the dataset, the first is {unknown[0]}; wrong dataset?"
        )
    rest = tuple(e for e in everything if e not in set(predicted))
    return Split(rest, tuple(predicted), "held out: the episodes in the recorded predictions; training: all others")


def doctor_split(
    folder: Path, fraction: float | None, episodes: str, config: Path | None
) -> tuple[Sequence[int] | None, Sequence[int] | None]:
    """(training episodes, held-out episodes) as a config or the user states them, None where nobody says."""
    if sum((fraction is not None, bool(episodes), config is not None)) > 1:
        raise SurehandError("give one of --split, --episodes and --config, not several")
    if config is not None:
        from surehand.decide.doctor import split_of_config

        return split_of_config(config, open_lerobot(folder, check=False))
    if fraction is None and not episodes:
        return None, None
    split = make_split(open_lerobot(folder, check=False), (), fraction, episodes, None, 0)
    return split.train, split.held_out


def read_stats(path: Path | None) -> tuple[Stats | None, By]:
    """Statistics and which of them normalise; (None, "mean_std") where none were given."""
    if path is None:
        return None, "mean_std"
    stats, by = read_any_stats(path)
    return stats, by or "mean_std"


def error_space(name: str) -> ErrorSpace:
    """One of the spaces errors are told in."""
    if name not in get_args(ErrorSpace):
        raise SurehandError(f"unknown error space {name!r}; known: {', '.join(get_args(ErrorSpace))}")
    return cast(ErrorSpace, name)


def parse_weights(text: str) -> dict[str, float] | None:
    """Group weights from "arm=2,base=1"; None for nothing."""
    if not text.strip():
        return None
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        try:
            weights[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise SurehandError(f"cannot read the weight {part.strip()!r}; expected group=number, e.g. arm=2,base=1")
    return weights


def read_errors(source: Path) -> Errors:
    """Errors to choose from: a table of group errors (CSV), or the record of an evaluation (JSON)."""
    if source.suffix == ".json":
        return recorded_errors(ErrorsRecord.load(source))
    from surehand.formats.tables import read_error_table

    return read_error_table(source)
