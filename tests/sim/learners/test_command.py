"""`surehand sim train`: a table of both losses, files that other commands read, one line for what cannot be."""

import sys
from pathlib import Path

import pytest

from surehand.cli import main
from surehand.exceptions import FormatError, SurehandError
from surehand.formats.lerobot import open_lerobot
from surehand.formats.predictions import open_predictions
from surehand.sim.learners.data import read_recordings


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Exit code of `surehand arguments`, in this process."""
    monkeypatch.setattr(sys, "argv", ["surehand", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_a_run_from_the_command_line(
    picks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    common = ("sim", "train", picks, "--learner", "mlp", "--steps", 20, "--checkpoints", 3)
    assert run(monkeypatch, *common, "-o", out) == 0
    printed = capsys.readouterr().out
    assert "held-out loss" in printed and "lowest" in printed and "000020" in printed
    assert all(len(line) <= 80 or str(out) in line for line in printed.splitlines())
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["000001", "000004", "000020"]
    said = open_predictions(out / "predictions" / "mlp-000020.parquet")
    found = read_recordings(picks, "mlp")
    assert set(said.episodes().tolist()) == set(found.held_out.episode.tolist())
    assert said.metadata["data_identity"] == open_lerobot(picks).identity()
    assert run(monkeypatch, "errors", picks, "-p", out / "predictions", "--resamples", 200, "--json") == 0
    capsys.readouterr()
    assert run(monkeypatch, *common, "--seed", 1, "-o", out) == 2  # another run's folder
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_images_that_are_not_there(
    picks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "sim", "train", picks, "--learner", "pixels", "-o", tmp_path / "run") == 2
    assert "record with --camera" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_what_is_held_out(picks: Path) -> None:
    """Each instruction's last episodes, never all of them: what is told in held-out frames has been trained on."""
    found = read_recordings(picks, "mlp")
    trained, left = (set(actions.episode.tolist()) for actions in (found.train, found.held_out))
    assert trained | left == set(range(12)) and not trained & left
    told = open_lerobot(picks).episode_tasks
    assert {told[episode] for episode in left} <= {told[episode] for episode in trained}
    for episode in left:
        assert all(other < episode for other in trained if told[other] == told[episode])
    both = read_recordings(picks, "mlp", held_out=picks, episodes=2)
    assert len(set(both.train.episode.tolist())) == 2 and len(set(both.held_out.episode.tolist())) == 12


def test_shares_and_counts_that_cannot_be(picks: Path, tmp_path: Path) -> None:
    with pytest.raises(SurehandError, match="nothing is held out"):
        read_recordings(picks, "mlp", fraction=0.0)
    with pytest.raises(SurehandError, match="1000 training episodes wanted"):
        read_recordings(picks, "mlp", episodes=1000)
    with pytest.raises(FormatError, match="nothing"):
        read_recordings(tmp_path / "nothing", "mlp")
