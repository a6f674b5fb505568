"""openpi's own client, unchanged and in its own environment, talks to our server."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from surehand.policies.openpi.server import OpenpiServer

from .served import HEAD, STATE, D, H, Small, chunk, observation

CLIENT = """if True:
    import sys
    import numpy as np
    from openpi_client.action_chunk_broker import ActionChunkBroker
    from openpi_client.websocket_client_policy import WebsocketClientPolicy

    port, folder = int(sys.argv[1]), sys.argv[2]
    policy = WebsocketClientPolicy("127.0.0.1", port, api_key="key")
    meta = policy.get_server_metadata()
    assert meta["policy"] == "small" and meta["horizon"] == 5 and meta["cameras"] == ["observation.images.head"], meta
    asked = np.load(folder + "/asked.npz")
    see = lambda i: {"observation.state": asked[f"state{i}"], "observation.images.head": asked[f"head{i}"],
                     "prompt": str(asked[f"task{i}"])}
    answers = [policy.infer(see(i)) for i in range(3)]
    assert sorted(answers[0]["server_timing"]) == ["infer_ms"], answers[0]
    assert sorted(answers[1]["server_timing"]) == ["infer_ms", "prev_total_ms"], answers[1]
    assert answers[0]["policy_timing"]["infer_ms"] >= 0
    assert answers[0]["embedding"] == [0.0, 1.0, 2.0] and answers[0]["score"] == 1.5, answers[0]
    broker = ActionChunkBroker(policy, 5)
    steps = [broker.infer(see(0)) for _ in range(7)]  # one chunk of five steps, and two steps of the next
    assert all(step["embedding"] == [0.0, 1.0, 2.0] and step["score"] == 1.5 for step in steps)
    np.savez(folder + "/answered.npz", steps=np.stack([step["actions"] for step in steps]),
             **{f"chunk{i}": answer["actions"] for i, answer in enumerate(answers)})
    try:
        policy.infer({"prompt": "nothing else"})
    except RuntimeError as error:
        print(error)
    else:
        print("no error")
    try:
        WebsocketClientPolicy("127.0.0.1", port, api_key="wrong")
    except Exception as error:
        print(error)
"""


def test_openpis_client_gets_the_policys_own_answers(
    need: Callable[[str], None], openpi_python: str, tmp_path: Path
) -> None:
    need("websockets")
    asked = [observation(seed, edge=224) for seed in range(3)]
    columns = {"state": STATE, "head": HEAD, "task": "task"}
    arrays = {f"{short}{i}": np.asarray(one[key]) for i, one in enumerate(asked) for short, key in columns.items()}
    np.savez(tmp_path / "asked.npz", **arrays)  # type: ignore[arg-type]
    policy = Small(change=lambda count: {"embedding": np.arange(3.0), "score": np.float32(1.5)})
    said: list[str] = []
    with OpenpiServer(policy, port=0, api_key="key", say=said.append) as server:
        call = [openpi_python, "-c", CLIENT, str(server.port), str(tmp_path)]
        done = subprocess.run(call, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answered = np.load(tmp_path / "answered.npz")
    for i, one in enumerate(asked):
        np.testing.assert_array_equal(answered[f"chunk{i}"], chunk(one).astype(np.float32), strict=True)
    steps = chunk(asked[0]).astype(np.float32)
    np.testing.assert_array_equal(answered["steps"], np.concatenate([steps, steps[:2]]), strict=True)
    assert answered["steps"].shape == (7, D) and len(steps) == H
    lines = done.stdout.strip().splitlines()
    assert lines[0] == "Error in inference server:" and lines[1] == "KeyError: 'observation.state'", lines
    assert "401" in lines[2]
    assert len(said) == 1 and said[0].startswith("Traceback")
