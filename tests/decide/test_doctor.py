"""The whole examination on datasets written to disk: sound ones pass, planted faults come out with their codes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.decide import doctor_data
from surehand.decide.codes import CODES
from surehand.decide.doctor import examine, examine_folder, split_of_config
from surehand.decide.findings import DoctorRecord, finding
from surehand.exceptions import FormatError
from surehand.formats.lerobot import open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.predictions import open_predictions, write_predictions
from surehand.frames import Actions, Space, Stats


def grave(record: DoctorRecord) -> set[str]:
    """Codes of errors and warnings."""
    return {f.code for f in record.findings if f.severity in ("error", "warning")}


@pytest.fixture
def recorded(worlds: Any, rng: np.random.Generator) -> Actions:
    recording: Actions = worlds.recording(rng, episodes=10, frames=(60, 90))
    return recording


@pytest.fixture
def root(recorded: Actions, tmp_path: Path) -> Path:
    return write_lerobot(tmp_path / "data", [recorded])


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_sound_dataset_passes(worlds: Any, recorded: Actions, tmp_path: Path, version: str) -> None:
    root = write_lerobot(tmp_path / version, [recorded], version=version)
    record = examine(open_lerobot(root), layout=worlds.layout, train_episodes=range(8))
    assert grave(record) == set() and record.exit_code == 0 and record.worst == "note"
    areas = {f.code for f in record.findings if f.severity == "ok"}
    assert areas == {"names.ok", "data.ok", "episode.ok", "stats.ok", "split.ok"}
    assert record.counts["error"] == record.counts["warning"] == 0
    assert record.data_hash == open_lerobot(root).identity()


def test_sound_predictions_pass(worlds: Any, recorded: Actions, root: Path, rng: np.random.Generator) -> None:
    made = worlds.predict(rng, recorded).take(recorded.episode >= 8)
    path = write_predictions(root / "p.parquet", made)
    record = examine_folder(root, predictions=[open_predictions(path)], eval_episodes=[8, 9])
    assert grave(record) == set()
    (one,) = [f for f in record.findings if f.code == "predictions.ok"]
    assert "0.9" in one.evidence and one.where == "080000"


def test_normalised_predictions_are_read_as_declared(
    worlds: Any, recorded: Actions, root: Path, rng: np.random.Generator
) -> None:
    made = worlds.predict(rng, recorded)
    own = open_lerobot(root).stats()
    assert own is not None
    offset, scale = own.affine("mean_std")
    stored = replace(made, prediction=((made.prediction - offset) / scale).astype(np.float32))
    declared = replace(stored, space=Space("normalised", "mean_std"))
    assert grave(examine_folder(root, stats=own, predictions=[declared])) == set()
    assert grave(examine_folder(root, stats=own, predictions=[stored])) == {"predictions.space"}
    twice = replace(made, space=Space("normalised", "mean_std"))
    assert grave(examine_folder(root, stats=own, predictions=[twice])) == {"predictions.space"}
    alone = examine_folder(root, predictions=[declared])
    assert "predictions.no_stats" in {f.code for f in alone.findings} and grave(alone) == set()


def test_predictions_that_do_not_belong(worlds: Any, recorded: Actions, root: Path, rng: np.random.Generator) -> None:
    made = worlds.predict(rng, recorded)
    narrow = replace(made, prediction=made.prediction[..., :13])
    late = replace(made, frame=made.frame + 50)
    bad = made.prediction.copy()
    bad[3, 0, 1, 2] = np.nan
    record = examine_folder(root, predictions=[narrow, late, replace(made, prediction=bad)], train_episodes=range(9))
    assert {"predictions.size", "predictions.unknown_frames", "predictions.nonfinite"} <= grave(record)
    assert "split.predicted_training" in grave(record)
    assert record.exit_code == 1 and record.worst == "error" == record.findings[0].severity


def test_checkpoint_statistics_of_something_else(recorded: Actions, root: Path) -> None:
    own = open_lerobot(root).stats()
    assert own is not None
    wrong = replace(own, std=own.std * 3, source="checkpoint 40k")
    record = examine_folder(root, stats=wrong)
    assert "stats.std" in grave(record) and any("checkpoint 40k" in f.where for f in record.findings)
    assert "stats.size" in grave(examine_folder(root, stats=Stats(mean=np.zeros(7), std=np.ones(7))))


def test_faults_in_the_recording(worlds: Any, recorded: Actions, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer refuses such data, so the fault is put between reader and doctor."""
    action = recorded.action.copy()
    action[5, 3] = np.nan
    action[:, 9] = 0.25
    broken = replace(recorded, action=action, timestamp=recorded.timestamp * 3)
    monkeypatch.setattr(doctor_data, "recorded", lambda dataset, unreadable: iter((broken,)))
    record = examine_folder(root, layout=worlds.layout)
    assert {"data.nonfinite", "data.dead_dims", "time.rate"} <= grave(record)


def test_states_that_are_no_numbers_are_named(recorded: Actions, tmp_path: Path) -> None:
    state = np.array(recorded.state)
    state[recorded.episode == 3] = np.nan
    broken = replace(recorded, state=state)
    record = examine_folder(write_lerobot(tmp_path / "data", [broken]))
    (one,) = [f for f in record.findings if f.code == "data.nonfinite"]
    assert "of the recorded state" in one.evidence and one.where == "episode 3, frame 0, state dimension 0"
    assert record.exit_code == 1


def test_dead_columns_divide_nothing(recorded: Actions, tmp_path: Path) -> None:
    action = recorded.action.copy()
    action[:, :7] = 0.5
    root = write_lerobot(tmp_path / "data", [replace(recorded, action=action)])
    assert "stats.ok" in {f.code for f in examine_folder(root).findings}  # numpy would warn, and warnings are errors


def test_episodes_that_the_metadata_lost(recorded: Actions, tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "data", [recorded], version="v2.1")
    listed = root / "meta" / "episodes.jsonl"
    lines = listed.read_text().splitlines(keepends=True)
    listed.write_text("".join(lines[:4]))
    (one,) = [f for f in examine_folder(root).findings if f.code == "episode.count"]
    assert one.evidence == "info.json states 10 episodes, 4 are listed"
    listed.write_text("")
    record = examine_folder(root)
    assert "episode.empty" in grave(record) and record.exit_code == 1


def test_statistics_that_cannot_be_read_are_no_secret(root: Path) -> None:
    stats = root / "meta" / "stats.json"
    stats.write_text(stats.read_text()[:100])
    (one,) = [f for f in examine_folder(root).findings if f.code == "stats.unreadable"]
    assert "stats.json line" in one.evidence


@pytest.mark.parametrize("features", [[1], {"action": None}, None])
def test_an_info_json_of_something_else(root: Path, features: object) -> None:
    path = root / "meta" / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "features": features}))
    with pytest.raises(FormatError, match=r"info.json: (expected an object|feature 'action' is None)"):
        examine_folder(root)


def test_an_unreadable_episode_leaves_the_rest_examined(recorded: Actions, tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "broken", [recorded], version="v2.1")
    files = sorted((root / "data").rglob("*.parquet"))
    files[4].write_bytes(files[4].read_bytes()[:100])
    record = examine_folder(root)
    (one,) = [f for f in record.findings if f.code == "data.unreadable"]
    assert "1 episode" in one.evidence and files[4].name in one.evidence
    assert "episode.empty" in grave(record) and any("60" in m or "frames" in m for m in record.methods)


def test_names_against_shape_are_reported_not_refused(root: Path) -> None:
    info = json.loads((root / "meta" / "info.json").read_text())
    info["features"]["action"]["names"] = info["features"]["action"]["names"][:12]
    (root / "meta" / "info.json").write_text(json.dumps(info))
    record = examine_folder(root)
    assert grave(record) == {"names.count"}
    assert "12 names for 14 dimensions" in next(f.evidence for f in record.findings if f.code == "names.count")


def test_metadata_alone(root: Path) -> None:
    shutil.rmtree(root / "data")
    record = examine_folder(root)
    assert grave(record) == set() and "data.no_frames" in {f.code for f in record.findings}
    assert record.data_hash == "" and record.methods[0] == "metadata alone"


def test_no_dataset_at_all(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"info\.json"):
        examine_folder(tmp_path)


def test_a_layout_of_another_size(root: Path, worlds: Any) -> None:
    from surehand.layout import Layout

    assert "names.layout" in grave(examine_folder(root, layout=Layout.parse("arm(a b c)")))


def test_splits(worlds: Any, recorded: Actions, tmp_path: Path) -> None:
    copied = replace(recorded.take(recorded.episode == 2), episode=np.full((recorded.episode == 2).sum(), 10))
    root = write_lerobot(tmp_path / "copied", [worlds.join([recorded, copied])])
    dataset = open_lerobot(root)
    record = examine(dataset, train_episodes=range(9), eval_episodes=[8, 9, 10])
    assert {"split.overlap", "split.copied_episode", "episode.duplicate"} == grave(record)
    (one,) = [f for f in record.findings if f.code == "split.copied_episode"]
    assert "10 = 2" in one.evidence
    assert "split.shared_start" in {f.code for f in record.findings}
    # The same recording in another dataset and another format version.
    trained = write_lerobot(tmp_path / "trained", [recorded.take(recorded.episode < 3)], version="v2.1")
    record = examine(dataset, other_datasets=[open_lerobot(trained)], eval_episodes=[1, 9])
    assert "split.copied_episode" in grave(record)
    assert "1 = trained/1" in next(f.evidence for f in record.findings if f.code == "split.copied_episode")


def test_split_of_a_train_config(root: Path, tmp_path: Path) -> None:
    config = tmp_path / "train_config.json"
    config.write_text(json.dumps({"dataset": {"episodes": None, "eval_split": 0.2}}))
    assert split_of_config(config, open_lerobot(root)) == ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9])
    config.write_text(json.dumps({"dataset": {"episodes": [0, 1, 2]}}))
    assert split_of_config(config, open_lerobot(root)) == ([0, 1, 2], [3, 4, 5, 6, 7, 8, 9])


def test_record_round_trip_and_exit_codes(tmp_path: Path) -> None:
    findings = [finding("data.idle_side", "x"), finding("data.nonfinite", "y"), finding("data.ok", "z")]
    record = DoctorRecord.of("d", findings)
    assert [f.severity for f in record.findings] == ["error", "note", "ok"]
    assert (record.worst, record.exit_code) == ("error", 1)
    assert DoctorRecord.load(record.save(tmp_path / "doctor.json")) == record
    assert DoctorRecord.of("d", findings[::2]).exit_code == 0
    assert DoctorRecord.of("d", [finding("data.wrap", "w")]).exit_code == 1
    assert DoctorRecord.of("d", []).worst == "ok"


def test_every_code_is_documented_and_used() -> None:
    repo = Path(__file__).parents[2]
    page = (repo / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    listed = {row[1].strip().strip("`"): (row[2].strip(), row[3].strip()) for row in rows}
    assert listed == {code: (known.severity, known.title) for code, known in CODES.items()}
    room = repo / "src" / "surehand" / "decide"
    sources = "".join(
        path.read_text(encoding="utf-8") for path in [*room.glob("doctor*.py"), *room.glob("checks/*.py")]
    )
    assert [code for code in CODES if f'"{code}"' not in sources] == []


# real data


def test_g1_inspire_has_no_error(shared: Path) -> None:
    record = examine_folder(shared / "g1_inspire_v21")
    assert grave(record) == set() and record.exit_code == 0
    idle = [f.where for f in record.findings if f.code == "data.idle_side"]
    assert idle == ["left_arm", "left_hand"]


def test_gr00t_dead_dims_from_metadata(shared: Path) -> None:
    record = examine_folder(shared / "gr00t_meta" / "demo_data" / "gr1.PickNPlace")
    assert grave(record) == {"data.dead_dims"}
    assert "25 of 44 dimensions do not move: 7–21, 34–43" in record.findings[0].evidence


def test_robocoin_names_both_counts(shared: Path) -> None:
    record = examine_folder(shared / "robocoin_info")
    assert "names.count" in grave(record)
    assert any("28 names for 30 dimensions" in f.evidence for f in record.findings)


def test_the_methods_say_which_split_was_examined(root: Path) -> None:
    assert examine_folder(root, eval_episodes=[8, 9]).methods[-1] == "split: 8 for training, 2 held out"
    assert "nobody said" in examine_folder(root).methods[-1]
