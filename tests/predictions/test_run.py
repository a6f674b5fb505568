"""Predictions of toy policies: aligned, drawn, checked, and failing one by one."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_policies import H, open_toy

from surehand.align import pair
from surehand.exceptions import FormatError, NotEnoughData, SurehandError
from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.predictions import read_predictions
from surehand.frames import Actions, Predictions, Space
from surehand.policies.protocol import PolicySpec
from surehand.predictions.observations import Reader, Shown
from surehand.predictions.plan import Address, PredictPlan, shards
from surehand.predictions.record import Predicted, PredictRecord
from surehand.predictions.run import predict

Toy = Callable[[str], str]


def predicted(dataset: LeRobotFolder, plan: PredictPlan, policy: str, out: Path) -> Predictions:
    """The predictions of one toy policy."""
    record = predict(dataset, [policy], plan, out, open_policy=open_toy)
    assert record.policies[0].state == "done", record.policies[0].reason
    return read_predictions(out / record.policies[0].file)


@pytest.mark.parametrize("first", [-2, 0, 3])
@pytest.mark.parametrize("stride", [1, 3])
def test_a_policy_that_knows_the_recording_is_never_wrong(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path, first: int, stride: int
) -> None:
    """Whichever step of its chunk belongs to the observation's frame."""
    found = predicted(dataset, replace(plan, stride=stride), toy(f"oracle@{first}"), tmp_path)
    pairs = pair(found, dataset.read([8, 9, 10, 11]))
    np.testing.assert_array_equal(pairs.prediction[:, 0][pairs.valid], pairs.target[pairs.valid])
    assert found.prediction.shape[1:] == (1, H + min(first, 0), 5)
    ends = {e: 20 + e % 10 for e in (8, 9, 10, 11)}
    late = max(first, 0)
    wanted = [(e, f) for e, n in ends.items() for f in range(late, n) if (f - late) % stride == 0]
    assert list(zip(found.episode.tolist(), found.frame.tolist(), strict=True)) == wanted
    np.testing.assert_array_equal(found.length, [min(found.prediction.shape[2], ends[e] - f) for e, f in wanted])
    assert [found.tasks[i] for i in found.task[:1]] == ["pick the can"]  # type: ignore[index]


def test_observations_are_the_recorded_ones(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    found = predicted(dataset, plan, toy("state"), tmp_path)
    recorded = dataset.read([8, 9, 10, 11])
    assert recorded.state is not None
    np.testing.assert_array_equal(found.prediction[:, 0, 0], recorded.state)


def test_neither_batch_nor_shard_nor_stride_changes_a_draw(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    plan = replace(plan, samples=3, seed=5)
    first = predicted(dataset, plan, toy("noisy"), tmp_path / "a")
    for i, other in enumerate((replace(plan, batch=7), replace(plan, shard=1000), replace(plan, episodes=(9, 11)))):
        again = predicted(dataset, other, toy("noisy"), tmp_path / str(i))
        rows = np.isin(first.episode, again.episode)
        np.testing.assert_array_equal(again.prediction, first.prediction[rows])
    thinned = predicted(dataset, replace(plan, stride=4), toy("noisy"), tmp_path / "thin")
    np.testing.assert_array_equal(thinned.prediction, first.prediction[first.frame % 4 == 0])
    other = predicted(dataset, replace(plan, seed=6), toy("noisy"), tmp_path / "seed")
    assert (other.prediction != first.prediction).all()
    e, f = int(first.episode[30]), int(first.frame[30])
    rng = np.random.default_rng([5, e, f])  # what the documentation promises
    drawn = first.prediction[30] - dataset.read([e]).action[np.minimum(f + np.arange(H), 20 + e % 10 - 1)]
    np.testing.assert_allclose(drawn, rng.normal(size=(3, H, 5)), atol=1e-5)


def test_draws_are_recorded_with_how_they_were_made(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    noisy = predicted(dataset, replace(plan, samples=2, seed=4, temperature=0.5), toy("noisy"), tmp_path / "a")
    said = {key: noisy.metadata.get(key) for key in ("generator", "knob", "knob_value", "seed")}
    assert said == {"generator": "noise", "knob": "temperature", "knob_value": 0.5, "seed": 4}
    server = predicted(dataset, replace(plan, samples=2), toy("server"), tmp_path / "b")
    assert "seed" not in server.metadata and "policy draws its own" in server.metadata["seeded_by"]
    still = predicted(dataset, plan, toy("oracle"), tmp_path / "c")
    assert still.metadata["generator"] == "deterministic" and "seed" not in still.metadata
    assert still.metadata["data_identity"] == dataset.identity()


def test_sigma_perturbs_by_deviations_of_the_training_actions(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    wide = predicted(dataset, replace(plan, samples=64, sigma=0.3), toy("oracle"), tmp_path)
    assert wide.metadata["generator"] == "perturbation" and wide.metadata["knob_value"] == 0.3
    assert "training" in wide.metadata["sigma_scale"]
    spread = dataset.read(list(range(8))).action.std(axis=0)
    np.testing.assert_allclose(wide.prediction.std(axis=1).mean(axis=(0, 1)) / spread, 0.3, rtol=0.05)


def test_a_history_is_the_episodes_own_with_its_first_repeated(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    spec = PolicySpec(H, 5, predicted(dataset, plan, toy("history"), tmp_path).space, history=3)
    seen = Reader(dataset, Shown.of(dataset, spec), None, 0).read([8, 9])
    observations = seen.at(np.array([0, 1, 5, 28, 29]))
    frames = [[o["frame_index"] for o in row["history"]] + [row["frame_index"]] for row in observations]
    assert frames == [[0, 0, 0], [0, 0, 1], [3, 4, 5], [0, 0, 0], [0, 0, 1]]
    assert [row["history"][0]["episode_index"] for row in observations] == [8, 8, 8, 9, 9]
    assert observations[2]["history"][1]["observation.state"].tolist()[:2] == [8, 4]
    assert observations[0]["observation.force"].shape == (1,) and "action" not in observations[0]
    assert [row["task"] for row in observations[2:4]] == ["pick the can", "press the button"]


FAILING = {
    "nan=nan": r"nan: nan at episode (8|10) frame 7 draw 0 step 0 dim 0",
    "narrow=narrow": "narrow answers 4 action dimensions, toy records 5",
    "grows=grows": r"grows answered \(4, 5\) first and \(8, 5\) later|at episode 9 frame 0",
    "ragged=ragged": r"ragged answered \(3, 5\) at episode 8 frame 3, others \(4, 5\)",
    "broken=broken": "ValueError: no weights$",
    "past=oracle@-4": "past answers the past alone",
}


@pytest.mark.parametrize(
    ("text", "processes"), [*((text, 1) for text in FAILING), ("nan=nan", 2), ("broken=broken", 2)]
)
def test_a_failing_policy_is_reported_and_the_others_go_on(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path, text: str, processes: int
) -> None:
    record = predict(
        dataset, [toy("oracle"), toy(text), toy("mean")], plan, tmp_path, open_policy=open_toy, processes=processes
    )
    assert [p.state for p in record.policies] == ["done", "failed", "done"]
    reason = record.failed[0].reason
    assert re.search(FAILING[text], reason) and "\n" not in reason
    assert sorted(p.name for p in tmp_path.glob("*.parquet")) == ["mean.parquet", "oracle.parquet"]
    assert PredictRecord.load(tmp_path / "predict.json").failed[0].reason == reason


def test_one_chunk_k_times_is_refused_with_the_way_out(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    record = predict(dataset, [toy("oracle")], replace(plan, samples=4), tmp_path, open_policy=open_toy)
    assert "give --sigma" in record.failed[0].reason and not list(tmp_path.glob("*.parquet"))


def test_a_temperature_nobody_has_and_two_knobs_are_refused(
    dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path
) -> None:
    with pytest.raises(SurehandError, match="not both"):
        replace(plan, sigma=0.1, temperature=1.0)
    with pytest.raises(SurehandError, match="batch 0"):
        replace(plan, batch=0)
    with pytest.raises(NotEnoughData, match="no episodes"):
        replace(plan, episodes=())
    with pytest.raises(SurehandError, match="both be called 'one'"):
        predict(dataset, [toy("one=oracle"), toy("one=mean")], plan, tmp_path, open_policy=open_toy)


def test_progress_reaches_the_end(dataset: LeRobotFolder, plan: PredictPlan, toy: Toy, tmp_path: Path) -> None:
    said: list[tuple[str, float]] = []
    predict(
        dataset, [toy("broken=broken"), toy("oracle")], plan, tmp_path, open_policy=open_toy,
        progress=lambda what, share: said.append((what, share)),
    )  # fmt: skip
    shares = [share for _, share in said]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert said[-1][0].startswith("oracle, ") and said[-1][0].endswith(" frames/s")


def test_what_the_policy_reads_and_the_data_lack(dataset: LeRobotFolder) -> None:
    spec = PolicySpec(4, 5, Space(), inputs=("observation.state", "task", "observation.nope"))
    with pytest.raises(FormatError, match=r"reads observation\.nope, which toy does not .* observation\.state, obs"):
        Shown.of(dataset, spec)


def test_shards_are_whole_episodes(dataset: LeRobotFolder, plan: PredictPlan) -> None:
    assert shards(plan, dataset) == [(8, 9), (10, 11)]
    assert shards(replace(plan, shard=1), dataset) == [(8,), (9,), (10,), (11,)]
    assert shards(replace(plan, shard=100), dataset) == [(8, 9, 10, 11)]
    assert shards(replace(plan, shard=100, samples=2, sigma=0.1), dataset) == [(8,), (9, 10), (11,)]
    assert shards(replace(plan, shard=1, stride=50, episodes=(11, 8)), dataset) == [(8,), (11,)]


@pytest.mark.parametrize(
    ("text", "name", "file", "shown"),
    [
        ("a b=ws://u:secret@gpu:8000/x?key=1", "a b", "a-b", "ws://gpu:8000/x"),
        ("../../etc/passwd=mean:x", "", None, None),  # no name: a path
        ("..=mean:x", "..", "policy", "mean:x"),
        ("pi05=a=b", "pi05", "pi05", "a=b"),
    ],
)
def test_names_that_lie_stay_in_the_folder(text: str, name: str, file: str | None, shown: str | None) -> None:
    address = Address.parse(text)
    assert address.name == name
    if file is not None:
        assert (address.file, address.shown) == (file, shown)
    assert "/" not in address.file and not address.file.startswith(".")


def test_speed_is_unknown_before_there_is_any() -> None:
    assert np.isnan(Predicted(name="a", policy="a", fingerprint="").speed)


@pytest.mark.parametrize("kept", [True, False])
def test_pictures_are_the_recorded_ones(tmp_path: Path, kept: bool, rng: np.random.Generator) -> None:
    pictures = rng.integers(0, 256, (60, 8, 12, 3), np.uint8)
    episodes = [
        Actions(
            action=np.zeros((30, 2), np.float32),
            episode=np.full(30, i),
            frame=np.arange(30),
            task=np.zeros(30, np.int64),
            columns={"observation.images.top": pictures[30 * i : 30 * i + 30]},
            tasks=("look",),
            fps=10.0,
        )
        for i in range(2)
    ]
    data = open_lerobot(write_lerobot(tmp_path / "data", episodes))
    spec = PolicySpec(H, 2, Space(), cameras=None, history=2)
    cache = tmp_path / "cache" if kept else None
    seen = Reader(data, Shown.of(data, spec), cache, 10**8, stride=3).read([0, 1])
    rows = np.array([0, 3, 27, 30, 33])
    for row, observation in zip(rows, seen.at(rows), strict=True):
        np.testing.assert_array_equal(observation["observation.images.top"], pictures[row])
        np.testing.assert_array_equal(
            observation["history"][0]["observation.images.top"], pictures[row - (row % 30 > 0)]
        )
    with pytest.raises(FormatError, match=r"looks through observation\.images\.left, which data does not have"):
        Shown.of(data, replace(spec, cameras=("observation.images.left",)))
    assert Shown.of(data, replace(spec, cameras=())).cameras == ()
