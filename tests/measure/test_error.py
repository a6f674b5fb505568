"""Group errors against five-line loops; sums that merge to the same bits; the real G1 recording's known answers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.align import pair
from surehand.exceptions import ShapeError, SpaceError, SurehandError
from surehand.formats.lerobot import read_lerobot
from surehand.frames import Pairs, Predictions, Stats
from surehand.layout import Layout, LayoutError
from surehand.measure.error import (
    ErrorAccumulator,
    ErrorSums,
    GroupErrors,
    dead_dimensions,
    group_error,
    idle_groups,
    make_scale,
    robot_scale,
    within_episode_spread,
)

LAYOUT = Layout.parse("arm(lift:prismatic[m] roll:continuous[rad]) gripper pad(1)")
PHASES = ("free", "contact")


def random_pairs(
    rng: np.random.Generator, lengths: list[int], horizon: int = 4, draws: int = 1, phases: bool = True
) -> Pairs:
    frame = np.concatenate([np.arange(n) for n in lengths])
    episode = np.repeat(np.arange(len(lengths)) * 3, lengths)
    n = len(frame)
    return Pairs(
        prediction=rng.normal(size=(n, draws, horizon, 4)) * 3,
        target=rng.normal(size=(n, horizon, 4)) * 3,
        valid=frame[:, None] + np.arange(horizon) < np.repeat(lengths, lengths)[:, None],
        episode=episode,
        frame=frame,
        task=episode % 2,
        phase=rng.integers(0, 2, (n, horizon)) if phases else None,
        tasks=("pick", "place"),
        phases=PHASES if phases else ("all",),
    )


def accumulate(*parts: Pairs, of: str = "mean") -> ErrorSums:
    first = parts[0]
    accumulator = ErrorAccumulator(4, first.target.shape[1], first.phases, LAYOUT.period, of)  # type: ignore[arg-type]
    for part in parts:
        accumulator.update(part)
    return accumulator.compute()


def loop_mean(pairs: Pairs, columns: list[int], scale: np.ndarray, keep: object = None) -> float:
    """The five-line oracle: mean over valid (frame, step) of the mean over columns of the scaled squared error."""
    found = []
    for n in range(len(pairs)):
        for h in range(pairs.target.shape[1]):
            if pairs.valid[n, h] and (keep is None or keep(n, h)):  # type: ignore[operator]
                d = pairs.prediction[n, 0, h] - pairs.target[n, h]
                d[1] = np.angle(np.exp(1j * d[1]))
                found.append(np.mean(d[columns] ** 2 / scale[columns] ** 2))
    return float(np.mean(found))


def assert_same(a: ErrorSums, b: ErrorSums) -> None:
    for name in ("sums", "counts", "full_sums", "full_counts", "episode", "task"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert (a.tasks, a.phases) == (b.tasks, b.phases)


def test_groups_phases_tasks_and_steps_equal_a_loop(rng: np.random.Generator) -> None:
    pairs = random_pairs(rng, [7, 3, 9])
    std = np.array([2.0, 0.5, 3.0, 1.0])
    errors = group_error(pairs, LAYOUT, space="std", stats=Stats(mean=np.zeros(4), std=std), dead=np.zeros(4, bool))
    assert errors.names == ("arm", "gripper", "total")
    columns = {"arm": [0, 1], "gripper": [2], "total": [0, 1, 2]}
    for i, (name, cols) in enumerate(columns.items()):
        assert errors.group(name) == pytest.approx(loop_mean(pairs, cols, std), rel=1e-12)
        in_contact = loop_mean(pairs, cols, std, lambda n, h: pairs.phase[n, h] == 1)  # type: ignore[index]
        assert errors.table("contact")[i] == pytest.approx(in_contact, rel=1e-12)
        assert errors.by_task()["place"][i] == pytest.approx(
            loop_mean(pairs, cols, std, lambda n, h: pairs.task[n] == 1), rel=1e-12
        )
        assert errors.by_episode()[2, i] == pytest.approx(
            loop_mean(pairs, cols, std, lambda n, h: pairs.episode[n] == 6), rel=1e-12
        )
        assert errors.table(steps=slice(0, 2))[i] == pytest.approx(
            loop_mean(pairs, cols, std, lambda n, h: h < 2), rel=1e-12
        )
        assert errors.by_step()[3, i] == pytest.approx(loop_mean(pairs, cols, std, lambda n, h: h == 3), rel=1e-12)
        whole = loop_mean(pairs, cols, std, lambda n, h: h == 1 and pairs.valid[n].all())
        assert errors.profile()[1, i] == pytest.approx(whole, rel=1e-12)
        by_hand = np.mean([errors.by_episode()[e, i] for e in range(3)])
        assert errors.episode_weighted()[i] == pytest.approx(by_hand, rel=1e-12)
    assert errors.by_joint()[2] == pytest.approx(errors.group("gripper"), rel=1e-12)
    assert errors.total_all_dims == pytest.approx(loop_mean(pairs, [0, 1, 2, 3], std), rel=1e-12)
    numerators = errors.numerators("contact")
    np.testing.assert_allclose(numerators.sum(0) / errors.denominators("contact").sum(), errors.table("contact"))


def test_draws_become_mean_one_or_best(rng: np.random.Generator) -> None:
    pairs = random_pairs(rng, [6, 2], draws=3, phases=False)

    def wrapped(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        d = a - b
        d[..., 1] = np.angle(np.exp(1j * d[..., 1]))
        return d**2

    expect = {"mean": 0.0, "one": 0.0, "best": 0.0}
    for n in range(len(pairs)):
        draws, target, ok = pairs.prediction[n], pairs.target[n], pairs.valid[n]
        mean = draws.mean(0)
        mean[:, 1] = np.angle(np.exp(1j * draws[..., 1]).mean(0))
        each = np.array([wrapped(x, target)[ok].sum() for x in draws])
        expect["mean"] += wrapped(mean, target)[ok].sum()
        expect["one"] += each.mean()
        expect["best"] += each.min()
    for of, total in expect.items():
        assert accumulate(pairs, of=of).sums.sum() == pytest.approx(total, rel=1e-12)


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    labels=st.data(),
    draws=st.integers(1, 2),
    phases=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_any_partition_of_episodes_merges_to_the_same_bits(
    lengths: list[int], labels: st.DataObject, draws: int, phases: bool
) -> None:
    pairs = random_pairs(np.random.default_rng(len(lengths)), lengths, draws=draws, phases=phases)
    part = np.array(labels.draw(st.lists(st.integers(0, 2), min_size=len(lengths), max_size=len(lengths))))
    whole = accumulate(pairs)
    pieces = [accumulate(pairs.take(part[pairs.episode // 3] == i)) for i in range(3)]
    assert_same(pieces[0].merge(pieces[1]).merge(pieces[2]), whole)
    assert_same(pieces[2].merge(pieces[0].merge(pieces[1])), whole)


@given(cut=st.integers(0, 30), seed=st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_split_episodes_merge_within_rounding(cut: int, seed: int) -> None:
    pairs = random_pairs(np.random.default_rng(seed), [13, 17])
    whole = accumulate(pairs)
    parts = [accumulate(pairs.take(rows)) for rows in (slice(0, cut), slice(cut, None))]
    merged = parts[0].merge(parts[1])
    np.testing.assert_allclose(merged.sums, whole.sums, rtol=1e-12)
    np.testing.assert_allclose(merged.full_sums, whole.full_sums, rtol=1e-12)
    np.testing.assert_array_equal(merged.counts, whole.counts)
    accumulators = [
        ErrorAccumulator(4, 4, PHASES, LAYOUT.period).update(pairs.take(rows))
        for rows in (slice(0, cut), slice(cut, None))
    ]
    assert_same(accumulators[0].merge(accumulators[1]).compute(), merged)


def test_blocks_inside_a_long_episode_do_not_matter(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = random_pairs(rng, [200, 50])
    whole = accumulate(pairs)
    monkeypatch.setattr("surehand.measure.sums._BLOCK", 64)
    small = accumulate(pairs)
    np.testing.assert_allclose(small.sums, whole.sums, rtol=1e-12)
    np.testing.assert_array_equal(small.counts, whole.counts)


@given(seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_total_is_the_dimension_weighted_mean_of_groups(seed: int) -> None:
    errors = group_error(random_pairs(np.random.default_rng(seed), [5, 8]), LAYOUT)
    arm, gripper, total = errors.table()
    assert total == pytest.approx((2 * arm + gripper) / 3, rel=1e-12)


@given(seed=st.integers(0, 1000), turns=st.integers(-3, 3))
@settings(deadline=None, max_examples=40)
def test_wrapped_error_is_periodic_and_never_larger(seed: int, turns: int) -> None:
    pairs = random_pairs(np.random.default_rng(seed), [6])
    flat = Layout.parse("arm(lift:prismatic[m] roll:revolute[rad]) gripper pad(1)")
    wrapped, straight = (group_error(pairs, layout).by_joint() for layout in (LAYOUT, flat))
    assert wrapped[1] <= straight[1] + 1e-12 and wrapped[1] <= np.pi**2
    np.testing.assert_array_equal(wrapped[[0, 2, 3]], straight[[0, 2, 3]])
    turned = pairs.prediction.copy()
    turned[..., 1] += turns * 2 * np.pi
    again = Pairs(**{**vars(pairs), "prediction": turned})
    np.testing.assert_allclose(group_error(again, LAYOUT).by_joint(), wrapped, rtol=1e-9)


@given(seed=st.integers(0, 1000), filler=st.sampled_from([0.0, 1e300, np.nan, np.inf]), draws=st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_padded_steps_never_matter(seed: int, filler: float, draws: int) -> None:
    pairs = random_pairs(np.random.default_rng(seed), [5, 4], draws=draws)
    prediction, target = pairs.prediction.copy(), pairs.target.copy()
    prediction.swapaxes(1, 2)[~pairs.valid] = filler
    target[~pairs.valid] = filler
    changed = Pairs(**{**vars(pairs), "prediction": prediction, "target": target})
    for of in ("mean", "one", "best"):
        assert_same(accumulate(changed, of=of), accumulate(pairs, of=of))


def test_dead_and_padded_dimensions_leave_the_headline(rng: np.random.Generator) -> None:
    pairs = random_pairs(rng, [9])
    stats = Stats(min=np.zeros(4), max=np.array([1.0, 0.0, 2.0, 1.0]), mean=np.zeros(4), std=np.ones(4), source="x")
    np.testing.assert_array_equal(dead_dimensions(stats, LAYOUT), [False, True, False, True])
    errors = group_error(pairs, LAYOUT, stats=stats)
    one = np.ones(4)
    assert errors.group("arm") == pytest.approx(loop_mean(pairs, [0], one), rel=1e-12)
    assert errors.total == pytest.approx(loop_mean(pairs, [0, 2], one), rel=1e-12)
    assert errors.total_all_dims == pytest.approx(loop_mean(pairs, [0, 1, 2, 3], one), rel=1e-12)
    none_left = group_error(pairs, LAYOUT, dead=np.array([True, True, False, True]))
    assert np.isnan(none_left.group("arm")) and none_left.total == none_left.group("gripper")
    in_range = group_error(pairs, LAYOUT, space="range", stats=stats)
    assert in_range.group("gripper") == pytest.approx(loop_mean(pairs, [2], np.full(4, 2.0)), rel=1e-12)
    assert np.isnan(in_range.total_all_dims)  # a dead joint has no range to divide by


def test_scales_name_their_statistics_and_refuse_without() -> None:
    stats = Stats(mean=np.zeros(2), std=np.array([2.0, 0.0]), q01=np.array([-1.0, 0]), q99=np.array([3.0, 1]))
    np.testing.assert_array_equal(make_scale("std", stats).values, [2.0, np.nan])
    quantiles = make_scale("normalised", stats, "quantiles")
    np.testing.assert_array_equal(quantiles.values, [2.0, 0.5])
    assert str(quantiles) == "normalised:quantiles" and str(robot_scale(2)) == "robot"
    for space in ("std", "range", "normalised"):
        with pytest.raises(SpaceError, match="training statistics"):
            make_scale(space, None)  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match="min and max"):
        make_scale("range", stats)
    with pytest.raises(ShapeError, match="2 statistics for 3"):
        make_scale("std", stats, size=3)


def test_nothing_counted_is_unknown(rng: np.random.Generator) -> None:
    pairs = random_pairs(rng, [3], horizon=4)  # no chunk is whole
    errors = group_error(pairs, LAYOUT)
    assert np.isnan(errors.profile()).all()
    empty = GroupErrors(accumulate(pairs.take(slice(0, 0))), LAYOUT, robot_scale(4), np.zeros(4, bool))
    assert np.isnan(empty.table()).all() and np.isnan(empty.episode_weighted()).all()
    assert empty.numerators().shape == (0, 3)
    with pytest.raises(SurehandError, match="no phase 'lift' in these errors; they have free, contact"):
        errors.table("lift")
    with pytest.raises(SurehandError, match="they have pick, place"):
        errors.table(task="fold")
    with pytest.raises(LayoutError, match="arm, gripper"):
        errors.group("hand")


def test_merging_unlike_errors_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ShapeError, match="cannot merge"):
        accumulate(random_pairs(rng, [5])).merge(accumulate(random_pairs(rng, [5], phases=False)))
    a = ErrorAccumulator(4, 4, PHASES)
    with pytest.raises(ShapeError, match="expected"):
        a.update(random_pairs(rng, [5], horizon=3))
    with pytest.raises(ShapeError, match="phases"):
        a.update(random_pairs(rng, [5], phases=False))
    with pytest.raises(ShapeError, match="cannot merge"):
        a.merge(ErrorAccumulator(4, 4, PHASES, of="one"))


def test_task_names_survive_merging(rng: np.random.Generator) -> None:
    pairs = random_pairs(rng, [5, 5])
    other = Pairs(**{**vars(pairs), "tasks": ("place", "fold"), "episode": pairs.episode + 100})
    both = accumulate(pairs).merge(accumulate(other))
    assert both.tasks == ("pick", "place", "fold")
    assert [both.tasks[i] for i in both.task] == ["pick", "place", "place", "fold"]


G1 = Layout.parse("left_arm(l1..l7) right_arm(r1..r7) left_hand(a1..a6) right_hand(b1..b6)")
PERSISTENCE = {
    16: (3.506e-05, 0.0071843, 1.0685e-04, 0.0112715, 0.0045695),
    30: (4.602e-05, 0.0207973, 1.3980e-04, 0.0283640, 0.0121895),
}


def test_persistence_on_a_real_unitree_g1_recording(shared: Path) -> None:
    """a_t as the prediction of a_{t+h}, over all pairs inside episodes: known answers of another program."""
    recorded = read_lerobot(shared / "g1_inspire_v21")
    horizon = 31
    repeated = np.broadcast_to(recorded.action[:, None, None, :], (len(recorded), 1, horizon, 26))
    predictions = Predictions(
        repeated, recorded.episode, recorded.frame, np.full(len(recorded), horizon, np.int64), "persistence"
    )
    errors = group_error(pair(predictions, recorded), G1)
    for step, expected in PERSISTENCE.items():
        np.testing.assert_allclose(errors.by_step()[step], expected, rtol=2e-4)
    halves = [recorded.take(recorded.episode % 2 == i) for i in (0, 1)]
    spread = within_episode_spread(halves)
    by_hand = [
        ((recorded.action[recorded.episode == e] - recorded.action[recorded.episode == e].mean(0, np.float64)) ** 2)
        for e in range(100)
    ]
    np.testing.assert_allclose(spread, np.sqrt(np.concatenate(by_hand).mean(0)), rtol=1e-6)
    idle = dict(zip(G1.groups, idle_groups(spread, G1).tolist(), strict=True))
    assert idle == {"left_arm": True, "right_arm": False, "left_hand": True, "right_hand": False}


def test_idle_needs_a_like_group() -> None:
    layout = Layout.parse(
        "left_arm(a b):revolute[rad] leg(c):revolute[rad] lift:prismatic[m] left_hand(d) right_hand(e)"
    )
    spread = np.array([0.001, 0.002, 1.0, 0.001, 0.5, 0.01])
    assert idle_groups(spread, layout).tolist() == [True, False, False, False, True]
