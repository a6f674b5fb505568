"""A checkpoint as a policy: answers in robot units, row by row; samples; refusals in one line."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.formats.predictions import open_predictions
from surehand.frames import Actions
from surehand.layout import Layout
from surehand.policies.protocol import Observation, Policy
from surehand.sim.learners import LEARNERS, load_policy
from surehand.sim.learners.nets.token import BINS, Token, log_probability
from surehand.sim.learners.policy import LearnedPolicy
from surehand.sim.learners.settings import Learner, Training
from surehand.sim.learners.train import train
from surehand.sim.observation import ENVIRONMENT, IMAGES, STATE, TASK

STEP = 25


@pytest.fixture(scope="module")
def checkpoints(
    tmp_path_factory: pytest.TempPathFactory, recorded: Actions, held_out: Actions, desk: Layout
) -> dict[str, Path]:
    """One checkpoint of every learner."""
    out = tmp_path_factory.mktemp("runs")
    found = {}
    for learner in LEARNERS:
        frames = [_seen(actions, learner) for actions in (recorded, held_out)]
        done = train(Training(learner, STEP, (STEP,), batch=32), *frames, out / learner, layout=desk)
        found[learner] = done.checkpoint(STEP)
    return found


def _seen(actions: Actions, learner: str) -> Actions:
    if learner != "pixels":
        return actions
    rng = np.random.default_rng(0)
    seen = {IMAGES + c: rng.integers(0, 255, (len(actions), 16, 16, 3), np.uint8) for c in ("hand", "head")}
    return replace(actions, columns=seen)


def observations(actions: Actions, learner: str, count: int) -> list[Observation]:
    """The first frames as a policy is shown them."""
    seen = _seen(actions, learner)
    assert seen.state is not None
    return [
        {STATE: seen.state[i], TASK: seen.tasks[seen.task[i]], **{key: v[i] for key, v in seen.columns.items()}}
        for i in range(count)
    ]


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_row_depends_on_nothing_but_itself(learner: str, checkpoints: dict[str, Path], held_out: Actions) -> None:
    """Bit by bit: alone, among others, at another place, among many."""
    policy = load_policy(checkpoints[learner])
    assert isinstance(policy, Policy) and policy.name == f"{learner} {STEP:06d}"
    seen = observations(held_out, learner, 19)
    batch = policy.infer_batch(seen)
    for at in (0, 5, 18):
        alone = policy.infer(seen[at])
        assert np.array_equal(alone["actions"], batch[at]["actions"])
        assert np.array_equal(alone["embedding"], batch[at]["embedding"]) and alone["embedding"].ndim == 1
    backwards = policy.infer_batch(seen[::-1])[::-1]
    assert all(np.array_equal(a["actions"], b["actions"]) for a, b in zip(batch, backwards, strict=True))
    assert batch[0]["actions"].dtype == np.float32


@pytest.mark.parametrize("learner", LEARNERS)
def test_answers_are_the_predictions_written_in_training(
    learner: str, checkpoints: dict[str, Path], held_out: Actions
) -> None:
    """The same weights, statistics and units after loading (forward passes of another size move last bits)."""
    policy = load_policy(checkpoints[learner])
    run = checkpoints[learner].parents[1]
    said = open_predictions(run / "predictions" / f"{learner}-{STEP:06d}.parquet").read()
    answers = policy.infer_batch(observations(held_out, learner, 10))
    np.testing.assert_allclose([a["actions"] for a in answers], said.prediction[:10, 0], rtol=1e-4, atol=1e-4)
    assert policy.spec.horizon == 8 and policy.spec.dims == 6 and policy.layout.size == 6


@pytest.mark.parametrize("learner", LEARNERS)
def test_samples(learner: str, checkpoints: dict[str, Path], held_out: Actions) -> None:
    policy = load_policy(checkpoints[learner])
    seen = observations(held_out, learner, 1)[0]
    first, again, other = (policy.sample(seen, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.actions.shape == (5, 8, 6) and np.array_equal(first.actions, again.actions)
    assert first.generator == policy.spec.generator
    if not policy.spec.stochastic:
        assert (first.actions == policy.infer(seen)["actions"]).all()
        with pytest.raises(SurehandError, match="has no temperature"):
            policy.at_temperature(0.5)
        return
    assert not np.array_equal(first.actions, other.actions) and (first.knob, first.value) == ("temperature", 1.0)
    assert len({chunk.tobytes() for chunk in first.actions}) == 5
    cold = policy.at_temperature(0.0).sample(seen, 2, np.random.default_rng(1))
    np.testing.assert_allclose(cold.actions, np.tile(policy.infer(seen)["actions"], (2, 1, 1)), atol=1e-4)
    spread = [policy.at_temperature(t).sample(seen, 64, np.random.default_rng(3)).actions for t in (0.3, 1.0)]
    assert spread[0].std(axis=0).mean() < spread[1].std(axis=0).mean()
    with pytest.raises(SurehandError, match="a temperature is a number from 0"):
        policy.at_temperature(float("nan"))


def test_what_a_token_policy_says_of_its_samples(checkpoints: dict[str, Path], held_out: Actions) -> None:
    """log p of a drawn chunk is minus the sum of the losses that training gives the same chunk."""
    policy = load_policy(checkpoints["token"])
    seen = observations(held_out, "token", 1)
    drawn = policy.sample(seen[0], 6, np.random.default_rng(0))
    assert drawn.log_p is not None and drawn.token_entropy is not None
    vector = policy.config.inputs.vector(seen * 6)
    scales = policy.config.scales
    target = torch.from_numpy((drawn.actions - scales.output_mean) / scales.output_std)
    losses = policy.net.losses(policy.batch(vector, {}, np.arange(6)), target, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.log_p, -losses.sum((1, 2)).numpy(), rtol=1e-3)
    assert ((drawn.token_entropy > 0) & (drawn.token_entropy < np.log(BINS))).all()


def test_token_probabilities_add_up_and_are_those_of_logistic_distributions() -> None:
    rng = np.random.default_rng(0)
    said = torch.from_numpy(rng.normal(size=(3, 1, 12)) * 2)
    tokens = torch.arange(BINS, dtype=torch.float64).expand(3, 1, BINS)
    low, width = torch.tensor([-2.0]).double(), torch.tensor([4.0 / BINS]).double()
    found = log_probability(said, tokens, low, width).exp().numpy()[:, 0]
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-9)
    weights, means, scales = np.split(said.numpy()[:, 0], 3, axis=1)
    share = np.exp(weights) / np.exp(weights).sum(axis=1, keepdims=True)
    edges = np.concatenate([[-np.inf], -2 + 4 / BINS * np.arange(1, BINS), [np.inf]])
    slopes = np.exp(-np.maximum(scales, -4.0))
    cdf = (share[:, :, None] / (1 + np.exp(-(edges - means[:, :, None]) * slopes[:, :, None]))).sum(axis=1)
    np.testing.assert_allclose(found, np.diff(cdf, axis=1), rtol=1e-6, atol=1e-12)


def test_tokens_are_as_fine_as_their_bins(checkpoints: dict[str, Path], held_out: Actions) -> None:
    policy = load_policy(checkpoints["token"])
    net, scales = policy.net, policy.config.scales
    assert isinstance(net, Token)
    values = torch.from_numpy((held_out.action.astype(np.float32) - scales.output_mean) / scales.output_std)
    values = values.clamp(net.low, net.low + BINS * net.width)
    assert ((net.values(net.tokens(values)) - values).abs() <= 0.501 * net.width).all()


@pytest.mark.slow
def test_flow_carries_noise_to_a_known_distribution(desk: Layout, tmp_path: Path) -> None:
    """Trained on actions drawn from a normal distribution, samples have that distribution (Kolmogorov–Smirnov)."""
    rng = np.random.default_rng(0)
    n = 3000
    action = np.zeros((n, 6), np.float32)
    action[:, 0] = rng.normal(0.3, 0.05, n)
    actions = Actions(
        action=action, state=np.zeros((n, 6)), episode=np.arange(n), frame=np.zeros(n, np.int64),
        task=np.zeros(n, np.int64), tasks=("hover",), columns={ENVIRONMENT: np.zeros((n, 3))},
    )  # fmt: skip
    recipe = Training("flow", 800, (800,), horizon=1, batch=256)
    policy = load_policy(train(recipe, actions, actions.take(slice(50)), tmp_path / "run", layout=desk).checkpoint(800))
    seen: Observation = {STATE: np.zeros(6), ENVIRONMENT: np.zeros(3), TASK: "hover"}
    drawn = policy.sample(seen, 500, np.random.default_rng(1)).actions[:, 0, 0]
    assert abs(drawn.mean() - 0.3) < 0.01 and abs(drawn.std() - 0.05) < 0.008
    assert kstest(drawn, norm(0.3, 0.05).cdf).statistic < 0.1


def test_observations_that_do_not_fit_are_refused(checkpoints: dict[str, Path], held_out: Actions) -> None:
    policy = load_policy(checkpoints["mlp"])
    good = observations(held_out, "mlp", 1)[0]
    with pytest.raises(SurehandError, match=r"not trained on the instruction 'fly away'; it knows 'pick up"):
        policy.infer({**good, TASK: "fly away"})
    with pytest.raises(SurehandError, match=r"lacks .observation\.environment_state"):
        policy.infer({STATE: good[STATE], TASK: good[TASK]})
    with pytest.raises(ShapeError, match=r"has shape \(5,\); the policy was trained on \(6,\)"):
        policy.infer({**good, STATE: good[STATE][:5]})
    looking = load_policy(checkpoints["pixels"])
    assert looking.spec.cameras == (IMAGES + "hand", IMAGES + "head") and looking.image_size == 16
    shown = observations(held_out, "pixels", 1)[0]
    with pytest.raises(SurehandError, match="render that camera"):
        looking.infer({key: value for key, value in shown.items() if key != IMAGES + "head"})
    with pytest.raises(ShapeError, match="trained on uint8"):
        looking.infer({**shown, IMAGES + "head": np.zeros((8, 8, 3), np.uint8)})


def test_folders_that_are_no_checkpoint_are_refused(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is no checkpoint"):
        load_policy(tmp_path)

    def broken(name: str, **changes: object) -> Path:
        folder = tmp_path / name
        shutil.copytree(checkpoints["mlp"], folder)
        config = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    assert isinstance(load_policy(broken("same")), LearnedPolicy)
    with pytest.raises(FormatError, match="its configuration wants"):
        load_policy(broken("horizon", horizon=9))
    with pytest.raises(FormatError, match="means and scales do not fit"):
        load_policy(broken("means", output_mean=[0.0]))
    for name, std in (("nan", float("nan")), ("still", 0.0)):
        with pytest.raises(FormatError, match="scales positive"):
            load_policy(broken(name, output_std=[std] * 6))
    with pytest.raises(FormatError, match="learner"):
        load_policy(broken("learner", learner="oracle"))
    with pytest.raises(FormatError, match="layout"):
        load_policy(broken("layout", layout="arm("))
    with pytest.raises(FormatError, match="horizon"):
        load_policy(broken("none", horizon=0))
    cut = broken("cut")
    weights = cut / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(FormatError, match="not safetensors, or cut off"):
        load_policy(cut)


@pytest.mark.slow
def test_a_few_seconds_of_training_pick_and_press(tmp_path: Path) -> None:
    """Sixty pushed demonstrations, 1500 steps: most scenes never seen before end well."""
    from surehand.formats.lerobot import open_lerobot
    from surehand.sim.episodes import success_rate
    from surehand.sim.follow import Variation
    from surehand.sim.record import Recipe, record
    from surehand.sim.robot import body
    from surehand.sim.rollout import play, rollout_scenes

    path = record(Recipe(("pick", "press"), 60, seed=701, variation=Variation(nudges=True)), tmp_path / "set").path
    actions = open_lerobot(path).read(columns=[ENVIRONMENT])
    learner: Learner = "mlp"
    recipe = Training(learner, 1500, (1500,))
    held_out = actions.take(actions.episode >= 56)
    done = train(recipe, actions.take(actions.episode < 56), held_out, tmp_path / "run", layout=body("mobile").layout)
    policy = load_policy(done.checkpoint(1500))
    for task in ("pick", "press"):
        good, played = success_rate(play(policy, task, "mobile", rollout_scenes(701, 20)))
        assert good / played >= 0.6
