"""Python callables as policies: functions, classes and objects by their address; the user's mistakes in one line."""

import pickle
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.frames import Space
from surehand.policies.function import FunctionPolicy, is_function, open_function
from surehand.policies.mapping import Mapping
from surehand.policies.protocol import Policy

from .peer_process import observation

CODE = """
    import numpy as np
    from beside_the_policies import SCALE
    from surehand.policies.protocol import PolicySpec
    from surehand.frames import Samples, Space

    def hold(observation):
        return SCALE * np.tile(observation["observation.state"], (3, 1))

    def one_step(observation):
        return list(observation["observation.state"])

    def answer(observation):
        return {"actions": hold(observation), "more": "text"}

    def shaky(observation, rng):
        return hold(observation) + rng.standard_normal((3, 8))

    def looks(observation):
        return [float(len(observation["history"]))]
    looks.cameras, looks.inputs, looks.history = ("observation.images.top",), (), 3

    def keys(observation):
        assert set(observation) == {"state"}, sorted(observation)
        return observation["state"]

    def spoils(observation):
        observation.clear()
        return np.zeros((1, 2))

    def fails(observation):
        return observation["absent"]

    def nan(observation):
        return np.full((2, 2), np.nan)

    def text(observation):
        return "forward"

    def ragged(observation):
        return [[1.0], [1.0, 2.0]]

    def nothing(observation):
        return None

    def cube(observation):
        return np.zeros((2, 2, 2))

    COUNT = [0]
    def grows(observation):
        COUNT[0] += 1
        return np.zeros((2, COUNT[0]))

    class Agent:
        def infer(self, observation):
            return hold(observation)

    agent = Agent()

    class Counts:
        history = 2
        inputs = ("observation.state",)
        def __init__(self):
            self.steps, self.closed = 0, False
        def infer(self, observation):
            self.steps += 1
            return np.full((1, 1), self.steps)
        def reset(self):
            self.steps = 0
        def close(self):
            self.closed = True

    counts = Counts()

    def was_closed(observation):
        return [[counts.closed]]

    class Whole:
        def __init__(self):
            self.spec = PolicySpec(1, 2, Space("normalised", "mean_std"))
        def infer(self, observation):
            return {"actions": np.zeros((1, 2))}
        def infer_batch(self, observations):
            return [self.infer(one) for one in observations]
        def sample(self, observation, k, rng):
            return Samples(np.zeros((k, 1, 2)), "deterministic")
        def reset(self):
            pass

    class Needs:
        def __init__(self, weights):
            pass

    NUMBER = 3
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside_the_policies.py").write_text("SCALE = 2.0\n")
    path = tmp_path / "my policies.py"
    path.write_text(textwrap.dedent(CODE))
    sys.modules.pop("beside_the_policies", None)
    return str(path)


def test_a_function_of_one_observation(file: str) -> None:
    policy = open_function(f"{file}:hold", space=Space("robot", reference="delta"))
    assert isinstance(policy, Policy) and isinstance(policy, FunctionPolicy)
    assert (policy.spec.horizon, policy.spec.stochastic, policy.spec.cameras) == (0, False, None)
    assert str(policy.spec.space) == "robot/delta"
    rows = [observation(0), observation(1)]
    for row, found in zip(rows, policy.infer_batch(rows), strict=True):
        np.testing.assert_array_equal(found["actions"], 2 * np.tile(row["observation.state"], (3, 1)))
    assert (policy.spec.horizon, policy.spec.dims) == (3, 8)
    assert policy.sample(rows[0], 4, np.random.default_rng(0)).actions.shape == (4, 3, 8)
    policy.reset()


@pytest.mark.parametrize(
    ("name", "shape"), [("one_step", (1, 8)), ("answer", (3, 8)), ("Agent", (3, 8)), ("agent", (3, 8))]
)
def test_what_it_may_be_and_may_answer(file: str, name: str, shape: tuple[int, int]) -> None:
    found = open_function(f"{file}:{name}").infer(observation(0))["actions"]
    assert found.shape == shape and found.dtype in (np.float32, np.float64)


def test_an_object_says_what_it_reads_and_is_told_where_an_episode_begins_and_all_ends(file: str) -> None:
    policy: Any = open_function(f"{file}:counts")
    assert (policy.spec.history, policy.spec.inputs) == (2, ("observation.state",))
    found = [policy.infer({})["actions"].item() for _ in range(2)]
    policy.reset()
    found.append(policy.infer({})["actions"].item())
    assert found == [1, 2, 1]
    policy.close()
    assert open_function(f"{file}:was_closed").infer({})["actions"].item()


def test_a_policy_is_used_as_it_is(file: str) -> None:
    policy = open_function(f"{file}:Whole", space=Space())
    assert type(policy).__name__ == "Whole" and str(policy.spec.space) == "normalised:mean_std"


def test_a_parameter_rng_makes_it_stochastic(file: str) -> None:
    policy = open_function(f"{file}:shaky")
    assert (policy.spec.stochastic, policy.spec.generator, policy.spec.seeded) == (True, "noise", True)
    row = observation(0)
    found = policy.sample(row, 3, np.random.default_rng(5))
    noise = np.random.default_rng(5).standard_normal((3, 3, 8))
    np.testing.assert_allclose(found.actions, 2 * row["observation.state"] + noise)
    assert found.generator == "noise"
    np.testing.assert_array_equal(policy.infer(row)["actions"], policy.infer(row)["actions"])


def test_attributes_and_mappings_say_what_it_reads(file: str) -> None:
    spec = open_function(f"{file}:looks").spec
    assert (spec.cameras, spec.inputs, spec.history) == (("observation.images.top",), (), 3)
    policy = open_function(f"{file}:keys", mapping=Mapping.parse(["state=observation.state[0:2]"]))
    assert (policy.spec.cameras, policy.spec.inputs) == ((), ("observation.state",))
    np.testing.assert_array_equal(
        policy.infer(observation(0))["actions"], observation(0)["observation.state"][None, :2]
    )
    row = observation(0)
    open_function(f"{file}:spoils").infer(row)
    assert row.keys() == observation(0).keys()


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("fails", SurehandError, r":fails: KeyError: 'absent'$"),
        ("nan", FormatError, r"answered nan at \(0, 0\)"),
        ("text", FormatError, r"answered 'forward', expected actions \(H, D\)"),
        ("ragged", FormatError, r"answered a list, expected actions"),
        ("nothing", FormatError, r"answered None, expected actions"),
        ("cube", ShapeError, r"answered actions of shape \(2, 2, 2\)"),
    ],
)
def test_what_goes_wrong_in_it_is_one_line(file: str, name: str, kind: type, said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        open_function(f"{file}:{name}").infer(observation(0))
    assert "\n" not in str(caught.value) and f"{file}:{name}" in str(caught.value)
    if name == "fails":
        assert isinstance(caught.value.__cause__, KeyError) and caught.value.__cause__.__traceback__ is not None


def test_another_width_than_before_is_refused(file: str) -> None:
    policy = open_function(f"{file}:grows")
    policy.infer({})
    with pytest.raises(ShapeError, match=r"answered actions of shape \(2, 2\), before that \(2, 1\)"):
        policy.infer({})


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("{file}:absent", r"has no absent; it has .*hold"),
        ("{file}:NUMBER", r"is a int; expected a function of one observation"),
        ("{file}:Needs", r"Needs: TypeError: .*missing 1 required positional argument"),
        ("{folder}/none.py:hold", r"no file .*none\.py"),
        ("{folder}/broken.py:hold", r"cannot load .*broken\.py \(SyntaxError"),
        ("{folder}/raising.py:hold", r"cannot load .*raising\.py \(RuntimeError: no robot\)"),
        ("no_such_module_at_all:hold", r"cannot import no_such_module_at_all \(ModuleNotFoundError"),
        ("math:sqroot", r"math has no sqroot"),
    ],
)
def test_what_cannot_be_opened_is_one_line(file: str, address: str, said: str) -> None:
    folder = Path(file).parent
    (folder / "broken.py").write_text("def hold(:\n")
    (folder / "raising.py").write_text("raise RuntimeError('no robot')\n")
    with pytest.raises(SurehandError, match=said) as caught:
        open_function(address.format(file=file, folder=folder))
    assert "\n" not in str(caught.value)


def test_a_module_in_the_working_directory(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(file).parent
    (folder / "policies_of_mine.py").write_text("def hold(observation):\n    return [1.0]\n")
    monkeypatch.chdir(folder)
    found = open_function("policies_of_mine:hold").infer({})
    np.testing.assert_array_equal(found["actions"], [[1.0]])
    sys.modules.pop("policies_of_mine")


def test_callables_that_do_not_tell_their_parameters() -> None:
    assert not open_function("math:hypot").spec.stochastic
    with pytest.raises(SurehandError, match="math:sin: TypeError"):
        open_function("math:sin").infer({})


def test_the_same_file_is_loaded_once_and_opens_again_by_its_address(file: str) -> None:
    first, second = open_function(f"{file}:grows"), open_function(f"{file}:grows")
    assert isinstance(first, FunctionPolicy) and isinstance(second, FunctionPolicy)
    assert first._call is second._call
    address = pickle.loads(pickle.dumps(first.name))
    assert open_function(address).infer({})["actions"].shape == (2, 1)


@pytest.mark.parametrize(
    ("address", "yes"),
    [
        ("module:f", True), ("package.module:f", True), ("a b/c.py:f", True), ("/x/c.py:Class", True),
        ("C:/x/c.py:f", True), ("module", False), ("module:", False), ("module:f()", False), ("a/b:f", False),
        ("ws://host:80", False), ("c.py", False), (":f", False), ("folder/x.onnx", False), ("a..b:f", False),
    ],
)  # fmt: skip
def test_the_form_of_an_address(address: str, yes: bool) -> None:
    assert is_function(address) == yes


def test_nothing_else_is_needed(file: str) -> None:
    answers: dict[str, Any] = {}
    policy = FunctionPolicy(lambda observation: answers.setdefault("seen", observation)["x"], "lambda")
    np.testing.assert_array_equal(policy.infer({"x": [1, 2]})["actions"], [[1.0, 2.0]])


@pytest.mark.parametrize("name", ["Made", "called"])
def test_code_that_ends_the_program_is_one_line_too(tmp_path: Path, name: str) -> None:
    (tmp_path / "ending.py").write_text(
        "class Made:\n    def __init__(self): raise SystemExit('no licence')\n"
        "def called(o): raise SystemExit('no licence')\n"
    )
    with pytest.raises(SurehandError, match=f"ending[.]py:{name}: SystemExit: no licence"):
        open_function(f"{tmp_path / 'ending.py'}:{name}").infer({})
