"""Pieces of a long job: only the same job goes on with them, and no file of somebody else's is ever replaced."""

from pathlib import Path

import pytest

from surehand.exceptions import FormatError
from surehand.sim.parts import finish, new_whole, open_parts


def whole(parts: Path, text: str) -> None:
    folder = new_whole(parts)
    folder.mkdir()
    (folder / "result.txt").write_text(text)


def test_only_the_same_job_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "out"
    parts = open_parts(target, {"seed": 1}, "another job")
    (parts / "piece").touch()
    assert open_parts(target, {"seed": 1}, "another job") == parts and (parts / "piece").exists()
    with pytest.raises(FormatError, match="holds parts of another job"):
        open_parts(target, {"seed": 2}, "another job")
    assert (parts / "piece").exists()


def test_a_job_that_left_no_piece_is_in_nobodys_way(tmp_path: Path) -> None:
    open_parts(tmp_path / "out", {"seed": 1}, "another job")
    open_parts(tmp_path / "out", {"seed": 2}, "another job")


def test_pieces_of_which_nobody_knows_are_not_taken(tmp_path: Path) -> None:
    stranger = tmp_path / ".out.parts" / "000000.npz"
    stranger.parent.mkdir()
    open_parts(tmp_path / "out", {"seed": 1}, "another job")  # empty: an interruption right at the start
    (stranger.parent / "job.json").unlink()
    stranger.touch()
    with pytest.raises(FormatError, match="another job"):
        open_parts(tmp_path / "out", {"seed": 1}, "another job")


def test_the_whole_appears_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()  # empty folders may be there
    parts = open_parts(target, {}, "another job")
    whole(parts, "left by an interruption")
    whole(parts, "new")
    finish(parts, target)
    assert (target / "result.txt").read_text() == "new" and list(tmp_path.iterdir()) == [target]


def test_files_that_came_in_the_way_stay(tmp_path: Path) -> None:
    target = tmp_path / "out"
    parts = open_parts(target, {}, "another job")
    whole(parts, "result")
    target.mkdir()
    (target / "diary.txt").write_text("private")
    with pytest.raises(FormatError, match="make room and give the same command again"):
        finish(parts, target)
    assert (target / "diary.txt").read_text() == "private" and (parts / "whole" / "result.txt").exists()
    with pytest.raises(FormatError, match="not empty"):
        open_parts(target, {}, "another job")
