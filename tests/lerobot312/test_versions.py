"""Checkpoints of one LeRobot read by another: the same numbers from an older one's, one line about a newer one's."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Peer = Callable[..., None]
Written = Callable[[str, str], Path]
COMMON, PI = "lerobot_policy.py", "tiny_pi.py"
# The checkpoints of each peer that cross: of policies that every version has, and all of tiny_pi.py's.
NAMES: dict[str, tuple[str, ...]] = {COMMON: ("act", "act-images", "diffusion", "two-steps-images", "smolvla"), PI: ()}


@pytest.fixture(scope="module")
def written(here: str, peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A call for the folder with the checkpoints of a peer that a version has written, and its answers to them."""
    known: dict[tuple[str, str], Path] = {}

    def write(version: str, script: str) -> Path:
        if (version, script) not in known:
            root = known[version, script] = tmp_path_factory.mktemp("written")
            for command in ("tiny", "ask"):
                peer(script, command, root, version, *NAMES[script])
        return known[version, script]

    return write


def read(root: Path, to: Path, script: str, version: str, peer: Peer) -> Path:
    """The folder where another version has answered to copies of the same checkpoints."""
    shutil.copytree(root, to, ignore=shutil.ignore_patterns("*.npz", "*.txt"))
    peer(script, "ask", to, version, *NAMES[script])
    return to


@pytest.mark.parametrize(
    ("writer", "reader", "script"),
    [
        ("0.4.4", "0.5.1", COMMON),
        ("0.4.4", "0.6.1", COMMON),
        ("0.5.1", "0.6.1", COMMON),
        ("0.5.1", "0.6.1", PI),  # a step of theirs has another name since
        ("0.5.1", "0.4.4", COMMON),  # nothing was added in between
    ],
)
def test_another_lerobots_checkpoints_answer_as_they_did(
    peer: Peer, written: Written, tmp_path: Path, writer: str, reader: str, script: str
) -> None:
    root = written(writer, script)
    found = read(root, tmp_path / "copy", script, reader, peer)
    names = {path.name for path in root.glob("*.npz")}
    assert len(names) == 5
    if reader == "0.4.4":  # it cannot read the language model's tokenizer, which transformers 5 has written
        names.remove("smolvla.npz")
    assert {path.name for path in found.glob("*.npz")} == names
    for name in sorted(names):
        then, now = np.load(root / name)["alone"], np.load(found / name)["alone"]
        # lerobot 0.5 came with transformers 5, which numbers a picture's patches 0, 1, ... where 4.57 begins 0, 0, 1:
        # SmolVLA itself answers a little differently (SmolVLMVisionEmbeddings.forward).
        changed = (writer, name) == ("0.4.4", "smolvla.npz")
        assert np.abs(then - now).max() <= (1e-2 if changed else 1e-5) * np.abs(then).max(), name


@pytest.mark.parametrize(
    ("writer", "reader", "script", "said"),
    [
        ("0.6.1", "0.4.4", COMMON, "written by a newer lerobot than the installed 0.4.4 ("),
        ("0.6.1", "0.5.1", COMMON, "written by a newer lerobot than the installed 0.5.1 ("),
        ("0.6.1", "0.5.1", PI, "written by a newer lerobot than the installed 0.5.1 ("),
        ("0.6.1", "0.4.4", PI, "lerobot 0.4.4 cannot construct a pi0"),
        ("0.5.1", "0.4.4", PI, "lerobot 0.4.4 cannot construct a pi0"),
    ],
)
def test_what_the_reader_is_too_old_for_is_refused_in_one_line(
    peer: Peer, written: Written, tmp_path: Path, writer: str, reader: str, script: str, said: str
) -> None:
    root = written(writer, script)
    found = read(root, tmp_path / "copy", script, reader, peer)
    names = [path.parent.name for path in root.glob("*/pretrained_model")]
    assert len(names) == 5
    for name in names:
        text = (found / f"{name}.txt").read_text()
        assert text.startswith(f"FormatError: {found / name / 'pretrained_model'}: {said}") and "\n" not in text
