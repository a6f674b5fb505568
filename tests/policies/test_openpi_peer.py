"""The openpi client against a server written from openpi's public interface by someone who had not seen it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.policies.mapping import Mapping
from surehand.policies.openpi import link
from surehand.policies.openpi.client import OpenpiPolicy

from ..peers.peer_answer import actions
from .served import HEAD, STATE, observation

SCRIPT = Path(__file__).parents[1] / "peers/openpi_peer.py"
NAMES = Mapping.parse(["observation/state=observation.state", f"images.top={HEAD}[chw]", "prompt=task"])
Start = Callable[..., str]


@pytest.fixture
def start(need: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """A call that starts the peer with these options and returns its address."""
    need("websockets")
    need("msgpack")
    monkeypatch.setattr(link, "PAUSES", (0.05, 0.1, 0.2))
    with ExitStack() as stack:

        def run(*options: str) -> str:
            call = [sys.executable, str(SCRIPT), *options]
            process = stack.enter_context(subprocess.Popen(call, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            assert process.stdout is not None
            return f"ws://127.0.0.1:{process.stdout.readline().split()[1]}"

        yield run


def expected(seed: int, horizon: int = 8, dims: int = 7, count: int | None = None) -> np.ndarray:
    """What the peer should answer: every leaf of what `NAMES` sends counts."""
    one = observation(seed)
    sent = {"observation/state": one[STATE], "images|top": np.ascontiguousarray(one[HEAD].transpose(2, 0, 1))}
    return actions(sorted({**sent, "prompt": one["task"]}.items()), horizon, dims, count)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
def test_every_number_arrives_there_and_back(start: Start, dtype: str) -> None:
    with OpenpiPolicy(
        start("--dtype", dtype, "--metadata", '{"robot": "x"}', "--api-key", "k"), NAMES, api_key="k"
    ) as p:
        assert p.metadata == {"robot": "x"}
        for n in range(3):
            found = p.infer(observation(n))
            wanted = expected(n).astype(dtype)
            np.testing.assert_array_equal(found["actions"], wanted)
            assert found["peer"]["count"] == n + 1 and ("prev_total_ms" in found["server_timing"]) == (n > 0)
        assert (p.spec.horizon, p.spec.dims) == (8, 7)


def test_draws_are_answers_in_turn(start: Start) -> None:
    with OpenpiPolicy(start("--mode", "stochastic", "--dtype", "<f8"), NAMES) as policy:
        drawn = policy.sample(observation(1), 3, np.random.default_rng(0)).actions
        np.testing.assert_array_equal(drawn, [expected(1, count=n) for n in (1, 2, 3)])


def test_the_wrong_key(start: Start) -> None:
    url = start("--api-key", "right")
    for key in ("", "wrong"):
        with pytest.raises(SurehandError, match="refused the api key"):
            OpenpiPolicy(url, api_key=key)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ("--mode error", SurehandError, "the server said: RuntimeError: this peer was asked to fail"),
        ("--need torque", SurehandError, "the server said: KeyError: 'torque'"),
        ("--mode nan", FormatError, "nan at (4, 6)"),
        ("--mode no-actions", FormatError, "expected 'actions'"),
        ("--mode garbage", FormatError, "msgpack"),
        ("--mode not-a-map", FormatError, "answered a list"),
        ("--mode misfit", FormatError, "the message holds 220"),
        ("--mode object --trap TRAP", FormatError, "dtype '|O'"),
        ("--mode never", SurehandError, "no answer within 1 s"),
        ("--mode slow --seconds 3", SurehandError, "no answer within 1 s"),
        ("--mode drop", SurehandError, "asked 4 times"),
        ("--mode die-mid-frame", SurehandError, "asked 4 times"),
        ("--mode die-after", SurehandError, "cannot be reached"),
    ],
)
def test_each_way_to_fail_is_one_line(
    start: Start, tmp_path: Path, options: str, kind: type[SurehandError], words: str
) -> None:
    url = start(*options.replace("TRAP", str(tmp_path / "trap")).split())
    with OpenpiPolicy(url, NAMES, timeout=1) as policy:
        with pytest.raises(kind) as refused:
            policy.infer(observation())
    assert words in str(refused.value) and url in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "trap").exists()


def test_a_chunk_that_changes_its_columns(start: Start) -> None:
    with OpenpiPolicy(start("--mode", "wrong-dims"), NAMES) as policy:
        policy.infer_batch([observation(0), observation(1)])
        with pytest.raises(ShapeError, match=r"shape \(8, 8\), before that \(8, 7\)"):
            policy.infer(observation(2))


@pytest.mark.parametrize("mode", ["drop", "die-mid-frame", "error", "nan", "garbage"])
def test_after_a_failure_the_connection_is_right_again(start: Start, mode: str) -> None:
    """One bad answer among good ones: a dropped connection heals unseen, anything else costs that frame alone."""
    with OpenpiPolicy(start("--mode", mode, "--after", "1", "--times", "1", "--dtype", "<f8"), NAMES) as policy:
        np.testing.assert_array_equal(policy.infer(observation(0))["actions"], expected(0))
        if mode not in ("drop", "die-mid-frame"):
            with pytest.raises(SurehandError):
                policy.infer(observation(1))
        for n in (1, 2):
            np.testing.assert_array_equal(policy.infer(observation(n))["actions"], expected(n))


@pytest.mark.parametrize(
    ("mode", "words"),
    [("no-metadata", "no metadata within 1 s"), ("text-metadata", "the server said: this is no openpi")],
)
def test_no_metadata(start: Start, mode: str, words: str) -> None:
    with pytest.raises(SurehandError, match=words):
        OpenpiPolicy(start("--mode", mode), timeout=1)
