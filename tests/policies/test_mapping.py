"""Which feature goes where: what is written is what is sent, and a clause that is wrong is named."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from surehand.exceptions import ShapeError, SurehandError
from surehand.policies.mapping import Mapping, resized
from surehand.policies.mapping_clause import Clause

ROW = np.arange(8, dtype=np.float32)
PICTURE = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
OBSERVATION = {
    "observation.state": ROW,
    "observation.images.top": PICTURE,
    "task": "fold",
    "episode_index": 3,
    "frame_index": 7,
}

WORD = st.text("abz019_/|:-σ", min_size=1, max_size=6)
NAME = st.lists(WORD, min_size=1, max_size=3).map(".".join)
COUNT = st.none() | st.integers(0, 40)
TAIL = st.one_of(
    st.just((None, None, True)),
    st.tuples(COUNT, COUNT, st.just(False)).filter(lambda t: t[1] is None or t[1] > (t[0] or 0)),
)
CLAUSE = st.builds(lambda name, key, tail: Clause(name, key, *tail), NAME, NAME, TAIL)


def test_names_nest_at_dots_alone() -> None:
    mapping = Mapping.parse(
        [
            "observation/state=observation.state[0:7]",
            "observation/gripper=observation.state[7:]",
            "images.cam_high=observation.images.top[chw]",
            "images.cam_low=observation.images.top",
            "prompt=task",
        ]
    )
    sent = mapping.apply(OBSERVATION)
    assert list(sent) == ["observation/state", "observation/gripper", "images", "prompt"]
    np.testing.assert_array_equal(sent["observation/state"], ROW[:7], strict=True)
    np.testing.assert_array_equal(sent["observation/gripper"], ROW[7:], strict=True)
    np.testing.assert_array_equal(sent["images"]["cam_high"], np.moveaxis(PICTURE, 2, 0), strict=True)
    np.testing.assert_array_equal(sent["images"]["cam_low"], PICTURE, strict=True)
    assert sent["prompt"] == "fold"
    assert mapping.cameras == ("observation.images.top",) and mapping.inputs == ("observation.state",)


def test_without_clauses_everything_goes_under_its_own_name() -> None:
    none = Mapping.none()
    assert list(none.apply(OBSERVATION)) == ["observation.state", "observation.images.top", "prompt"]
    assert (none.cameras, none.inputs, str(none), Mapping.parse("")) == (None, None, "", none)


def test_flat_names_keep_their_dots_and_nested_features_are_found() -> None:
    back = Mapping.parse("observation.state=observation/state,observation.images.top=images.top", flat=True)
    assert back.apply({"observation/state": ROW, "images": {"top": PICTURE}}) == {
        "observation.state": ROW,
        "observation.images.top": PICTURE,
    }


@given(CLAUSE)
def test_a_clause_is_what_it_prints(clause: Clause) -> None:
    assert Clause.parse(str(clause)) == clause


@given(st.lists(CLAUSE, max_size=5), st.booleans())
def test_a_mapping_is_what_it_prints(clauses: list[Clause], flat: bool) -> None:
    mapping = Mapping(tuple(clauses), flat)
    try:
        again = Mapping.parse(str(mapping), flat)
    except SurehandError as error:
        assert "already writes" in str(error)
        assume(False)
    assert again == mapping


@given(st.text(max_size=30))
def test_any_text_is_a_mapping_or_one_line(text: str) -> None:
    try:
        Mapping.parse([text])
    except SurehandError as error:
        assert "--map" in str(error) and len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    ("clauses", "words"),
    [
        (["state"], "--map 'state': expected NAME=FEATURE"),
        (["a=b=c"], "'a=b=c'"),
        (["=b"], "'=b'"),
        (["a=b[x]"], "'a=b[x]'"),
        (["a=b[1:2"], "'a=b[1:2'"),
        (["a=b[-1:]"], "'a=b[-1:]'"),
        (["a=b[3:3]"], "a=b[3:3]: [3:3] chooses nothing"),
        (["a=b[9999999999:]"], "expected NAME"),
        (["a..b=c"], "a..b has a dot"),
        ([".a=c"], ".a has a dot"),
        (["a=b", "a=c"], "--map a=c: a=b already writes a"),
        (["a.b=c", "a=d"], "--map a=d: a.b=c already writes a.b"),
        (["a=d", "a.b=c"], "--map a.b=c: a=d already writes a"),
    ],
)
def test_a_clause_that_is_wrong_is_named(clauses: list[str], words: str) -> None:
    with pytest.raises(SurehandError) as refused:
        Mapping.parse(clauses)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("clause", "words"),
    [
        ("s=observation.speed", "no observation.speed; it holds episode_index, frame_index, observation.images.top, "),
        ("s=observation.state[0:9]", "observation.state has 8 numbers"),
        ("s=observation.state[8:]", "observation.state has 8 numbers"),
        ("s=observation.state[chw]", "expected a picture (h, w, 3), observation.state is (8,) of float32"),
        ("s=observation.images.top[0:1]", "expected a row of numbers, observation.images.top is (2, 4, 3) of uint8"),
        ("s=task[0:1]", "expected a row of numbers, task is 'fold'"),
    ],
)
def test_a_feature_that_does_not_fit_is_named(clause: str, words: str) -> None:
    with pytest.raises(ShapeError) as refused:
        Mapping.parse(clause).apply(OBSERVATION)
    assert words in str(refused.value) and f"--map {clause}" in str(refused.value)


def test_pictures_are_resized(need: Callable[[str], None]) -> None:
    need("PIL")
    assert Mapping.parse("a=observation.images.top[chw]").apply(OBSERVATION, 6)["a"].shape == (3, 6, 6)
    assert Mapping.none().apply(OBSERVATION, 6)["observation.images.top"].shape == (6, 6, 3)
    assert resized(ROW, 224) is ROW and resized(PICTURE, 0) is PICTURE


def test_resizing_is_that_of_openpis_client(need: Callable[[str], None], openpi_python: str, tmp_path: Path) -> None:
    need("PIL")
    rng = np.random.default_rng(0)
    shapes = [(480, 640), (640, 480), (224, 224), (37, 53), (100, 101), (1, 9), (225, 224)]
    pictures = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    ours = [resized(picture, 224) for picture in pictures]
    assert ours[2] is pictures[2] and all(found.shape == (224, 224, 3) for found in ours)
    np.savez(tmp_path / "in.npz", *pictures)
    code = """if True:
        import sys, numpy as np
        from openpi_client import image_tools
        given = np.load(sys.argv[1])
        pictures = [given[f"arr_{i}"] for i in range(len(given.files))]
        np.savez(sys.argv[2], *[image_tools.resize_with_pad(picture, 224, 224) for picture in pictures])
    """
    subprocess.run([openpi_python, "-c", code, str(tmp_path / "in.npz"), str(tmp_path / "out.npz")], check=True)
    theirs = np.load(tmp_path / "out.npz")
    for i, found in enumerate(ours):
        np.testing.assert_array_equal(found, theirs[f"arr_{i}"], strict=True)
