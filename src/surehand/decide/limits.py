"""What counts as a violation, given what experts do: tolerance limits per task, causal phase and signal."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from surehand.decide.limits_asked import margin_factor, proposed_limits, task_groups
from surehand.decide.limits_data import Experts
from surehand.decide.limits_record import UPWARDS, Limit, LimitsRecord, Method, Peaks, TaskGroup, group_of
from surehand.decide.limits_shares import Steps, judge_limits, sweep_limits
from surehand.decide.limits_words import methods, refusal, sentence, warnings
from surehand.exceptions import NotEnoughData, SurehandError
from surehand.formats.contract import package_version
from surehand.measure import tolerance
from surehand.measure.peaks import find_peaks

KEPT = 200  # peaks per limit in the record


def find_limits(
    experts: Experts,
    *,
    content: float = 0.99,
    confidence: float = 0.95,
    simultaneous: bool = True,
    few: str = "",
    tasks: Mapping[str, str] | None = None,
    propose: Mapping[str, float] | None = None,
    check: Experts | None = None,
) -> LimitsRecord:
    """Limits that hold `content` of expert episodes each, all at once with `confidence`; `str()` is one sentence.

    With `simultaneous` off each limit has the confidence by itself. `few` says what becomes of limits with too few
    episodes: "" for none, lognormal, normal or margin:FACTOR. `tasks` maps a name to the pattern of the instructions
    that share its limits. `propose` maps signals to limits whose consequences are wanted; they are looked at in
    `check`, other expert episodes, or else in the same. NotEnoughData where no limit can be set, with the episodes
    that it would take.
    """
    factor = margin_factor(few)
    groups = task_groups(experts, tasks or {})
    proposed = proposed_limits(experts, propose or {})
    steps = _steps(experts, groups)
    peaks = _peaks(steps)  # (E, P, S)
    cells = [
        (t, p, s)
        for t in range(len(steps.tasks))
        for p in range(len(steps.phases))
        for s in range(len(steps.signals))
        if np.isfinite(peaks[steps.task == t, p, s]).any()
    ]
    each = tolerance.bonferroni(confidence, len(cells)) if simultaneous else confidence
    limits, upward, kept = [], np.full((len(steps.tasks), len(steps.phases), len(steps.signals)), np.nan), []
    for t, p, s in cells:
        mine = peaks[steps.task == t, p, s]
        mine = np.sort(mine[np.isfinite(mine)])
        sign = UPWARDS[steps.signals[s].side]
        limit = _limit(mine, sign, content, each, few, factor)
        upward[t, p, s] = limit.limit * sign
        names = {"task": steps.tasks[t], "phase": steps.phases[p], "signal": steps.signals[s].name}
        limits.append(limit.model_copy(update=names))
        kept.append(Peaks(**names, values=sorted(v * sign for v in _some(mine))))
    if not np.isfinite(upward).any() and not proposed:
        raise NotEnoughData(refusal(limits, content, confidence, each, simultaneous))
    judging = steps if check is None else _steps(check, groups, experts)
    record = LimitsRecord(
        surehand=package_version(),
        source=experts.source,
        data_identity=experts.identity,
        episodes=[int(e) for e in experts.numbers],
        initial_states=list(dict.fromkeys(experts.initial_states)),
        steps=len(experts.values),
        tasks=groups,
        phases=list(experts.rule.phases),
        phase_rule=experts.rule_text,
        phase_words=experts.rule.description,
        signals=list(experts.signals),
        content=content,
        confidence=confidence,
        simultaneous=simultaneous,
        each=each,
        few=few,
        limits=limits,
        judged=judge_limits(judging, peaks, upward, proposed, content, each),
        judged_on="" if check is None else check.source,
        sweep=sweep_limits(judging, peaks if check is None else _peaks(judging)),
        peaks=kept,
    )
    record = record.model_copy(update={"warnings": warnings(record, experts, check), "methods": methods(record)})
    return record.model_copy(update={"sentence": sentence(record)})


def _peaks(steps: Steps) -> np.ndarray:
    return find_peaks(steps.values, steps.episode, steps.phase, len(steps.task), len(steps.phases))


def _limit(peaks: np.ndarray, sign: float, content: float, each: float, few: str, factor: float) -> Limit:
    """The limit over these peaks (N,), ascending and upwards; its names are filled in by the caller."""
    n, found = len(peaks), tolerance.order_limit(peaks, content, each)
    value, reached, note, fit = found.value, found.confidence, "", math.nan
    method: Method = "order"
    needed = tolerance.episodes_needed(content, each)
    if not found.rank:
        method, note = "none", f"{n} episodes, needs {needed}"
        if few in ("lognormal", "normal"):
            logs = few == "lognormal"
            value = _lognormal(peaks, sign, content, each) if logs else tolerance.normal_limit(peaks, content, each)
            if math.isfinite(value) and np.ptp(peaks):
                method, reached = "lognormal" if logs else "normal", each
                note = f"if peaks are {'log-normal' if logs else 'normal'}"
                fit = tolerance.looks_normal(np.log(peaks * sign) if logs else peaks)
            else:
                why = "peaks do not vary" if not np.ptp(peaks) else "peaks must lie above 0"
                value, note = math.nan, f"{note}; not {few}: {why}"
        elif few:
            value, method, reached = tolerance.margin_limit(peaks, factor), "margin", math.nan
            note = "no promise"
    return Limit(
        task="", phase="", signal="", limit=value * sign, method=method, rank=found.rank, n=n, needed=needed,
        confidence=reached, covers=tolerance.content_of(n, each), median=float(np.median(peaks)) * sign,
        worst=float(peaks[-1]) * sign, fit_p=fit, note=note,
    )  # fmt: skip


def _lognormal(peaks: np.ndarray, sign: float, content: float, each: float) -> float:
    """The log-normal limit, pointing upwards; of a minimum it is mean − k · s of the logarithms."""
    if sign > 0:
        return tolerance.lognormal_limit(peaks, content, each)
    logs = -np.log(-peaks) if (peaks < 0).all() else np.zeros(0)
    found = tolerance.normal_limit(logs, content, each)
    return -math.exp(-found) if math.isfinite(found) else math.nan


def _some(peaks: np.ndarray) -> list[float]:
    """At most so many of the peaks as a record keeps, evenly spaced by rank."""
    at = np.unique(np.linspace(0, len(peaks) - 1, min(KEPT, len(peaks))).round().astype(int))
    return [float(f"{v:.6g}") for v in peaks[at]]


def _steps(experts: Experts, groups: Sequence[TaskGroup], like: Experts | None = None) -> Steps:
    """The steps with minima negated and instructions in their groups; of `like`'s phases, where it is given."""
    if like is not None and experts.rule.phases != like.rule.phases:
        unknown = next(
            p
            for p in (*experts.rule.phases, *like.rule.phases)
            if (p in like.rule.phases) != (p in experts.rule.phases)
        )
        raise SurehandError(
            f"{experts.source} and {like.source} do not have the same phases: {unknown!r} is in one alone"
        )
    names = [g.name for g in groups]
    seen = sorted(set(experts.task.tolist()))
    index = {t: names.index(group_of(list(groups), experts.instructions[t])) for t in seen}
    return Steps(
        values=experts.values * np.array([UPWARDS[s.side] for s in experts.signals]),
        phase=experts.phase,
        episode=experts.episode,
        task=np.array([index[t] for t in experts.task.tolist()], np.int64),
        tasks=tuple(names),
        phases=experts.rule.phases,
        signals=experts.signals,
    )
