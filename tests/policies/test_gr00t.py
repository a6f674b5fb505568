"""GR00T's ZeroMQ server in its three forms: the peer's own numbers, and one line for each way in which one fails."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.policies.gr00t import client as gr00t_module
from surehand.policies.gr00t.client import Gr00tPolicy
from surehand.policies.gr00t.forms import FLAT, FORMS, NESTED, Wanted, columns_of
from surehand.policies.mapping import Mapping
from surehand.policies.protocol import Policy

from .peer_process import expected, observation, peer

CLAUSES = [
    "video.ego_view=observation.images.top",
    "state.arm=observation.state[0:6]",
    "state.gripper=observation.state[7:8]",
]
MAPPING = Mapping.parse(CLAUSES)
LANGUAGE = "annotation.human.task_description"
FORMS_OF_PEERS = ["n15", "n16", "n16sim"]


@pytest.fixture(autouse=True)
def installed(need: Callable[[str], None]) -> None:
    need("zmq")
    need("msgpack")


@contextmanager
def asked(*options: str, mapping: Mapping = MAPPING, timeout: float = 20.0, **more: Any) -> Iterator[Gr00tPolicy]:
    with peer("gr00t", *options) as port:
        policy = Gr00tPolicy(f"tcp://127.0.0.1:{port}", mapping, timeout=timeout, **more)
        try:
            yield policy
        finally:
            policy.close()


def leaves(*seen: dict[str, Any], language: str = LANGUAGE) -> list[tuple[str, Any]]:
    """What the model looks at: the last of `seen` is now, earlier ones lie behind it."""
    state = np.stack([one["observation.state"] for one in seen])
    return [
        ("video.ego_view", np.stack([one["observation.images.top"] for one in seen])),
        ("state.arm", state[:, :6]),
        ("state.gripper", state[:, 7:]),
        (language, seen[-1]["task"]),
    ]


@pytest.mark.parametrize("form", FORMS_OF_PEERS)
def test_answers_are_the_servers_own(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gr00t_module, "MOST_ROWS", 2)
    with asked(f"--form={form}") as policy:
        assert isinstance(policy, Policy)
        assert (policy.spec.horizon, policy.spec.dims, policy.spec.seeded) == (8, 0, False)
        assert (policy.spec.stochastic, policy.spec.generator) == (True, "noise")
        assert (policy.spec.cameras, policy.spec.inputs) == (("observation.images.top",), ("observation.state",))
        rows = [observation(seed) for seed in range(5)]
        policy.reset()
        for row, answer in zip(rows, policy.infer_batch(rows), strict=True):
            np.testing.assert_array_equal(answer["actions"], expected(leaves(row)).astype(np.float32))
            assert answer["actions"].dtype == np.float32
        assert policy.spec.dims == 7
        policy.reset()


@pytest.mark.parametrize("form", FORMS_OF_PEERS)
def test_every_draw_is_another_request_for_noise(form: str) -> None:
    with asked(f"--form={form}", "--mode=stochastic") as policy:
        rows = [observation(0), observation(1)]
        found = policy.sample_batch(rows, 3, [np.random.default_rng(0)] * 2)
        assert [samples.actions.shape for samples in found] == [(3, 8, 7)] * 2
        for row, samples in zip(rows, found, strict=True):
            assert samples.generator == "noise"
            assert np.abs(samples.actions - expected(leaves(row))).max() < 0.11  # the peer's noise is at most 0.1
        if form == "n15":  # one observation a request: the draws differ
            assert len({chunk.tobytes() for chunk in found[0].actions}) == 3


@pytest.mark.parametrize("form", FORMS_OF_PEERS)
def test_frames_before_the_current_one_are_taken_where_the_server_wants_them(form: str) -> None:
    with asked(f"--form={form}", "--video-indices=-2,0", "--state-indices=-2,0") as policy:
        assert policy.spec.history == 3
        before, between, now = (observation(seed) for seed in range(3))
        answer = policy.infer({**now, "history": [before, between]})
        np.testing.assert_array_equal(answer["actions"], expected(leaves(before, now)).astype(np.float32))
        answer = policy.infer(now)  # nothing before it: itself
        np.testing.assert_array_equal(answer["actions"], expected(leaves(now, now)).astype(np.float32))
        answer = policy.infer({**now, "history": [observation(9), before, between]})
        np.testing.assert_array_equal(answer["actions"], expected(leaves(before, now)).astype(np.float32))


@pytest.mark.parametrize("clause", ["language.task=task", "task=task", "annotation.human.x=task", "prompt=task"])
def test_the_instruction_goes_where_the_server_looks_for_it(clause: str) -> None:
    with asked("--form=n16", "--language=task", mapping=Mapping.parse([*CLAUSES, clause])) as policy:
        row = observation(3)
        found = policy.infer(row)["actions"]
        np.testing.assert_array_equal(found, expected(leaves(row, language="task")).astype(np.float32))


@pytest.mark.parametrize("form", FORMS_OF_PEERS)
def test_groups_become_columns_in_the_datasets_order(form: str) -> None:
    row = observation(0)
    with asked(f"--form={form}", groups=("gripper", "arm")) as policy:
        found = policy.infer(row)["actions"]
        np.testing.assert_array_equal(found, np.roll(expected(leaves(row)), 1, axis=1).astype(np.float32))
    with (
        asked(f"--form={form}", groups=("gripper", "arm", "base")) as policy,
        pytest.raises(ShapeError, match="answered the groups arm, gripper, expected gripper, arm, base"),
    ):
        policy.infer(row)


def test_a_chunk_of_one_step() -> None:
    with asked("--form=n15", "--horizon=1") as policy:
        row = observation(0)
        np.testing.assert_array_equal(policy.infer(row)["actions"], expected(leaves(row), 1).astype(np.float32))


@pytest.mark.parametrize("form", FORMS_OF_PEERS)
@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("error", r"refused the observation: 'this peer was asked to fail'; its log says why"),
        ("plain-error", r"refused the observation: 'ERROR'"),
        ("nan", r"action\.gripper|gripper answered nan"),
        ("missing-group", r"answered the groups arm, expected arm, gripper"),
        ("garbage", r"is this GR00T's policy server\?"),
        ("object", r"plain numbers"),
        ("misfit", r"an array of shape"),
        ("die-after", r"stopped listening before it answered; is the server still running\?"),
    ],
)
def test_what_goes_wrong_is_one_line_and_the_next_answer_is_right(
    form: str, mode: str, said: str, tmp_path: Path
) -> None:
    trap = tmp_path / "unpickled"
    with asked(f"--form={form}", f"--mode={mode}", "--after=1", "--times=1", f"--trap={trap}") as policy:
        policy.infer(observation(0))
        with pytest.raises(SurehandError, match=said) as caught:
            policy.infer(observation(0))
        assert "\n" not in str(caught.value) and policy.who in str(caught.value)
        assert not trap.exists()
        if mode == "die-after":
            with pytest.raises(SurehandError, match="nothing listens at"):
                policy.infer(observation(0))
            return
        row = observation(1)
        np.testing.assert_array_equal(policy.infer(row)["actions"], expected(leaves(row)).astype(np.float32))


def test_an_error_to_the_first_observation_is_the_servers() -> None:
    """Every form is tried; what each was told is what the user reads."""
    with asked("--form=n16", "--mode=error") as policy:
        with pytest.raises(SurehandError, match=r"'this peer was asked to fail' to nested; .* to flat names, a batch"):
            policy.infer(observation(0))


def test_another_width_than_before_is_refused() -> None:
    with asked("--form=n16", "--mode=wrong-dims") as policy:
        policy.infer(observation(0))
        policy.infer(observation(1))
        with pytest.raises(ShapeError, match=r"answered actions of shape \(8, 8\), before that \(8, 7\)"):
            policy.infer(observation(2))


def test_a_slow_server_is_not_waited_for_and_asked_again_later() -> None:
    with asked("--form=n15", "--mode=slow", "--seconds=1.5", "--times=1", timeout=0.5) as policy:
        with pytest.raises(SurehandError, match=r"did not answer within 0\.5 s"):
            policy.infer(observation(0))
        time.sleep(1.3)
        row = observation(1)
        np.testing.assert_array_equal(policy.infer(row)["actions"], expected(leaves(row)).astype(np.float32))


def test_a_token_is_asked_for() -> None:
    with peer("gr00t", "--form=n16", "--api-token=secret") as port:
        url = f"tcp://127.0.0.1:{port}"
        for token in ("", "wrong"):
            with pytest.raises(SurehandError, match="Unauthorized: Invalid API token"):
                Gr00tPolicy(url, MAPPING, api_token=token, timeout=10)
        policy = Gr00tPolicy(url, MAPPING, api_token="secret", timeout=10)
        assert policy.infer(observation(0))["actions"].shape == (8, 7)
        policy.close()


def test_what_the_mapping_lacks_is_named_before_anything_is_asked() -> None:
    with peer("gr00t", "--form=n16", "--video=ego_view,wrist") as port:
        with pytest.raises(ShapeError, match=r"wants video\.wrist; say where from, e\.g\. --map video\.wrist="):
            Gr00tPolicy(f"tcp://127.0.0.1:{port}", MAPPING, timeout=10)
        with pytest.raises(ShapeError, match=r"wants video\.ego_view, video\.wrist, state\.arm, state\.gripper"):
            Gr00tPolicy(f"tcp://127.0.0.1:{port}", Mapping.none(), timeout=10)


def test_nobody_there_and_somebody_else() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SurehandError, match=f"nothing listens at {url}; start the server"):
            Gr00tPolicy(url, MAPPING)
        taken.listen(100)  # and says nothing
        with pytest.raises(SurehandError, match=r"did not answer within 0\.3 s; is it GR00T's server"):
            Gr00tPolicy(url, MAPPING, timeout=0.3)


def test_a_name_is_looked_up_once_for_whoever_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """ZeroMQ would take a name's first address alone, and "localhost" may begin with IPv6's."""
    known = socket.getaddrinfo

    def look_up(host: Any, *more: Any, **named: Any) -> Any:
        return (
            [found for name in ("::1", "127.0.0.1") for found in known(name, *more, **named)]
            if (host == "robot.invalid")
            else known(host, *more, **named)
        )

    with peer("gr00t", "--form=n16") as port:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        policy = Gr00tPolicy(f"tcp://robot.invalid:{port}", MAPPING, timeout=5)
        np.testing.assert_array_equal(
            policy.infer(observation(0))["actions"], expected(leaves(observation(0))).astype(np.float32)
        )
        policy.close()


@pytest.mark.parametrize("url", ["tcp://", "http://x:1", "tcp://x:99999", "tcp://x/path", "tcp://a..b:1"])
def test_no_address(url: str) -> None:
    with pytest.raises(FormatError, match="expected tcp://HOST:PORT"):
        Gr00tPolicy(url, MAPPING)


def test_a_server_that_does_not_say_what_it_wants_is_tried_in_every_form() -> None:
    assert Wanted.parse(None).forms == FORMS and Wanted.parse({}).forms == FORMS
    assert Wanted.parse(None).history == 1
    keys = {"modality_keys": ["arm"], "delta_indices": [0]}
    assert Wanted.parse({"action": keys}).forms[0] is NESTED
    assert Wanted.parse({"action": {**keys, "modality_keys": ["action.arm"]}}).forms[0] is FLAT


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([1], "no such"),
        ({"action": 3}, "no such"),
        ({"action": {"modality_keys": "arm", "delta_indices": [0]}}, "no such"),
        ({"action": {"modality_keys": ["arm"], "delta_indices": [0.5]}}, "no such"),
        ({"action": {"modality_keys": ["arm"], "delta_indices": [0, 2]}}, "one after the other"),
        ({"state": {"modality_keys": ["arm"], "delta_indices": [0, 1]}}, "of the future"),
        ({"state": {"modality_keys": ["arm"], "delta_indices": []}}, "of the future"),
        ({"state": {"modality_keys": ["arm"], "delta_indices": [-(10**9), 0]}}, "further back than 1000"),
    ],
)
def test_a_configuration_that_cannot_be_met(said: Any, why: str) -> None:
    with pytest.raises(SurehandError, match=why):
        Wanted.parse(said)


def test_what_the_steps_of_an_action_are_called() -> None:
    wanted = Wanted.parse({"action": {"modality_keys": ["arm"], "delta_indices": [-1, 0, 1]}})
    assert wanted.steps == (-1, 0, 1) and wanted.groups == ("arm",)


@pytest.mark.parametrize(
    ("found", "rows"),
    [
        ({"arm": np.zeros(4), "hand": np.zeros(3)}, 1),  # all squeezed, nothing says how long a chunk is
        ({"arm": np.zeros((4, 2)), "hand": np.zeros(3)}, 1),
        ({"arm": np.zeros((4, 2)), "hand": np.zeros((3, 2))}, 1),
        ({"arm": np.zeros((2, 4, 2))}, 3),
        ({"arm": np.zeros((4, 2))}, 2),
        ({"arm": np.zeros((1, 4, 0))}, 1),
        ({"arm": np.zeros(())}, 1),
    ],
)
def test_groups_that_do_not_fit_together(found: Any, rows: int) -> None:
    with pytest.raises(ShapeError, match=r"expected \(H, n\) of each for one H"):
        columns_of(found, rows, (), Wanted(), "it")
    for nothing in (None, [], {}, "text", [None, {}]):
        with pytest.raises(FormatError, match="expected an array for each group of joints"):
            columns_of(nothing, rows, (), Wanted(), "it")


def test_names_with_their_kind_mean_n15_and_n17_answers_in_another_encoding() -> None:
    """N1.5's own configurations read "video.ego_view"; nothing but its form is ever sent, and no reset."""
    import msgpack
    import zmq

    config = {
        kind: {"__ModalityConfig_class__": True, "as_json": json.dumps({"modality_keys": keys, "delta_indices": steps})}
        for kind, keys, steps in (
            ("video", ["video.ego_view"], [0]),
            ("state", ["state.arm", "state.gripper"], [0]),
            ("action", ["action.gripper", "action.arm"], [0, 1, 2]),
            ("language", [LANGUAGE], [0]),
        )
    }
    arm, gripper = np.arange(6, dtype="<f4").reshape(3, 2), np.ones(3)
    action = {
        name: {b"nd": True, b"type": part.dtype.str, b"kind": b"", b"shape": part.shape, b"data": part.tobytes()}
        for name, part in (("action.arm", arm), ("action.gripper", gripper))
    }
    answers = {"ping": {}, "get_modality_config": config, "get_action": action}
    seen: list[dict[str, Any]] = []
    context = zmq.Context()
    server = context.socket(zmq.REP)
    port = server.bind_to_random_port("tcp://127.0.0.1")

    def serve() -> None:
        for _ in range(4):
            seen.append(msgpack.unpackb(server.recv()))
            server.send(msgpack.packb(answers[seen[-1]["endpoint"]]))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    policy = Gr00tPolicy(f"tcp://127.0.0.1:{port}", MAPPING, timeout=10)
    policy.reset()
    for _ in range(2):
        found = policy.infer(observation(0))["actions"]
        np.testing.assert_array_equal(found, [[1, 0, 1], [1, 2, 3], [1, 4, 5]])
    policy.close()
    thread.join(10)
    server.close(linger=0)
    context.term()
    assert [one["endpoint"] for one in seen] == ["ping", "get_modality_config", "get_action", "get_action"]
    assert set(seen[-1]["data"]) == {"video.ego_view", "state.arm", "state.gripper", LANGUAGE}
    assert seen[-1]["data"][LANGUAGE] == ["stack 0 cubes"]


def test_no_socket_and_no_thread_is_left() -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    with peer("gr00t", "--form=n16") as port:
        for _ in range(3):
            policy = Gr00tPolicy(f"tcp://127.0.0.1:{port}", MAPPING)
            policy.close()
            with pytest.raises(ShapeError):
                Gr00tPolicy(f"tcp://127.0.0.1:{port}", Mapping.none())
        after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    assert after <= before + 4  # the peer's two pipes, and what listing itself holds open
