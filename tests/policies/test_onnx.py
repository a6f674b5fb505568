"""Model files through ONNX Runtime: right numbers from real small models, one line for what does not load or fit."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.frames import Space
from surehand.policies import onnx as onnx_module
from surehand.policies.batches import sample_batch
from surehand.policies.mapping import Mapping
from surehand.policies.onnx import OnnxPolicy
from surehand.policies.protocol import Policy

from .peer_process import observation

H, D, S = 4, 3, 8


@pytest.fixture(autouse=True)
def installed(need: Callable[[str], None]) -> None:
    need("onnx")
    need("onnxruntime")


def save(
    path: Path, nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any], weights: dict[str, Any]
) -> Path:
    """A model of these nodes; inputs and outputs by name: (numpy dtype, shape)."""
    from onnx import helper, numpy_helper

    def told(named: dict[str, Any]) -> list[Any]:
        kinds = {name: helper.np_dtype_to_tensor_dtype(np.dtype(kind)) for name, (kind, _) in named.items()}
        return [helper.make_tensor_value_info(name, kinds[name], shape) for name, (_, shape) in named.items()]

    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "policy", told(inputs), told(outputs), stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return path


WEIGHT = np.random.default_rng(5).normal(size=(S, H * D)).astype(np.float32)


def linear(
    path: Path, name: str = "observation.state", batch: Any = "b", noise: bool = False, steps: bool = True
) -> Path:
    """state (B, S) times a matrix, (B, H, D) or (B, H·D), plus the noise (B, H, D) where it has one."""
    from onnx import helper

    nodes = [helper.make_node("MatMul", [name, "weight"], ["flat"])]
    nodes += [helper.make_node("Reshape", ["flat", "shape"], ["mean"])] if steps else []
    nodes += [helper.make_node("Add", ["mean", "noise"], ["actions"])] if noise else []
    nodes[-1].output[0] = "actions"
    inputs = {name: ("f4", [batch, S])} | ({"noise": ("f4", [batch, H, D])} if noise else {})
    out = [batch, H, D] if steps else [batch, H * D]
    weights = {"weight": WEIGHT, "shape": np.array([-1, H, D])}
    return save(path / "linear.onnx", nodes, inputs, {"actions": ("f4", out)}, weights)


def wanted(seen: dict[str, Any]) -> np.ndarray:
    return np.asarray((seen["observation.state"] @ WEIGHT).reshape(H, D))


@pytest.mark.parametrize("batch", ["b", 1, None])
@pytest.mark.parametrize("name", ["observation.state", "observation_state", "observation/state"])
def test_a_model_is_fed_by_the_names_of_its_inputs(tmp_path: Path, batch: Any, name: str) -> None:
    policy = OnnxPolicy(linear(tmp_path, name, batch), space=Space("normalised", "mean_std"))
    assert isinstance(policy, Policy)
    assert (policy.spec.horizon, policy.spec.dims, policy.spec.stochastic) == (H, D, False)
    assert policy.spec.cameras == () and str(policy.spec.space) == "normalised:mean_std"
    rows = [observation(seed) for seed in range(3)]
    for row, answer in zip(rows, policy.infer_batch(rows), strict=True):
        np.testing.assert_allclose(answer["actions"], wanted(row), rtol=1e-5, atol=1e-6)
    assert policy.infer_batch([]) == []
    assert policy.sample(rows[0], 2, np.random.default_rng(0)).generator == "deterministic"


def test_one_run_for_a_batch_where_the_axis_is_dynamic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [observation(seed) for seed in range(5)]
    for batch, most, runs in (("b", 128, 1), ("b", 2, 3), (1, 128, 5)):
        monkeypatch.setattr(onnx_module, "MOST_ROWS", most)
        policy = OnnxPolicy(linear(tmp_path, batch=batch))
        counted = []
        run = policy._run
        monkeypatch.setattr(
            policy, "_run", lambda fed, noise, run=run, seen=counted: seen.append(len(fed)) or run(fed, noise)
        )
        found = np.stack([answer["actions"] for answer in policy.infer_batch(rows)])
        np.testing.assert_allclose(found, [wanted(row) for row in rows], rtol=1e-5, atol=1e-6)
        assert len(counted) == runs and sum(counted) == 5


def test_a_clause_says_where_an_input_comes_from(tmp_path: Path) -> None:
    policy = OnnxPolicy(linear(tmp_path, "agent.qpos"), Mapping.parse(["agent.qpos=observation.state[0:8]"]))
    row = observation(0)
    np.testing.assert_allclose(policy.infer(row)["actions"], wanted(row), rtol=1e-5, atol=1e-6)
    assert policy.spec.inputs == ("observation.state",)
    with pytest.raises(ShapeError, match=r"reads agent\.qpos \(\?, 8\), there is .*; say where .* --map agent\.qpos="):
        OnnxPolicy(linear(tmp_path, "agent.qpos")).infer(row)
    with pytest.raises(ShapeError, match=r"reads agent\.qpos \(\?, 8\), the observation has \(7,\) there"):
        OnnxPolicy(linear(tmp_path, "agent.qpos"), Mapping.parse(["agent.qpos=observation.state[0:7]"])).infer(row)


def test_one_step_a_row(tmp_path: Path) -> None:
    policy = OnnxPolicy(linear(tmp_path, steps=False))
    assert (policy.spec.horizon, policy.spec.dims) == (1, H * D)
    assert policy.infer(observation(0))["actions"].shape == (1, H * D)


def test_shapes_that_are_not_declared_are_learnt(tmp_path: Path) -> None:
    from onnx import helper

    told = ("f4", ["b", "s"])
    nodes = [helper.make_node("Identity", ["observation.state"], ["actions"])]
    policy = OnnxPolicy(save(tmp_path / "open.onnx", nodes, {"observation.state": told}, {"actions": told}, {}))
    assert policy.spec.dims == 0
    np.testing.assert_array_equal(policy.infer(observation(0))["actions"], observation(0)["observation.state"][None])
    assert (policy.spec.horizon, policy.spec.dims) == (1, S)
    with pytest.raises(ShapeError, match=r"answered actions of shape \(1, 7\), before that \(1, 8\)"):
        policy.infer({"observation.state": np.zeros(7)})


def test_noise_is_drawn_from_each_rows_own_generator(tmp_path: Path) -> None:
    policy = OnnxPolicy(linear(tmp_path, noise=True))
    assert (policy.spec.stochastic, policy.spec.generator, policy.spec.seeded) == (True, "noise", True)
    rows = [observation(0), observation(1)]
    together = sample_batch(policy, rows, 3, [np.random.default_rng(seed) for seed in (7, 8)])
    for row, seed, samples in zip(rows, (7, 8), together, strict=True):
        noise = np.random.default_rng(seed).standard_normal((3, H, D))
        np.testing.assert_allclose(samples.actions, wanted(row) + noise, rtol=1e-5, atol=1e-5)
        alone = policy.sample(row, 3, np.random.default_rng(seed))
        np.testing.assert_allclose(samples.actions, alone.actions, rtol=1e-5, atol=1e-6)
        assert samples.generator == "noise"
    np.testing.assert_array_equal(policy.infer(rows[0])["actions"], policy.infer(rows[0])["actions"])
    fixed = policy.infer_batch(rows)
    np.testing.assert_allclose(fixed[0]["actions"] - wanted(rows[0]), fixed[1]["actions"] - wanted(rows[1]), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "shape", "scale"),
    [("f4", ["b", 3, 12, 16], 255), ("f4", ["b", 12, 16, 3], 255), ("u1", ["b", 12, 16, 3], 1)],
)
def test_pictures_are_given_as_the_model_asks(tmp_path: Path, kind: str, shape: list[Any], scale: int) -> None:
    """The mean of every channel, whatever order and type of picture it takes."""
    from onnx import TensorProto, helper

    axes = [2, 3] if shape[1] == 3 else [1, 2]
    nodes = [
        helper.make_node("Cast", ["observation.images.top"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["actions"], axes=axes, keepdims=0),
    ]
    path = save(
        tmp_path / "seen.onnx", nodes, {"observation.images.top": (kind, shape)}, {"actions": ("f4", ["b", 3])}, {}
    )
    policy = OnnxPolicy(path)
    assert policy.spec.cameras is None
    row = observation(2)
    mean = row["observation.images.top"].mean(axis=(0, 1)) / scale
    np.testing.assert_allclose(policy.infer(row)["actions"], mean[None], rtol=1e-5)
    if shape[1] == 3:
        policy = OnnxPolicy(path, Mapping.parse(["observation.images.top=observation.images.top[chw]"]))
        np.testing.assert_allclose(policy.infer(row)["actions"], mean[None], rtol=1e-5)
        assert policy.spec.cameras == ("observation.images.top",)


def test_numbers_of_other_types_and_text(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    path = save(
        tmp_path / "types.onnx",
        [
            helper.make_node("Cast", ["frame_index"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Cast", ["number"], ["g"], to=TensorProto.FLOAT),
            helper.make_node("Concat", ["f", "g"], ["actions"], axis=1),
        ],
        {"frame_index": ("i8", ["b", 1])},
        {"actions": ("f4", ["b", 2])},
        {},
    )
    import onnx

    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("number", TensorProto.STRING, ["b", 1]))
    onnx.save(model, path)
    with pytest.raises(ShapeError, match="reads number"):
        OnnxPolicy(path, Mapping.parse(["x=observation.state"])).infer(observation(3))
    model.graph.input.pop()
    model.graph.input.append(helper.make_tensor_value_info("number", TensorProto.STRING, ["b"]))
    model.graph.node.insert(1, helper.make_node("Unsqueeze", ["number", "one"], ["column"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "one"))
    model.graph.node[2].input[0] = "column"
    onnx.save(model, path)
    policy = OnnxPolicy(path, Mapping.parse(["number=task"]))
    found = policy.infer({**observation(3), "task": "17.5"})
    np.testing.assert_array_equal(found["actions"], [[3.0, 17.5]])


def test_what_is_no_model_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FormatError, match="no such file"):
        OnnxPolicy(tmp_path / "absent.onnx")
    whole = linear(tmp_path).read_bytes()
    (tmp_path / "bad.onnx").write_bytes(b"")
    with pytest.raises(FormatError, match="ONNX Runtime cannot load it"):
        OnnxPolicy(tmp_path / "bad.onnx")
    for cut in (1, len(whole) // 3, len(whole) - 5):
        (tmp_path / "bad.onnx").write_bytes(whole[:cut])
        with pytest.raises(FormatError, match=r"ONNX Runtime cannot load it .*export the model again") as caught:
            OnnxPolicy(tmp_path / "bad.onnx")
        assert "\n" not in str(caught.value)
    (tmp_path / "bad.onnx").write_bytes(whole.replace(b"MatMul", b"NatMul"))
    with pytest.raises(FormatError, match="NatMul"):
        OnnxPolicy(tmp_path / "bad.onnx")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("shape", "why"),
    [([3, S], "made for batches of 3"), (["b", S + 1], "the observation has"), (["b", S, 2], "the observation")],
)
def test_inputs_that_do_not_fit(tmp_path: Path, shape: list[Any], why: str) -> None:
    from onnx import helper

    nodes = [helper.make_node("Identity", ["observation.state"], ["actions"])]
    path = save(tmp_path / "m.onnx", nodes, {"observation.state": ("f4", shape)}, {"actions": ("f4", shape)}, {})
    with pytest.raises(ShapeError, match=why):
        OnnxPolicy(path).infer(observation(0))


def test_an_answer_that_is_none(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [helper.make_node("Log", ["observation.state"], ["actions"])]
    told = {"observation.state": ("f4", ["b", S])}
    path = save(tmp_path / "nan.onnx", nodes, told, {"actions": ("f4", ["b", S])}, {})
    with pytest.raises(FormatError, match=r"answered (nan|-inf) at \(0, "):
        OnnxPolicy(path).infer(observation(0))
    nodes = [helper.make_node("ReduceMean", ["observation.state"], ["actions"], axes=[0, 1], keepdims=0)]
    path = save(tmp_path / "scalar.onnx", nodes, told, {"actions": ("f4", [])}, {})
    with pytest.raises(ShapeError, match=r"answered actions of shape \(\) to 1 observations"):
        OnnxPolicy(path).infer(observation(0))


def test_a_run_that_fails_is_one_line(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [helper.make_node("MatMul", ["observation.state", "weight"], ["actions"])]
    told = {"observation.state": ("f4", ["b", "s"])}
    path = save(tmp_path / "m.onnx", nodes, told, {"actions": ("f4", ["b", "d"])}, {"weight": WEIGHT[:5]})
    with pytest.raises(SurehandError, match="ONNX Runtime cannot run it") as caught:
        OnnxPolicy(path).infer(observation(0))
    assert "\n" not in str(caught.value)


def external(folder: Path, location: str) -> Path:
    """A model whose matrix lies in another file."""
    import onnx
    from onnx import TensorProto

    folder.mkdir(exist_ok=True)
    model = onnx.load(linear(folder))
    stored = next(found for found in model.graph.initializer if found.name == "weight")
    stored.ClearField("raw_data")
    stored.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(WEIGHT.nbytes))):
        entry = stored.external_data.add()
        entry.key, entry.value = key, value
    path = folder / "external.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_are_read_from_the_models_own_folder_alone(tmp_path: Path) -> None:
    inside = tmp_path / "model"
    path = external(inside, "weight.bin")
    (inside / "weight.bin").write_bytes(WEIGHT.tobytes())
    np.testing.assert_allclose(OnnxPolicy(path).infer(observation(0))["actions"], wanted(observation(0)), rtol=1e-5)
    (tmp_path / "secret.bin").write_bytes(WEIGHT.tobytes())
    for outside in ("../secret.bin", str(tmp_path / "secret.bin")):
        with pytest.raises(FormatError, match="ONNX Runtime cannot load it"):
            OnnxPolicy(external(inside, outside))
    (inside / "weight.bin").unlink()
    with pytest.raises(FormatError, match="ONNX Runtime cannot load it"):
        OnnxPolicy(external(inside, "weight.bin"))


def test_threads_are_those_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for said, threads in (("1", 1), ("2", 2), ("", 0), ("many", 0)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        options = OnnxPolicy(linear(tmp_path))._session.get_session_options()
        assert options.intra_op_num_threads == threads


def test_noise_without_sizes_is_refused(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [helper.make_node("Identity", ["noise"], ["actions"])]
    told = {"noise": ("f4", ["b", "h", D])}
    path = save(tmp_path / "m.onnx", nodes, told, {"actions": ("f4", ["b", "h", D])}, {})
    with pytest.raises(FormatError, match="its noise is of shape"):
        OnnxPolicy(path)


def test_the_module_loads_without_its_library(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from surehand.policies.onnx import OnnxPolicy\n"
        f"OnnxPolicy({str(linear(tmp_path))!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert "pip install 'surehand[onnx]'" in done.stderr
