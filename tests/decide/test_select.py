"""Choosing a checkpoint: the papers' known answers, the sets, the masking alarm, and refusals."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from surehand.decide.choice import Choice
from surehand.decide.evidence import gather
from surehand.decide.frontier import minimax_ratios, pareto_front, possible_minimax, possible_pareto
from surehand.decide.rules import parse_rule
from surehand.decide.select import select_checkpoint
from surehand.exceptions import NotEnoughData, ShapeError, SpaceError, SurehandError
from surehand.formats.checkpoint_names import parse_step
from surehand.formats.tables import read_error_table
from surehand.frames import ErrorTable
from surehand.layout import Layout
from surehand.measure.error import ErrorSums, GroupErrors, Scale, robot_scale

HSR = Layout.parse("arm(lift flex roll wrist_flex wrist_roll) gripper head(pan tilt) base(x y theta)")
PI05 = ErrorTable(
    ("baseline 80k", "expert-only 3k"),
    ("arm", "gripper", "head", "base"),
    np.array([[0.30, 4.31, 0.05, 1.85], [0.59, 2.21, 0.06, 1.72]]) * 1e-3,
    total=np.array([1.04, 0.95]) * 1e-3,
)
DRAWS = 2000


def measured(
    rng: np.random.Generator,
    truth: np.ndarray,
    episodes: int = 60,
    own: float = 0.2,
    layout: Layout = HSR,
    phases: tuple[str, ...] = ("all",),
) -> dict[str, GroupErrors]:
    """GroupErrors of C checkpoints with this expected squared error (C, D) on the same frames, H = 1."""
    dims = layout.size
    counts = np.repeat(rng.integers(80, 160, (episodes, 1, 1)), len(phases), axis=1)
    shared = np.exp(0.5 * rng.standard_normal((episodes, 1, 1, 1)))
    found = {}
    for c, mean in enumerate(truth):
        effect = shared * np.exp(own * rng.standard_normal((episodes, len(phases), 1, dims)) - own**2 / 2)
        sums = rng.gamma(counts[..., None] / 2.0, size=(episodes, len(phases), 1, dims)) * 2 * effect * mean
        whole = sums.sum(axis=1), counts.sum(axis=(1, 2))
        task = np.zeros(episodes, np.int64)
        kept = ErrorSums(sums, counts.copy(), *whole, np.arange(episodes) + 100, task, ("t",), phases)
        found[f"run {c + 1}k"] = GroupErrors(kept, layout, robot_scale(dims), layout.is_pad)
    return found


def truth(checkpoints: int = 4) -> np.ndarray:
    return np.ones((checkpoints, HSR.size))


def choose(errors: dict[str, GroupErrors] | ErrorTable, **options: object) -> Choice:
    return select_checkpoint(errors, rng=np.random.default_rng(0), draws=DRAWS, **options)  # type: ignore[arg-type]


def picked(choice: Choice) -> dict[str, str]:
    return {pick.rule: pick.best for pick in choice.picks}


# The papers' tables.


@pytest.fixture
def curves(shared: Path) -> ErrorTable:
    return read_error_table(shared / "hsr_trials" / "mse_curves_table.csv")


def test_hsr_picks(curves: ErrorTable) -> None:
    best = picked(choose(curves, watch="arm"))
    assert best["total"] == best["group:gripper"] == best["group:base"] == "B32 40k"
    assert best["group:arm"] == "B32 30k"
    assert best["last"] == "B32 50k"


def test_hsr_total_is_the_joint_weighted_mean(curves: ErrorTable) -> None:
    assert curves.total is not None
    np.testing.assert_allclose(curves.errors @ [5, 1, 2, 3] / 11, curves.total, rtol=1e-3)
    with_dims = ErrorTable(curves.checkpoints, curves.groups, curves.errors, np.array([5, 1, 2, 3]))
    assert choose(with_dims).best == "B32 40k"


def test_hsr_masks_the_arm_a_little(curves: ErrorTable) -> None:
    choice = choose(curves, watch="arm")
    (alarm,) = choice.masking
    assert (alarm.kind, alarm.group, alarm.alternative) == ("point masking", "arm", "B32 30k")
    assert alarm.ratio == pytest.approx(0.883 / 0.755)
    assert alarm.price == pytest.approx(2.762 / 1.611)
    assert choice.interval is None and choice.crossfit is None and choice.units is None
    assert not any(pick.p_values or pick.frequency for pick in choice.picks)
    assert "no uncertainty available" in str(choice)


def test_the_head_at_35k_does_not_decide_minimax(curves: ErrorTable) -> None:
    head, row = curves.groups.index("head"), curves.checkpoints.index("B32 35k")
    assert minimax_ratios(curves.errors, np.zeros(4))[row].argmax() == head  # without a floor it does: 15×
    (note,) = [pick.note for pick in choose(curves).picks if pick.rule == "minimax"]
    assert "floors: arm 0.00016" in note and "worst group is arm" in note
    ratios = minimax_ratios(curves.errors, np.full(4, 0.1 * 0.001611))
    assert ratios[row].argmax() != head
    assert picked(choose(curves))["minimax"] == "B32 40k"


def test_hsr_convergence_says_what_the_table_cannot_show(curves: ErrorTable) -> None:
    choice = choose(curves)
    assert "10 checkpoints of 'B32'" in choice.convergence_note and "4 of other runs" in choice.convergence_note
    assert "cannot be told" in choice.convergence_note and "without episodes" in choice.convergence_note
    base = choice.convergence["base"]
    assert (base.first, base.best, base.best_step, base.settled_step) == (0.007726, 0.003175, 40_000, None)


def test_pi05_point_masking() -> None:
    choice = choose(PI05, watch="arm")
    assert choice.best == "expert-only 3k"
    (alarm,) = choice.masking
    assert (alarm.kind, alarm.group, alarm.alternative) == ("point masking", "arm", "baseline 80k")
    assert round(alarm.ratio, 2) == 1.97
    assert "no uncertainty available" in alarm.sentence
    # The head is 1.2 times as bad, but a tenth of the total is far away: a remark, not an alarm, unless watched.
    assert any("head" in line and "not an alarm" in line for line in choice.warnings)
    assert [one.group for one in choose(PI05, watch="head").masking] == ["head", "arm"]


def test_a_declared_floor_silences_a_noise_level_group() -> None:
    assert {one.group for one in choose(PI05, floor={"arm": 1e-5}).masking} == {"arm", "head"}
    assert not choose(PI05, floor={"arm": 1e-3, "head": 1e-3}).masking


# With episodes.


def test_a_masked_arm_raises_the_alarm(rng: np.random.Generator) -> None:
    expected = truth()
    expected[1, 5:], expected[1, :5] = 0.4, 1.6
    choice = choose(measured(rng, expected), watch="arm")
    assert choice.best == "run 2k" and choice.tied == ["run 2k"]
    (alarm,) = choice.masking
    assert (alarm.kind, alarm.group, alarm.pick) == ("masking", "arm", "run 2k")
    assert 1 < alarm.low < 1.6 < 1.15 * alarm.ratio
    assert f"at least {alarm.low:.2f}×" in str(choice)
    assert choose(measured(rng, expected), rule="group:arm").best != "run 2k"


def test_masking_is_about_the_totals_pick_whatever_rule_chooses(rng: np.random.Generator) -> None:
    expected = truth()
    expected[1, 5:], expected[1, :5] = 0.4, 1.6
    choice = choose(measured(rng, expected), rule="group:arm")
    assert choice.best != "run 2k" and [alarm.pick for alarm in choice.masking] == ["run 2k"]
    assert "the total's pick run 2k has" in str(choice)


def test_equal_checkpoints_are_tied_and_nothing_is_masked(rng: np.random.Generator) -> None:
    choice = choose(measured(rng, truth(6)))
    assert len(choice.tied) == 6 and not choice.masking
    assert choice.tied[0] == choice.best
    for pick in choice.picks[:-1]:
        assert len(pick.tied) >= 5
        if pick.rule != "pareto":
            assert sum(pick.frequency.values()) == pytest.approx(1)


def test_every_rule_is_shown_beside_the_last(rng: np.random.Generator) -> None:
    choice = choose(measured(rng, truth(3)), weights={"arm": 3, "base": 1})
    groups = [f"group:{g}" for g in HSR.groups]
    assert [pick.rule for pick in choice.picks] == ["total", *groups, "weights", "minimax", "pareto", "last"]
    assert all(set(p.p_values) == set(p.frequency) == set(choice.errors) for p in choice.picks[:6])
    assert choice.selected_from == 3 and choice.units == 60 and choice.space == "robot"


def test_weights_are_a_mean_of_group_errors(rng: np.random.Generator) -> None:
    errors = measured(rng, truth(3) * [[1], [2], [3]])
    pick = next(p for p in choose(errors, rule="weights", weights={"arm": 3, "base": 1}).picks if p.rule == "weights")
    one = errors["run 1k"]
    assert pick.value == pytest.approx((3 * one.group("arm") + one.group("base")) / 4)


def test_a_phase_has_its_own_pick(rng: np.random.Generator) -> None:
    errors = measured(rng, truth(2), phases=("free", "contact"))
    sums = errors["run 2k"].sums.sums  # (E, P, H, D)
    sums[:, 0] *= 0.3
    sums[:, 1] *= 1.5
    choice = choose(errors, rule="group:arm@contact")
    assert picked(choice)["group:arm"] == "run 2k"
    assert choice.best == picked(choice)["group:arm@contact"] == "run 1k"
    assert choose(errors, rule="group:arm", phase="contact").rule == "group:arm@contact"
    assert choose(errors, phase="contact").best == "run 1k"


def test_cross_fit_is_a_loop(rng: np.random.Generator) -> None:
    errors = measured(rng, truth(5), episodes=7)
    choice = choose(errors)
    numerators = np.stack([one.numerators()[:, -1] for one in errors.values()], axis=1)  # (E, C)
    counts = next(iter(errors.values())).denominators()
    # With no more episodes than folds, each episode is left out once.
    value = 0.0
    for e in range(7):
        rest = np.arange(7) != e
        value += numerators[e, numerators[rest].sum(axis=0).argmin()]
    assert choice.crossfit is not None and choice.crossfit.folds == 7
    assert choice.crossfit.value == pytest.approx(value / counts.sum())
    assert choice.crossfit.naive == pytest.approx(numerators.sum(axis=0).min() / counts.sum())
    assert 0 <= choice.crossfit.agree <= 7


def test_interval_is_about_the_pick_and_simultaneous(rng: np.random.Generator) -> None:
    choice = choose(measured(rng, truth(8)))
    assert choice.interval is not None and choice.crossfit is not None
    assert choice.interval[0] < choice.crossfit.naive < choice.interval[1]
    assert "selected from 8" in str(choice)


def test_the_same_seed_gives_the_same_choice(rng: np.random.Generator) -> None:
    errors = measured(rng, truth())
    one, two = choose(errors), choose(errors)
    assert one.model_copy(update={"created": ""}) == two.model_copy(update={"created": ""})


def test_clusters_are_summed(rng: np.random.Generator) -> None:
    errors = measured(rng, truth(), episodes=60)
    choice = choose(errors, cluster=np.arange(60) // 4)
    assert choice.units == 15 and choice.best == choose(errors).best
    assert choice.unit == "cluster" and any("only 15 clusters" in line for line in choice.warnings)
    with pytest.raises(ShapeError, match="3 ids for 60"):
        choose(errors, cluster=np.arange(3))


def test_one_episode_ties_everything(rng: np.random.Generator) -> None:
    choice = choose(measured(rng, truth(), episodes=1))
    assert len(choice.tied) == 4 and choice.crossfit is None and choice.interval is None
    assert "one episode" in str(choice) and any("no interval" in line for line in choice.warnings)


def test_one_checkpoint(rng: np.random.Generator) -> None:
    choice = choose(measured(rng, truth(1)))
    assert choice.best == "run 1k" and choice.tied == ["run 1k"] and not choice.masking


def test_a_dead_group_is_left_out_and_said(rng: np.random.Generator) -> None:
    errors = measured(rng, truth())
    dead = np.zeros(HSR.size, bool)
    dead[HSR.columns("head")] = True
    errors = {name: GroupErrors(one.sums, HSR, one.scale, dead) for name, one in errors.items()}
    choice = choose(errors)
    assert "group:head" not in picked(choice)
    assert any("head" in line and "left out" in line for line in choice.warnings)
    with pytest.raises(SurehandError, match="no live joint"):
        choose(errors, rule="group:head")


def test_the_same_checkpoint_twice_is_noticed(rng: np.random.Generator) -> None:
    errors = measured(rng, truth(2))
    errors["copy"] = errors["run 1k"]
    choice = choose(errors)
    assert any("copy and run 1k have equal errors" in line for line in choice.warnings)
    total = choice.picks[0]
    assert total.p_values["copy"] == total.p_values["run 1k"]


def test_the_record_survives_json(rng: np.random.Generator, tmp_path: Path) -> None:
    for errors in (measured(rng, truth(), episodes=2), PI05):
        choice = choose(errors)
        loaded = Choice.load(choice.save(tmp_path / "choice.json"))
        assert str(loaded) == str(choice) and loaded.tied == choice.tied
        assert [one.model_dump_json() for one in loaded.masking] == [one.model_dump_json() for one in choice.masking]


@pytest.mark.parametrize("rule", ["total", "minimax", "pareto", "group:arm"])
def test_the_sentence_fits_with_the_longest_names(rng: np.random.Generator, rule: str) -> None:
    expected = truth(14)
    expected[3, 5:], expected[3, :5] = 0.3, 2.0
    errors = measured(rng, expected)
    long = {f"outputs/train/2026-11-21/{'very_' * 20}{name}": one for name, one in errors.items()}
    for given_errors in (errors, long):
        text = str(choose(given_errors, rule=rule, watch="arm"))
        assert len(text) <= 200 and "selected from 14" in text and "masking" in text
        assert text.endswith((".", "…"))


# Refusals.


def test_other_frames_are_refused_by_name_and_episode(rng: np.random.Generator) -> None:
    errors = measured(rng, truth(3))
    errors["run 2k"].sums.counts[5] += 1
    with pytest.raises(ShapeError, match=r"run 2k and run 1k were not measured on the same frames: episode 105 has"):
        choose(errors)


def test_a_missing_episode_is_refused(rng: np.random.Generator) -> None:
    errors = measured(rng, truth(2))
    s = errors["run 2k"].sums
    fewer = ErrorSums(*(a[1:] for a in (s.sums, s.counts, s.full_sums, s.full_counts, s.episode, s.task)), s.tasks)
    errors["run 2k"] = GroupErrors(fewer, HSR, robot_scale(HSR.size), HSR.is_pad)
    with pytest.raises(ShapeError, match="episode 100 has 0 pairs for run 2k"):
        choose(errors)


def test_other_spaces_groups_and_dead_joints_are_refused(rng: np.random.Generator) -> None:
    errors = measured(rng, truth(2))
    two = errors["run 2k"]
    std = Scale("std", "", "stats.json", np.full(HSR.size, 2.0))
    with pytest.raises(SpaceError, match=r"run 2k is measured in std units \(stats.json\), run 1k in robot"):
        choose(errors | {"run 2k": GroupErrors(two.sums, HSR, std, HSR.is_pad)})
    other = Layout.parse("arm(j1..j6) gripper head(pan tilt) base(x y)")
    with pytest.raises(ShapeError, match="dead joints"):
        choose(errors | {"run 2k": GroupErrors(two.sums, HSR, robot_scale(HSR.size), ~HSR.is_pad)})
    renamed = Layout.parse("leg(j1..j6) gripper head(pan tilt) base(x y)")
    assert other.groups == HSR.groups
    with pytest.raises(ShapeError, match="has groups leg"):
        choose(errors | {"run 2k": GroupErrors(two.sums, renamed, robot_scale(HSR.size), HSR.is_pad)})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "best"}, "unknown rule 'best'; known: total"),
        ({"rule": "group:"}, "unknown rule"),
        ({"rule": "group:armm"}, "did you mean 'arm'"),
        ({"watch": "gipper"}, "did you mean 'gripper'"),
        ({"rule": "weights"}, "needs a weight"),
        ({"rule": "weights", "weights": {"arm": -1}}, "not negative"),
        ({"rule": "weights", "weights": {"arm": 0}}, "all weights are zero"),
        ({"weights": {"leg": 1}}, "no group 'leg'"),
        ({"floor": {"leg": 1}}, "'leg'"),
        ({"floor": {"arm": -1}}, "not negative"),
        ({"steps": {"other": 3}}, "'other'"),
        ({"phase": "contact"}, "no phases"),
        ({"rule": "total@contact"}, "no phases"),
        ({"level": 95}, "between 0 and 1"),
    ],
)
def test_questions_that_cannot_be_answered(options: dict[str, object], message: str) -> None:
    with pytest.raises(SurehandError, match=message):
        choose(PI05, **options)


def test_tables_that_cannot_choose() -> None:
    with pytest.raises(NotEnoughData):
        choose({})
    with pytest.raises(SurehandError, match="no total"):
        choose(ErrorTable(("a",), ("arm",), np.ones((1, 1))))
    with pytest.raises(SurehandError, match="negative"):
        choose(ErrorTable(("a",), ("arm",), -np.ones((1, 1)), total=np.ones(1)))


# The closed forms, against enumeration.

TABLES = arrays(float, (3, 2), elements=st.floats(0.1, 4).map(lambda x: round(x, 1)))


@given(TABLES)
def test_pareto_front_is_a_loop(errors: np.ndarray) -> None:
    for c, on in enumerate(pareto_front(errors)):
        dominated = any((o <= errors[c]).all() and (o < errors[c]).any() for o in errors)
        assert on != dominated


@given(arrays(float, (4, 2), elements=st.floats(0.1, 4)), arrays(float, (4, 4, 2), elements=st.floats(0, 2)))
def test_winners_of_a_table_inside_the_band_are_in_the_set(errors: np.ndarray, width: np.ndarray) -> None:
    low = errors[:, None] / errors * np.exp(-np.maximum(width, width.swapaxes(0, 1)))
    low[np.arange(4), np.arange(4)] = 1
    assert possible_pareto(low)[pareto_front(errors)].all()
    worst = minimax_ratios(errors, np.zeros(2)).max(axis=1)
    assert possible_minimax(low * (1 - 1e-12))[worst == worst.min()].all()


@given(TABLES)
def test_a_band_without_width_is_the_point_answer(errors: np.ndarray) -> None:
    low = errors[:, None] / errors
    np.testing.assert_array_equal(possible_pareto(low), pareto_front(errors))
    worst = minimax_ratios(errors, np.zeros(2)).max(axis=1)
    np.testing.assert_array_equal(possible_minimax(low * (1 - 1e-12)), worst <= worst.min() * (1 + 1e-9))


def test_a_band_without_limits_keeps_everyone() -> None:
    low = np.zeros((4, 4, 3))
    low[np.arange(4), np.arange(4)] = 1
    assert possible_pareto(low).all() and possible_minimax(low).all()


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("B32 40k", 40_000),
        ("PT 20k", 20_000),
        ("2.5k", 2500),
        ("ckpt_7500", 7500),
        ("a/b/050000/pretrained_model", 50_000),
    ],
)
def test_steps_in_names(name: str, step: int) -> None:
    assert parse_step(name) == step


def test_convergence_follows_given_steps(rng: np.random.Generator) -> None:
    falling = truth(5) * np.array([10, 4, 1.0, 1.0, 1.0])[:, None]
    errors = dict(zip("abcde", measured(rng, falling, episodes=200).values(), strict=True))
    choice = choose(errors, steps={name: i * 10 for i, name in enumerate("abcde")})
    assert choice.convergence["total"].settled_step == 20
    assert "arm at 20" in choice.convergence_note
    assert "no training steps" in choose(errors).convergence_note
    assert picked(choice)["last"] == "e"


def test_rules_parse() -> None:
    assert parse_rule("group:left_arm@near contact") == ("group", "left_arm", "near contact")
    assert parse_rule("minimax") == ("minimax", "", None)


def test_evidence_keeps_the_table_of_the_errors(rng: np.random.Generator) -> None:
    errors = measured(rng, truth(2))
    np.testing.assert_allclose(gather(errors).errors, [one.table() for one in errors.values()])
