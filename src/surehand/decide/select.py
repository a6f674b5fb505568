"""Which checkpoint to deploy: every rule's pick, the set behind it, what the total masks, what selection flatters."""

from collections.abc import Mapping, Sequence

import numpy as np

from surehand import __version__
from surehand.decide.choice import Choice, Pick
from surehand.decide.convergence import convergence, training_steps
from surehand.decide.evidence import Errors, Evidence, gather
from surehand.decide.masking import masking_alarms
from surehand.decide.rules import Rule, group_rule, minimax_rule, pareto_rule, parse_rule, total_rule, weights_rule
from surehand.decide.sentence import sentence
from surehand.decide.tied import cross_fit, judge, selected_interval
from surehand.exceptions import SurehandError
from surehand.measure.resample import unit_warnings

UNDECLARED = 0.1  # minimax floor where none is declared, as a share of the lowest total
MODEST = 50  # units below which a set holds nearly every checkpoint


def select_checkpoint(
    errors: Errors,
    *,
    rng: np.random.Generator,
    rule: str = "total",
    watch: str | None = None,
    weights: Mapping[str, float] | None = None,
    phase: str | None = None,
    floor: Mapping[str, float] | None = None,
    steps: Mapping[str, int] | None = None,
    cluster: np.ndarray | None = None,
    draws: int = 10_000,
    level: float = 0.95,
) -> Choice:
    """The choice among checkpoints by `rule`, beside every other rule's pick (meanings: `docs/statistics.md`).

    `errors`: GroupErrors per checkpoint, all on the same frames in the same space, or a table without episodes, which
    gives point verdicts alone. `watch`: the group to look after first. `weights`: of groups, shown as one more rule.
    `phase`: look within it alone. `floor`: error per group below which differences are noise (1 % of a rival's error,
    say), by default what a record brings; undeclared, minimax takes a tenth of the lowest total and masking none.
    `steps`: training step per checkpoint where the names do not say. `cluster` (E,): what was sampled anew where it is
    not the episode, as an initial state.
    Raises SurehandError for unknown rules, groups and phases and for checkpoints that were not measured alike.
    """
    kind, group, own_phase = parse_rule(rule)
    if not 0 < level < 1 or draws < 1:
        raise SurehandError(f"level must lie between 0 and 1 and draws be positive; got {level} and {draws}")
    evidence = gather(errors, phase, cluster)
    if watch is not None:
        evidence.group_index(watch)
    at = _steps(evidence, steps)
    floor = evidence.floors if floor is None else floor
    declared = None if floor is None else _floors(floor, evidence)
    rules = _all_rules(evidence, _suffix(phase), weights, declared)
    looked_at = own_phase or phase
    theirs = evidence if looked_at == phase else gather(errors, looked_at, cluster)
    chosen = _rule(kind, group, theirs, _suffix(looked_at), weights, declared)
    if chosen.name not in [one.name for one in rules]:
        rules.append(chosen)
    # One seed for all, so that every rule, limit and alarm sees the same resampled episodes.
    seed = int(rng.integers(2**63))
    picks = [judge(one, level=level, draws=draws, seed=seed) for one in rules]
    mine = next(pick for pick in picks if pick.rule == chosen.name)
    alarms, remarks = masking_alarms(evidence, rules[0].best, declared, watch, level=level, draws=draws, seed=seed)
    curves, curve_note = convergence(evidence, at)
    sampled = chosen.evidence.units >= 2
    return Choice(
        surehand=__version__,
        rule=chosen.name,
        watch=watch,
        best=mine.best,
        tied=mine.tied,
        masking=alarms,
        picks=[*picks, _last(chosen, at)],
        errors=_table(evidence),
        selected_from=len(evidence.checkpoints),
        units=chosen.evidence.units or None,
        unit=chosen.evidence.unit,
        space=evidence.space,
        level=level,
        draws=draws if sampled else 0,
        crossfit=cross_fit(chosen, np.random.default_rng(seed)) if sampled else None,
        interval=selected_interval(chosen, level=level, draws=draws, seed=seed) if sampled else None,
        convergence=curves,
        convergence_note=curve_note,
        warnings=_warnings(evidence, chosen, declared) + remarks,
        sentence=sentence(mine, chosen.evidence.units, evidence.checkpoints, alarms, watch),
    )


def _suffix(phase: str | None) -> str:
    return "" if phase is None else f"@{phase}"


def _rule(
    kind: str,
    group: str,
    evidence: Evidence,
    suffix: str,
    weights: Mapping[str, float] | None,
    floor: np.ndarray | None,
) -> Rule:
    """The rule of this kind on this evidence."""
    if kind == "total":
        return total_rule(evidence, suffix)
    if kind == "group":
        return group_rule(evidence, group, suffix)
    if kind == "pareto":
        return pareto_rule(evidence, suffix)
    if kind == "minimax":
        if floor is None:
            floor = np.full(len(evidence.groups), UNDECLARED * evidence.errors[:, -1].min())
        return minimax_rule(evidence, floor, suffix)
    if weights is None:
        raise SurehandError("the rule `weights` needs a weight for each group that counts")
    return weights_rule(evidence, weights, suffix)


def _all_rules(
    evidence: Evidence, suffix: str, weights: Mapping[str, float] | None, floor: np.ndarray | None
) -> list[Rule]:
    """Every rule that can be shown: total first, then each live group, weights if given, minimax and Pareto."""
    live = [group for group, on in zip(evidence.groups, evidence.live, strict=True) if on]
    wanted = [("total", ""), *(("group", group) for group in live)]
    wanted += [("weights", "")] if weights is not None else []
    wanted += [("minimax", ""), ("pareto", "")] if live else []
    return [_rule(kind, group, evidence, suffix, weights, floor) for kind, group in wanted]


def _floors(floor: Mapping[str, float], evidence: Evidence) -> np.ndarray:
    """Floor per group (G,); 0 where none is declared."""
    unknown = sorted(set(floor) - set(evidence.groups))
    if unknown:
        raise SurehandError(f"a floor is declared for {unknown[0]!r}, but the groups are {', '.join(evidence.groups)}")
    floors = np.array([floor.get(group, 0.0) for group in evidence.groups], float)
    if not np.isfinite(floors).all() or (floors < 0).any():
        raise SurehandError(f"floors must be finite and not negative; got {dict(floor)}")
    return floors


def _steps(evidence: Evidence, steps: Mapping[str, int] | None) -> list[int | None]:
    unknown = sorted(set(steps or ()) - set(evidence.checkpoints))
    if unknown:
        raise SurehandError(f"a training step is given for {unknown[0]!r}, which is not among the checkpoints")
    return training_steps(evidence.checkpoints, steps)


def _table(evidence: Evidence) -> dict[str, dict[str, float]]:
    """Errors per checkpoint, per group and total, as the record keeps them."""
    columns = (*evidence.groups, "total")
    rows = zip(evidence.checkpoints, evidence.errors.tolist(), strict=True)
    return {name: dict(zip(columns, row, strict=True)) for name, row in rows}


def _last(rule: Rule, steps: Sequence[int | None]) -> Pick:
    """What the step count alone would pick: the last checkpoint, with the rule's score there."""
    names = rule.evidence.checkpoints
    known = [step for step in steps if step is not None]
    index = steps.index(max(known)) if known else len(names) - 1
    note = f"training step {max(known)}" if known else "the names tell no training step; the last one given"
    return Pick(rule="last", best=names[index], tied=[names[index]], value=float(rule.scores[index]), note=note)


def _warnings(evidence: Evidence, chosen: Rule, floor: np.ndarray | None) -> list[str]:
    """What a reader must know before believing the verdict."""
    found: list[str] = []
    units = chosen.evidence.units
    if not units:
        found.append("a table of errors has no episodes: point verdicts alone, no uncertainty available")
    else:
        unit = f"{chosen.evidence.unit}s"
        found += unit_warnings(units, unit)
        if 2 <= units < MODEST:
            found.append(f"{units} {unit}: below {MODEST} expect sets that hold nearly every checkpoint")
    dead = [group for group, on in zip(evidence.groups, evidence.live, strict=True) if not on]
    if dead:
        found.append(f"no joint of {', '.join(dead)} moves in training; left out of every rule")
    for i, name in enumerate(evidence.checkpoints):
        same = [j for j in range(i) if np.array_equal(evidence.errors[i], evidence.errors[j], equal_nan=True)]
        if same:
            found.append(f"{name} and {evidence.checkpoints[same[0]]} have equal errors: the same one twice?")
    if floor is None:
        limit = UNDECLARED * evidence.errors[:, -1].min()
        worst = evidence.errors[:, :-1].max(axis=0)
        small = [group for group, error in zip(evidence.groups, worst, strict=True) if error < limit]
        if small:
            found.append(
                f"no floor is declared: {', '.join(small)} never exceeds a tenth of the lowest total and hardly counts "
                "in minimax; declare floors (1 % of a rival's error) if it matters"
            )
    return found
