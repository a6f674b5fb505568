"""Films: the episode shown is the one a rollout gives, files play, and what cannot be filmed leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from surehand.exceptions import FormatError, SurehandError
from surehand.sim.film import Film, shoot, write_film
from surehand.sim.rollout import play, rollout_scenes
from surehand.sim.tasks import BUTTON_LIMIT

from .small_policies import Remembers

pytestmark = pytest.mark.usefixtures("opengl")
SCENE = rollout_scenes(3, 1)[0]


def hard(question: int, chunk: np.ndarray) -> np.ndarray:
    """A press that goes on too deep, and one answer that is no number."""
    chunk = chunk.copy()
    if question == 2:
        chunk[1] = np.nan
    if question > 3:
        chunk[:, 0] -= 0.05
    return chunk


@pytest.mark.parametrize("change", [None, hard])
def test_a_film_shows_the_rollout_of_its_scene(change: object) -> None:
    policy = Remembers("press", "desk", [SCENE], change=change)
    wanted = play(policy, "press", "desk", [SCENE])[0]
    policy.asked.clear()
    film = shoot(policy, "press", "desk", SCENE, cameras=("hand",), size=32)
    found = film.episode
    assert (found.success, found.steps, found.violated) == (wanted.success, wanted.steps, wanted.violated)
    assert found.refused == wanted.refused == (change is not None)
    np.testing.assert_array_equal(found.peaks, wanted.peaks)
    assert [shot.step for shot in film.shots] == list(range(wanted.steps + 1))
    assert max(shot.force for shot in film.shots) == found.peaks[0]
    assert {shot.limit for shot in film.shots} == {BUTTON_LIMIT}
    assert film.shots[-1].success == wanted.success and not film.shots[0].success
    assert any("object" in shot.violated for shot in film.shots) == ("object" in wanted.violated) == (change is hard)


@pytest.fixture(scope="module")
def press() -> Film:
    """The expert, seen from two sides."""
    return shoot("expert", "press", "desk", SCENE, cameras=("side", "hand"), size=64)


def test_every_step_of_the_expert_is_shown(press: Film) -> None:
    wanted = play("expert", "press", "desk", [SCENE])[0]
    assert press.episode.success and press.episode.steps == wanted.steps == len(press.shots) - 1
    np.testing.assert_array_equal(press.episode.peaks, wanted.peaks)
    assert all(shot.picture.shape == (64, 128, 3) for shot in press.shots)
    assert (press.shots[0].picture != press.shots[-1].picture).mean() > 0.05


def test_a_gif_plays_every_step_in_real_time_for_ever(tmp_path: Path, press: Film) -> None:
    out, sheet = write_film(press, tmp_path / "deep" / "press.gif")
    with Image.open(out) as film:
        assert film.n_frames == len(press.shots) and film.info["loop"] == 0
        assert film.info["duration"] == 100
        film.seek(0)
        shown = np.asarray(film.convert("RGB"))[:64].astype(int)
        film.seek(film.n_frames - 1)
        assert film.info["duration"] == 1500  # rests at its end
    assert np.abs(shown - press.shots[0].picture).mean() < 6  # 255 colours
    with Image.open(sheet) as page:
        assert page.size[0] > 4 * 128 and page.size[1] > 3 * 64
    assert sorted(path.name for path in out.parent.iterdir()) == ["press.gif", "press.png"]


def test_an_mp4_plays_every_step(tmp_path: Path, press: Film) -> None:
    av = pytest.importorskip("av")
    out, _ = write_film(press, tmp_path / "press.mp4")
    with av.open(str(out)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert file.streams.video[0].average_rate == 10
    assert len(frames) == len(press.shots) + 14
    assert np.abs(frames[0][:64].astype(int) - press.shots[0].picture).mean() < 12


def test_what_cannot_be_filmed_leaves_nothing(tmp_path: Path, press: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match=r"ends in \.gif or \.mp4"):
        write_film(press, tmp_path / "film.avi")
    with pytest.raises(SurehandError, match="no camera 'back'; choose side or head or hand"):
        shoot("expert", "press", "desk", SCENE, cameras=("back",))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SurehandError, match="pip install av"):
        write_film(press, tmp_path / "film.mp4")
    assert not list(tmp_path.iterdir())


def test_the_command_films(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "surehand", "sim", "film"]
    options = ["--task", "press", "--body", "desk", "--seed", "3", "--size", "64", "--camera", "head"]
    done = subprocess.run(
        [*call, "expert", *options, "--out", tmp_path / "film.gif"], capture_output=True, text=True, check=True
    )
    assert f"scene {SCENE}: success after" in done.stdout and "contact sheet" in done.stdout
    assert sorted(os.listdir(tmp_path)) == ["film.gif", "film.png"]
    for wrong, line in ((["nowhere"], "nowhere"), (["expert", "--size", "20"], "64")):
        bad = subprocess.run(
            [*call, *wrong, *options[:4], "--out", tmp_path / "other.gif"], capture_output=True, text=True, check=False
        )
        assert bad.returncode == 2 and line in bad.stderr and "Traceback" not in bad.stderr
    assert sorted(os.listdir(tmp_path)) == ["film.gif", "film.png"]
