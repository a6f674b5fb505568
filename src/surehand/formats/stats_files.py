"""Action statistics from whatever file holds them: a LeRobot checkpoint, openpi's norm_stats.json, a stats.json."""

from pathlib import Path

from surehand.exceptions import FormatError
from surehand.formats.checkpoint_stats import read_checkpoint_stats
from surehand.formats.lerobot_stats import make_stats
from surehand.formats.norm_stats import read_norm_stats
from surehand.formats.records import read_json
from surehand.frames import By, Stats

ACTION_KEYS = ("action", "actions")


def read_any_stats(path: Path) -> tuple[Stats, By]:
    """The action statistics at `path`, and which of them normalise the policy ("" where it does not normalise).

    A JSON file says nothing about the latter: quantiles where it has them (openpi's default), mean and std otherwise.
    """
    if path.suffix == ".safetensors" or (path.is_dir() and not _holds_norm_stats(path)):
        found = read_checkpoint_stats(path)
        return found.stats, found.by
    if path.is_dir() or path.name == "norm_stats.json":
        entries = read_norm_stats(path)
        key = _action_key(entries, path)
        return entries[key], _likely(entries[key])
    content = read_json(path)
    if not isinstance(content, dict):
        raise FormatError(f"{path}: expected statistics by feature, found {type(content).__name__}")
    if "norm_stats" in content:
        entries = read_norm_stats(path)
        key = _action_key(entries, path)
        return entries[key], _likely(entries[key])
    key = _action_key(content, path)
    stats = make_stats(content[key], f"{path} key {key!r}")
    return stats, _likely(stats)


def _holds_norm_stats(folder: Path) -> bool:
    return (folder / "norm_stats.json").is_file() or any(folder.glob("assets/**/norm_stats.json"))


def _action_key(entries: object, path: Path) -> str:
    assert isinstance(entries, dict)
    for key in ACTION_KEYS:
        if key in entries:
            return key
    raise FormatError(f"{path}: no statistics of {' or '.join(ACTION_KEYS)}; it holds {', '.join(map(str, entries))}")


def _likely(stats: Stats) -> By:
    return "quantiles" if stats.q01 is not None and stats.q99 is not None else "mean_std"
