"""Training and evaluation: overlap by index, by content, by start and by task."""

import numpy as np

from surehand.decide.checks import splits
from surehand.decide.findings import Finding


def codes(found: list[Finding]) -> list[str]:
    return [one.code for one in found]


def test_apart() -> None:
    train, held_out = np.arange(8), np.array([8, 9])
    assert splits.check_split_members(np.arange(10), train, held_out) == []
    assert splits.check_overlap(train, held_out) == []
    assert splits.check_copies({"0": "a"}, {"8": "b"}) == []
    assert splits.check_starts(["a", ""], ["b", ""]) == []
    assert splits.check_tasks(["pick"], ["pick"]) == []
    assert splits.check_predicted_training(train, held_out, "40k") == []


def test_members() -> None:
    (one,) = splits.check_split_members(np.arange(10), np.arange(8), np.array([9, 12, 15]))
    assert one.code == "split.outside" and "2 episodes, the first is 12; the dataset has 10" in one.evidence
    assert codes(splits.check_split_members(np.arange(10), np.arange(10), np.empty(0, int))) == ["split.empty"]


def test_overlap_by_index() -> None:
    (one,) = splits.check_overlap(np.arange(8), np.array([6, 7, 8]))
    assert one.code == "split.overlap" and "2 of 3" in one.evidence and one.where == "episodes 6–7"


def test_copy_under_another_index() -> None:
    (one,) = splits.check_copies({"1": "x", "2": "y"}, {"7": "y", "8": "z"})
    assert one.code == "split.copied_episode" and "7 = 2" in one.evidence
    assert splits.check_copies({"1": "x"}, {"1": "x"}) == [], "the same index is check_overlap's finding"


def test_starts_tasks_and_predicted_training() -> None:
    assert codes(splits.check_starts(["s"], ["s", "t"])) == ["split.shared_start"]
    assert codes(splits.check_tasks(["pick"], ["pick", "fold"])) == ["split.unseen_task"]
    (one,) = splits.check_predicted_training(np.arange(8), np.array([7, 8]), "40k")
    assert one.code == "split.predicted_training" and one.where == "40k: episodes 7"


def test_episodes_of_a_train_config() -> None:
    assert splits.configured_episodes({"dataset": {"episodes": [0, 2], "eval_split": 0.1}}) == ([0, 2], 0.1)
    assert splits.configured_episodes({"dataset": {"episodes": None}}) == (None, 0.0)
    assert splits.configured_episodes({}) == (None, 0.0)
