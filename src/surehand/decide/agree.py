"""Which offline number orders the policies as the robot did, and whether so few policies can show it."""

from collections.abc import Mapping
from dataclasses import replace
from math import comb

import numpy as np

from surehand import __version__
from surehand.decide.agree_join import join_policies, runs_and_steps, shared_runs
from surehand.decide.agree_offline import Offline
from surehand.decide.agree_orders import FEWEST, judge_orders
from surehand.decide.agree_pairs import resolved_pairs
from surehand.decide.agree_robot import Robot
from surehand.decide.agree_runs import clock_of, judge_runs
from surehand.decide.agree_sentence import most_alike, pairs_told, sentence_of_orders, sentence_of_runs, title
from surehand.decide.agreement import AgreementRecord, Coefficient, MetricAgreement
from surehand.exceptions import SurehandError
from surehand.measure.agreement import order_tests
from surehand.measure.resample import unit_warnings

ACROSS = "to compare across runs give one checkpoint of each, or --exchangeable"
FEW_RUN = "checkpoints of one run share a clock: p-values over them are left out; --exchangeable compares them anyway"


def judge_agreement(
    offline: Offline,
    robot: Robot,
    *,
    rng: np.random.Generator,
    join: Mapping[str, str] | None = None,
    matched: bool = False,
    exchangeable: bool = False,
    draws: int = 10_000,
    orders: int = 100_000,
    level: float = 0.95,
) -> AgreementRecord:
    """Every metric against the robot, with what each is worth as evidence.

    Policies are exchangeable unless two of them are checkpoints of one training run: then the run is the unit, unless
    `exchangeable` overrules that. `draws` resamples of trials and held-out units make the limits; `orders` random
    orders the p-values beyond nine policies. SurehandError where the two sides name different policies.
    """
    if not 0.5 <= level < 1 or draws < 1 or orders < 1:
        raise SurehandError(f"expected a level from 0.5 to below 1 and draws of at least 1, got {level}, {draws}")
    offline, robot, left = join_policies(offline, robot, join or {}, matched)
    offline, constant = _without_gaps(offline)
    runs, steps = runs_and_steps(offline, robot)
    shared = {} if exchangeable else shared_runs(runs, steps)
    warnings = [*left, *constant, *offline.warnings, *robot.warnings]
    if shared:
        inside = sorted(i for at in shared.values() for i in at)
        if out := [name for i, name in enumerate(robot.policies) if i not in inside]:
            warnings.append(f"left out, their runs have no second checkpoint: {', '.join(out)}; {ACROSS}")
        offline, robot = offline.take(inside), robot.take(inside)
        shared = {run: [inside.index(i) for i in at] for run, at in shared.items()}
        steps = [steps[i] for i in inside]
    sets = list(shared.values()) or [list(range(len(robot.policies)))]
    pairs = resolved_pairs(robot, sets, round(1 - level, 12), rng)
    told = pairs_told(len(pairs), sum(comb(len(at), 2) for at in sets), bool(robot.scores))
    results = dict(zip(robot.policies, robot.values.tolist(), strict=True))
    judgement = None
    if shared:
        metrics, judgement = judge_runs(
            offline, robot, shared, steps, pairs, rng=rng, draws=draws, orders=orders, level=level
        )
        clock, sentence = clock_of(judgement), sentence_of_runs(metrics, judgement, told)
        warnings += [FEW_RUN] if len(shared) == 1 else []
    else:
        metrics = judge_orders(offline, robot, pairs, rng=rng, draws=draws, orders=orders, level=level)
        clock, sentence = _clock(robot, steps, rng, orders), sentence_of_orders(metrics, results, told)
    top = most_alike(metrics)
    if any(metric.numerators is not None for metric in offline.metrics):
        warnings += unit_warnings(offline.units, f"{offline.unit}s")
    return AgreementRecord(
        surehand=__version__,
        source=offline.source,
        trials=robot.source,
        policies=list(robot.policies),
        robot=results,
        robot_trials=dict(zip(robot.policies, robot.trials, strict=True)),
        outcome=robot.outcome,
        metrics=metrics,
        selected_from=len(metrics),
        best=title(top[0], metrics) if len(top) == 1 else "",
        clock=clock,
        within_run=judgement,
        level=level,
        draws=draws if any(m.resampled for m in metrics) else 0,
        warnings=list(dict.fromkeys(warnings)),
        methods=_methods(offline, robot, metrics, bool(shared), exchangeable, level, draws),
        sentence=sentence,
    )


def _without_gaps(offline: Offline) -> tuple[Offline, list[str]]:
    """The metrics that every policy has, and a line for those that some lack."""
    kept = tuple(m for m in offline.metrics if np.isfinite(m.values).all())
    gone = [m for m in offline.metrics if not np.isfinite(m.values).all()]
    if not kept:
        lacking = next(p for p, v in zip(offline.policies, gone[0].values, strict=True) if not np.isfinite(v))
        raise SurehandError(f"{gone[0].title} has no number for {lacking}, and no other metric is complete")
    said = [f"left out, not every policy has it: {', '.join(m.title for m in gone)}"] if gone else []
    return replace(offline, metrics=kept), said


def _clock(robot: Robot, steps: list[int | None], rng: np.random.Generator, orders: int) -> list[Coefficient]:
    """The training step as a rival metric, higher being better; nothing where a policy states none."""
    known = [step for step in steps if step is not None]
    if len(known) < len(steps) or len(set(known)) < 2:
        return []
    tests, method = order_tests(np.array([known], float), robot.values, rng=rng, draws=orders)
    few = len(known) < FEWEST
    return [
        Coefficient(
            name=name,  # type: ignore[arg-type]
            value=float(test.value[0]),
            p=float("nan") if few else float(test.p[0]),
            p_smallest=float(test.p_smallest[0]),
            method=method,
        )
        for name, test in tests.items()
        if name in ("tau_b", "mmrv")
    ]


def _methods(
    offline: Offline,
    robot: Robot,
    metrics: list[MetricAgreement],
    shared: bool,
    exchangeable: bool,
    level: float,
    draws: int,
) -> dict[str, str]:
    alpha = f"{round(1 - level, 12):g}"
    said = {"policies": "checkpoints of a training run share its clock: the run is the unit" if shared else ""}
    if not shared:
        said["policies"] = "exchangeable: each order of them would be equally likely without agreement"
        said["p"] = "one-sided; " + next((c.method for m in metrics for c in m.coefficients), "")
        said["family"] = f"best of {len(metrics)} metrics within each order (Westfall and Young 1993), per coefficient"
        said["standing"] = (
            f"five policies or more: agrees or disagrees where τ_b's p over the family is at most {alpha} on that "
            "side; fewer: consistent where every pair that the robot orders is ordered alike"
        )
    else:
        said["standing"] = (
            f"five runs or more: agrees where the mean τ exceeds what runs' exchanged metric curves give, p over the "
            f"family at most {alpha}; disagrees on the other side"
        )
        said["p"] = "one-sided, whole runs' metric curves exchanged among runs: what the step alone gives is kept"
        said["picks"] = "regret saved against the last checkpoint: sign flips over runs, two-sided, Holm"
        said["regret"] = (
            "as a share of the scale, against the run's best checkpoint in the same trials, which flatters it"
        )
    if exchangeable:
        said["policies"] += "; declared by --exchangeable"
    made = dict.fromkeys(m.resampled for m in metrics if m.resampled not in ("", "runs"))
    said["resampled"] = f"{draws} draws of {'; '.join(made)}" if made else "nothing"
    if robot.scores:
        levels = ", ".join(f"{level:g}" for level in robot.levels)
        said["trials"] = f"Dirichlet(½) posterior of each policy over the levels {levels}"
        if not robot.graded:
            said["trials"] = "Bayesian bootstrap of each policy's own trials (Rubin 1981)"
    if offline.units:
        said["held out"] = f"{offline.units} {offline.unit}s, whole, the same ones for every policy and metric"
    said["resolved"] = f"pairs by the exact permutation test of their trials, two-sided, Holm, below {alpha}"
    return said
