"""Violation limits against a plain loop over the episodes, from datasets and from rounds; what is refused."""

import math
from pathlib import Path

import numpy as np
import pytest

from surehand.decide.limits import find_limits
from surehand.decide.limits_data import Ask, Experts, read_experts
from surehand.decide.limits_record import ALL, LimitsRecord, Signal
from surehand.decide.limits_shares import Steps, sweep_limits
from surehand.exceptions import FormatError, NotEnoughData, SurehandError
from surehand.measure.success import clopper_pearson
from surehand.measure.tolerance import tolerance_factor

from .expert_episodes import EVERY, TASKS, as_dataset, as_rounds, decision, episodes

FORCE = (("force", "upper"),)
NEAR = "distance:near:0.1"
EASY = {"content": 0.5, "confidence": 0.8}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_dataset(tmp_path_factory.mktemp("experts") / "experts", episodes(90))


@pytest.fixture(scope="module")
def experts(dataset: Path) -> Experts:
    return read_experts(dataset, Ask(FORCE, NEAR))


def loop(count: int = 90) -> dict[tuple[str, str], list[float]]:
    """Peak force per task and phase, as anyone would write it down."""
    peaks: dict[tuple[str, str], list[float]] = {}
    for one in episodes(count):
        for phase, near in (("contact", True), ("free", False)):
            mine = [f for f, d in zip(one["force"], one["before"], strict=True) if (d < 0.1) == near]
            if mine:
                peaks.setdefault((str(one["task"]), phase), []).append(float(max(mine)))
    return peaks


def test_limits_are_the_peaks_a_loop_finds(experts: Experts) -> None:
    record = find_limits(experts, content=0.9, confidence=0.9, simultaneous=False)
    peaks = loop()
    assert {(x.task, x.phase) for x in record.limits} == set(peaks) and len(record.limits) == 6
    for x in record.limits:
        mine = sorted(peaks[x.task, x.phase])
        assert (x.n, x.worst, x.limit, x.method) == (len(mine), mine[-1], mine[-x.rank], "order")
        assert x.median == pytest.approx(np.median(mine)) and x.needed == 22
    assert record.each == 0.9 and "6 of 6 limits cover 90 % of expert episodes each with 90 % confidence" in str(record)


def test_the_family_shares_the_confidence(experts: Experts) -> None:
    record = find_limits(experts, content=0.85, confidence=0.8)
    assert record.each == pytest.approx(1 - 0.2 / 6) and record.limits[0].needed == 21
    assert all(x.method == "order" and x.confidence >= record.each for x in record.limits)
    assert "each, all at once with 80 % confidence" in str(record)
    with pytest.raises(NotEnoughData, match="over 6 limits needs 33 episodes per task and phase"):
        find_limits(experts, content=0.9, confidence=0.8)


def test_rounds_and_dataset_agree_to_the_last_digit(tmp_path: Path, experts: Experts) -> None:
    rounds = read_experts(as_rounds(tmp_path / "r.parquet", episodes(90)), Ask(FORCE, NEAR))
    ours, theirs = (find_limits(e, **EASY) for e in (rounds, experts))
    # Only the first step of an episode differs: a trace does not know what came before it. It is far off here.
    assert [(x.task, x.phase, x.limit, x.n) for x in ours.limits] == [
        (x.task, x.phase, x.limit, x.n) for x in theirs.limits
    ]
    assert (
        ours.initial_states[:2] == ["s0", "s1"]
        and len(ours.data_identity) == 16
        and rounds.identity != experts.identity
    )


def test_tasks_can_share_limits(experts: Experts) -> None:
    record = find_limits(experts, tasks={"pick": "pick up *"}, **EASY)
    assert [g.name for g in record.tasks] == ["pick", TASKS[2]]
    both = sorted(loop()[TASKS[0], "contact"] + loop()[TASKS[1], "contact"])
    limit = next(x for x in record.limits if (x.task, x.phase) == ("pick", "contact"))
    assert (limit.n, limit.worst) == (60, both[-1])
    assert record.task_of("pick up the spoon") == "pick"
    with pytest.raises(SurehandError, match="no expert did 'wipe'"):
        record.task_of("wipe")
    with pytest.raises(SurehandError, match=r"no expert did 'wipe \*' \(wipe\); instructions are pick up the cube"):
        find_limits(experts, tasks={"wipe": "wipe *"}, **EASY)


def test_every_kind_of_signal(dataset: Path) -> None:
    asked = (("torque[1]", "upper"), ("torque", "absolute"), ("near", "lower"), ("observation.state[turn]", "absolute"))
    record = find_limits(read_experts(dataset, Ask(asked)), tasks={"all": "*"}, **EASY)
    names = ["torque[1]", "|torque[0]|", "|torque[1]|", "min near", "|observation.state[turn]|"]
    assert [x.signal for x in record.limits] == names
    found = episodes(90)
    worst = {x.signal: x.worst for x in record.limits}
    assert worst["torque[1]"] == max(one["torque"][:, 1].max() for one in found)
    assert worst["|torque[0]|"] == max(abs(one["torque"][:, 0]).max() for one in found)
    assert worst["min near"] == min(one["before"].min() for one in found)
    lows = sorted(float(one["before"].min()) for one in found)
    low = next(x for x in record.limits if x.signal == "min near")
    assert low.limit == lows[low.rank - 1] and low.median == pytest.approx(np.median(lows))
    fine = {
        "torque[1]": 0.0,
        "|torque[0]|": -0.1,
        "|torque[1]|": 0.0,
        "min near": 1.0,
        "|observation.state[turn]|": 0.0,
    }
    assert record.violated("anything", "all", fine) == []
    assert record.violated("anything", "all", {**fine, "min near": 0.0, "|torque[0]|": -99.0}) == [
        "|torque[0]|",
        "min near",
    ]
    assert record.violated("anything", "all", {**fine, "torque[1]": math.nan}) == ["torque[1]"]
    assert record.violated("anything", "all", {k: v for k, v in fine.items() if k != "torque[1]"}) == ["torque[1]"]
    at = next(x.limit for x in record.limits if x.signal == "torque[1]")
    assert record.violated("anything", "all", {**fine, "torque[1]": at}) == []  # strict
    with pytest.raises(SurehandError, match="no limit on torque"):
        record.violated("anything", "contact", fine)


def test_shares_of_a_proposed_limit(experts: Experts) -> None:
    record = find_limits(experts, content=0.9, confidence=0.8, simultaneous=False, propose={"force": 6.0})
    flagged = {t: 0 for t in TASKS}
    steps = 0
    for one in episodes(90):
        over = np.asarray(one["force"]) > 6.0
        flagged[str(one["task"])] += bool(over.any())
        steps += int(over.sum())
    judged = next(j for j in record.judged if j.what == "proposed")
    assert {s.task: s.flagged for s in judged.shares} == {ALL: sum(flagged.values()), **flagged}
    assert judged.shares[0].steps_flagged == steps and judged.shares[0].steps == len(experts.values)
    assert (judged.shares[0].low, judged.shares[0].high) == clopper_pearson(sum(flagged.values()), 90)
    assert judged.allowed == pytest.approx(0.1 * len([p for v in loop().values() for p in v]) / 90)
    assert "the proposed force 6 calls" in str(record) and "of 'press the button'" in str(record)
    base = next(j for j in record.judged if j.what == "per task and phase")
    assert judged.inflation == pytest.approx(judged.shares[0].flagged / base.shares[0].flagged)


def test_one_limit_for_all_is_judged_unasked(experts: Experts) -> None:
    record = find_limits(experts, content=0.9, confidence=0.8, simultaneous=False)
    by = {j.what: j for j in record.judged}
    per_task = [max(x.limit for x in record.limits if x.task == t) for t in TASKS]
    assert by["lowest for all"].limit == min(per_task)
    assert by["one for all"].slack == pytest.approx(by["one for all"].limit / min(per_task))
    assert by["lowest for all"].shares[0].share > 2 * by["one for all"].shares[0].share
    assert "the gentlest task's for all, force" in str(record)


def test_other_episodes_hold_them_up(experts: Experts, tmp_path: Path) -> None:
    fresh = read_experts(as_dataset(tmp_path / "fresh", episodes(60, seed=1)), Ask(FORCE, NEAR))
    record = find_limits(experts, content=0.9, confidence=0.8, simultaneous=False, check=fresh)
    assert record.judged_on == "fresh" and record.judged[0].shares[0].episodes == 60
    limits = {(x.task, x.phase): x.limit for x in record.limits}
    broken = 0
    for one in episodes(60, seed=1):
        phases = ["contact" if d < 0.1 else "free" for d in np.asarray(one["before"])]
        broken += any(f > limits[str(one["task"]), p] for f, p in zip(np.asarray(one["force"]), phases, strict=True))
    assert record.judged[0].shares[0].flagged == broken
    assert record.sweep[0].episodes >= record.sweep[-1].episodes == 0.0
    other = read_experts(as_dataset(tmp_path / "flat", episodes(6, seed=2)), Ask(FORCE))
    with pytest.raises(SurehandError, match="do not have the same phases"):
        find_limits(experts, content=0.9, confidence=0.8, simultaneous=False, check=other)


def test_too_few_says_how_many(experts: Experts) -> None:
    with pytest.raises(NotEnoughData) as refused:
        find_limits(experts)
    said = str(refused.value)
    assert "99 % at 95 % confidence over 6 limits needs 477 episodes per task and phase (--each: 299)" in said
    assert "has 30" in said and "--few lognormal" in said and "\n" not in said
    assert find_limits(experts, propose={"force": 6.0}).limits[0].method == "none"  # the shares were asked for


def test_parametric_and_margin_limits_are_named(dataset: Path) -> None:
    experts = read_experts(dataset, Ask((("force", "upper"), ("near", "lower")), NEAR))
    record = find_limits(experts, few="lognormal", simultaneous=False)
    found = {(x.task, x.phase, x.signal): x for x in record.limits}
    force = found[TASKS[0], "contact", "force"]
    logs = np.log(loop()[TASKS[0], "contact"])
    k = tolerance_factor(len(logs), 0.99, 0.95)
    assert force.limit == pytest.approx(math.exp(logs.mean() + k * logs.std(ddof=1))) and force.method == "lognormal"
    low = found[TASKS[0], "free", "min near"]
    lows = np.log([min(d for d in np.asarray(e["before"]) if d >= 0.1) for e in episodes(90) if e["task"] == TASKS[0]])
    assert low.limit == pytest.approx(math.exp(lows.mean() - tolerance_factor(30, 0.99, 0.95) * lows.std(ddof=1)))
    free = found[TASKS[0], "free", "force"]  # all zero: no logarithm
    assert free.method == "none" and "needs 299; not lognormal: peaks do not vary" in free.note
    assert "assumption that peaks are log-normal" in str(record) and "could not be set" in str(record)
    signed = read_experts(dataset, Ask((("torque", "lower"), ("force", "upper"))))
    negative = find_limits(signed, few="lognormal").limits[0]
    assert negative.method == "none" and "not lognormal: peaks must lie above 0" in negative.note
    normal = find_limits(read_experts(dataset, Ask((("torque", "upper"),))), few="normal")
    assert {x.method for x in normal.limits} == {"normal"} and all(x.fit_p > 0 for x in normal.limits)
    margin = find_limits(experts, few="margin:1.5")
    assert all(x.method == "margin" and math.isnan(x.confidence) for x in margin.limits)
    by = {(x.task, x.phase, x.signal): x for x in margin.limits}
    assert by[TASKS[0], "contact", "force"].limit == pytest.approx(1.5 * force.worst)
    assert by[TASKS[0], "free", "min near"].limit == pytest.approx(0.5 * low.worst)
    assert "a judgement without a promise" in str(margin)
    for wrong in ("weibull", "margin", "margin:0.5", "margin:x"):
        with pytest.raises(SurehandError, match="cannot read --few"):
            find_limits(experts, few=wrong)


def test_the_record_comes_back_as_it_went(experts: Experts, tmp_path: Path) -> None:
    record = find_limits(experts, propose={"force": 6.0}, few="margin:2")
    again = LimitsRecord.load(record.save(tmp_path / "limits.json"))
    assert again.model_dump_json() == record.model_dump_json() and again.identity() == record.identity()
    moved = [x.model_copy(update={"limit": x.limit * 1.01}) for x in record.limits]
    assert record.model_copy(update={"limits": moved}).identity() != record.identity()
    assert record.episodes == list(range(90)) and record.data_identity == experts.identity


def test_episodes_can_be_left_for_calibration(dataset: Path) -> None:
    some = read_experts(dataset, Ask(FORCE, NEAR, tuple(range(0, 60))))
    assert find_limits(some, **EASY).episodes == list(range(60)) and some.task.tolist() == [0, 1, 2] * 20


def test_repeated_initial_states_are_told(tmp_path: Path) -> None:
    states = np.repeat(np.arange(15), 6) + 1_000_000_007
    root = as_dataset(tmp_path / "again", episodes(90), initial_state=states)
    record = find_limits(read_experts(root, Ask(FORCE, NEAR)), **EASY)
    assert any("repeats are not independent" in w for w in record.warnings)
    assert "pick up the cube: 1000000007" in record.initial_states
    first, second = (tuple(e for e in range(90) if e // 3 % 2 == half) for half in (0, 1))  # each state once in both
    halves = [read_experts(root, Ask(FORCE, NEAR, some)) for some in (first, second)]
    again = find_limits(halves[0], check=halves[1], **EASY)
    assert not any("repeats" in w for w in again.warnings)
    assert any("start where episodes that set them did" in w for w in again.warnings)


def test_mistakes_in_a_dataset(dataset: Path, tmp_path: Path) -> None:
    for ask, line in [
        (Ask(()), "which signals? name at least one with --signal"),
        (
            Ask((("forces", "upper"),)),
            "no signal 'forces'; the source has action, observation.state, force, near, torque",
        ),
        (Ask((("torque[2]", "upper"),)), "'torque' has no entry '2'; expected 0 to 1"),
        (Ask((("force", "upper"), ("force", "upper"))), "signal 'force' is named twice"),
        (Ask(FORCE, "gripper"), "looks ahead"),
        (Ask(FORCE, "distance:near"), "cannot read --phase"),
        (Ask(FORCE, "distance:near:-1"), "expected a number above 0"),
        (Ask(FORCE, "distance:far:1"), "no signal 'far'"),
        (Ask(FORCE, "column:near"), "phases need at most"),
    ]:
        with pytest.raises(SurehandError) as refused:
            read_experts(dataset, ask)
        assert line in str(refused.value) and "\n" not in str(refused.value)
    with pytest.raises(FormatError, match="is no LeRobot dataset"):
        read_experts(tmp_path / "nowhere", Ask(FORCE))


def test_mistakes_in_rounds(tmp_path: Path) -> None:
    from surehand.formats.rounds import write_rounds

    good = {"force": np.ones(EVERY), "near": np.ones(EVERY)}
    first = decision(0, 0, "a", good)
    unknown = {**good, "force": np.array([1, np.nan, 1, 1])}
    bad = [
        ([first, decision(0, 4, "a", {"near": good["near"]})], "none", "steps traced: force missing; log all alike"),
        ([first, decision(1, 0, "a", {**good, "force": np.ones(2)})], NEAR, "force 2, near 4; log all alike"),
        ([first, decision(0, 4, "b", good)], "none", "episode 0 changes its task to 'b'"),
        ([first, decision(3, 0, "a", unknown)], "none", "force is nan at episode 3 step 1"),
        ([decision(0, 0, "a", {"force": np.zeros(0)})], "none", "no expert episode with a step in it"),
        ([first], "speed:near:1", "state no frames per second"),
    ]
    for i, (rounds, phase, line) in enumerate(bad):
        path = write_rounds(tmp_path / f"{i}.parquet", rounds)
        with pytest.raises(SurehandError) as refused:
            read_experts(path, Ask(FORCE, phase))
        assert line in str(refused.value)
    halted = write_rounds(tmp_path / "halted.parquet", [first, decision(0, 4, "a", {}, executed=False)])
    assert len(read_experts(halted, Ask(FORCE)).values) == EVERY
    only = write_rounds(tmp_path / "some.parquet", [decision(0, 0, "a", good), decision(1, 0, "a", good)])
    assert read_experts(only, Ask(FORCE, "none", (1,))).numbers.tolist() == [1]
    with pytest.raises(SurehandError, match="7"):
        read_experts(only, Ask(FORCE, "none", (7,)))


def test_twins_are_refused(tmp_path: Path) -> None:
    from surehand.formats.lerobot import read_lerobot
    from surehand.formats.lerobot_write import write_lerobot
    from surehand.frames import Actions

    def made() -> list[Actions]:
        n, rng = 5, np.random.default_rng(0)
        one = rng.normal(size=(n, 2)).astype(np.float32)
        return [
            Actions(one, np.full(n, e), np.arange(n), np.zeros(n, np.int64), columns={"force": one[:, 0]}, tasks=("a",),
                    names=("x", "y"), fps=10.0)
            for e in range(2)
        ]  # fmt: skip

    root = write_lerobot(tmp_path / "twins", made())
    assert len(read_lerobot(root)) == 10
    with pytest.raises(SurehandError, match="episodes 0 and 1 are the same recording"):
        read_experts(root, Ask(FORCE))


def test_the_sweep_counts_what_lies_beyond_round_limits() -> None:
    """Peaks at 0, 10, ..., 90: a limit of 50 is broken by four of ten, not by the one at 50."""
    values = np.repeat(np.arange(0.0, 100.0, 10.0), 2)[:, None]
    values[::2] = 0.0
    rule = Signal(name="force", column="force")
    steps = Steps(
        values, np.zeros(20, int), np.repeat(np.arange(10), 2), np.arange(10) % 2, ("a", "b"), ("all",), (rule,)
    )
    peaks = values[1::2].reshape(10, 1, 1)
    at = {p.limit: p for p in sweep_limits(steps, peaks)}
    assert {0.0, 50.0, 90.0} <= set(at)
    assert (at[50.0].episodes, at[50.0].steps) == (pytest.approx(0.4), pytest.approx(0.2))
    assert at[50.0].worst == pytest.approx(0.4)
    assert at[90.0].episodes == 0.0 and at[80.0].worst_task == "b"


def test_a_task_that_feels_nothing_is_not_the_gentlest(tmp_path: Path) -> None:
    found = episodes(90)
    for one in found:
        if one["task"] == TASKS[2]:
            one["force"] = np.zeros_like(one["force"])
    record = find_limits(read_experts(as_dataset(tmp_path / "zero", found), Ask(FORCE)), **EASY)
    lowest = next(j for j in record.judged if j.what == "lowest for all")
    assert lowest.limit == min(x.limit for x in record.limits if x.limit > 0)
    assert any("peaks or more equal the worst in 1 of 3 limits (0 in press the button)" in w for w in record.warnings)


def test_a_task_named_like_another_instruction_is_refused(experts: Experts) -> None:
    with pytest.raises(SurehandError, match=f"{TASKS[1]!r} is also an instruction that '{TASKS[0]}' does not fit"):
        find_limits(experts, **EASY, tasks={TASKS[1]: TASKS[0]})
    record = find_limits(experts, **EASY, tasks={TASKS[1]: "pick *"})  # its own instruction is among those it names
    assert [g.name for g in record.tasks] == [TASKS[1], TASKS[2]]


def test_a_phase_needs_one_number_per_step(dataset: Path) -> None:
    for phase in ("distance:torque:0.1", "speed:torque:0.1", "column:torque"):
        with pytest.raises(SurehandError, match=r"'torque' has 2 numbers per step; name one, such as torque\[0\]"):
            read_experts(dataset, Ask(FORCE, phase))


def test_shares_of_the_same_episodes_are_told(experts: Experts, dataset: Path) -> None:
    told = [w for w in find_limits(experts, **EASY, check=experts).warnings if "set them" in w]
    assert told == ["90 of the 90 episodes that the limits are held against set them: the shares are too low"]
    half = read_experts(dataset, Ask(FORCE, NEAR, tuple(range(45))))
    rest = read_experts(dataset, Ask(FORCE, NEAR, tuple(range(45, 90))))
    assert not [w for w in find_limits(half, **EASY, check=rest).warnings if "set them" in w]


def test_phases_of_a_column_are_numbers_that_differ_by_name(tmp_path: Path) -> None:
    near = np.where(np.arange(90) % 2 == 0, 1_000_000.25, 1_000_000.5)
    near[7] = np.nan
    root = as_dataset(tmp_path / "odd", episodes(90), stage=near)
    with pytest.raises(SurehandError, match=r"stage is nan at episode 7 step 0; a phase must be known before each"):
        read_experts(root, Ask(FORCE, "column:stage"))
    fine = tuple(e for e in range(90) if e != 7)
    assert read_experts(root, Ask(FORCE, "column:stage", fine)).rule.phases == ("stage=1000000.25", "stage=1000000.5")
