"""Held-out frames sent to a policy server, written by others: every feature arrives, and its death is one line."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surehand.formats.lerobot import LeRobotFolder
from surehand.formats.predictions import read_predictions
from surehand.predictions.opening import Access
from surehand.predictions.plan import PredictPlan
from surehand.predictions.run import predict

sys.path.insert(0, str(Path(__file__).parents[1] / "policies"))
from peer_process import expected, peer

MAP = ("observation/state=observation.state[0:4]", "prompt=task")
Serve = Callable[..., str]


@pytest.fixture
def serve(need: Callable[[str], None]) -> Iterator[Serve]:
    """Starts openpi's peer; its address."""
    need("websockets")
    need("msgpack")
    with ExitStack() as stack:
        yield lambda *options: f"ws://127.0.0.1:{stack.enter_context(peer('openpi', '--dims', '5', *options))}"


@pytest.fixture
def served(plan: PredictPlan) -> PredictPlan:
    return replace(plan, access=Access(mapping=MAP, timeout=2.0), shard=1)


def test_every_frame_is_answered_as_the_server_answers_it(
    dataset: LeRobotFolder, served: PredictPlan, serve: Serve, tmp_path: Path
) -> None:
    record = predict(dataset, [f"pi={serve()}"], served, tmp_path)
    assert not record.failed, record.failed[0].reason
    found, recorded = read_predictions(tmp_path / "pi.parquet"), dataset.read([8, 9, 10, 11])
    assert recorded.state is not None
    for row in (0, 40, 97):
        leaves = [("observation/state", recorded.state[row, :4]), ("prompt", recorded.tasks[recorded.task[row]])]
        np.testing.assert_allclose(
            found.prediction[row, 0], expected(leaves, found.prediction.shape[2], 5), rtol=1e-6, atol=1e-6
        )
    assert "seed" not in found.metadata and "its own" in found.metadata["seeded_by"]


def test_a_server_that_dies_fails_in_one_line_and_its_successor_goes_on(
    dataset: LeRobotFolder, served: PredictPlan, serve: Serve, tmp_path: Path
) -> None:
    predict(dataset, [f"pi={serve()}"], served, tmp_path / "whole")
    address = serve("--mode", "die-after", "--after", "60")
    record = predict(dataset, [f"pi={address}"], served, tmp_path / "out")
    reason = record.failed[0].reason
    assert address.partition("://")[2] in reason and "\n" not in reason
    assert len(list((tmp_path / "out" / ".parts" / "pi").iterdir())) == 2  # 28 and 29 frames
    port = address.rpartition(":")[2]
    again = serve("--port", port)
    assert again == address
    record = predict(dataset, [f"pi={address}"], served, tmp_path / "out")
    assert not record.failed
    assert record.warnings == ["pi: answers of an earlier run are kept, whatever it serves now; --again asks it anew"]
    np.testing.assert_array_equal(
        read_predictions(tmp_path / "out" / "pi.parquet").prediction,
        read_predictions(tmp_path / "whole" / "pi.parquet").prediction,
    )


@pytest.mark.parametrize("mode", ["nan", "wrong-dims", "error", "garbage", "no-actions"])
def test_whatever_a_server_does_is_one_line(
    dataset: LeRobotFolder, served: PredictPlan, serve: Serve, tmp_path: Path, mode: str
) -> None:
    record = predict(dataset, [f"pi={serve('--mode', mode)}"], served, tmp_path)
    assert record.failed[0].reason and "\n" not in record.failed[0].reason
    assert not list(tmp_path.glob("*.parquet"))


def test_nobody_there_is_one_line(
    dataset: LeRobotFolder, served: PredictPlan, tmp_path: Path, need: Callable[[str], None]
) -> None:
    need("websockets")
    served = replace(served, access=replace(served.access, timeout=1.0))
    record = predict(dataset, ["pi=ws://me:secret@127.0.0.1:9/?key=secret", "gone=nowhere:at_all"], served, tmp_path)
    assert "secret" not in (tmp_path / "predict.json").read_text()
    assert [p.state for p in record.current] == ["failed", "failed"]
    assert all("\n" not in p.reason for p in record.failed) and "127.0.0.1:9" in record.failed[0].reason
