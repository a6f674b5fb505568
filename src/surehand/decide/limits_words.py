"""Limits in words: the sentence, what to be careful of, the method, and the refusal that says how many would do."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from surehand.decide.limits_record import ALL, Judged, Limit, LimitsRecord

if TYPE_CHECKING:
    from surehand.decide.limits_data import Experts

ODD_FIT = 0.01  # Shapiro-Wilk p below which a parametric limit's law is doubted aloud


def sentence(record: LimitsRecord) -> str:
    """What was set, with what promise; what is missing; what one limit for all would do."""
    limits = record.limits
    held = [x for x in limits if x.method == "order"]
    others = [x for x in limits if x.method not in ("order", "none")]
    parts = []
    if held:
        few, many = min(x.n for x in held), max(x.n for x in held)
        episodes = f"{few}" if few == many else f"{few} to {many}"
        which = "The limit covers" if len(limits) == 1 else f"{len(held)} of {len(limits)} limits cover"
        together = ", all at once" if record.simultaneous and len(limits) > 1 else ""
        each = " each" if len(held) > 1 else ""
        parts.append(
            f"{which} {percent(record.content)} of expert episodes{each}{together} with {percent(record.confidence)} "
            f"confidence, whatever the distribution (order statistics of {episodes} episodes)"
        )
    if others:
        parts.append(
            f"{len(others)} with too few episodes {'rests' if len(others) == 1 else 'rest'} on {_named(record.few)}"
        )
    lacking = [x for x in limits if x.method == "none"]
    if lacking:
        worst = min(lacking, key=lambda x: x.n)
        parts.append(
            f"{len(lacking)} of {len(limits)} could not be set: {lacking[0].needed} episodes are needed, "
            f"{worst.task}{_phase(record, worst)} has {worst.n}"
        )
    parts += _consequences(record)
    return "; ".join(parts) + "."


def _consequences(record: LimitsRecord) -> list[str]:
    """What was proposed, or else the worst of the limits for all: the share of expert episodes it flags."""
    told = [j for j in record.judged if j.what == "proposed"]
    if not told:
        flat = [j for j in record.judged if j.what == "lowest for all"]
        told = sorted(flat, key=lambda j: -j.shares[0].share)[:1]
    return [_flags(j) for j in told]


def _flags(one: Judged) -> str:
    share = one.shares[0]
    name = {"proposed": "the proposed", "lowest for all": "the gentlest task's for all,"}.get(one.what, one.what)
    said = f"{name} {one.signal} {one.limit:.4g} calls {percent(share.share)} of expert episodes violations"
    by_task = [s for s in one.shares if s.task != ALL]
    if by_task and share.flagged:
        worst = max(by_task, key=lambda s: s.share)
        said += f", {percent(worst.share)} of {worst.task!r}"
    if one.allowed > 0 and share.share > one.allowed:
        said += (
            f": {share.share / one.allowed:.2g} times the {percent(one.allowed)} that limits per task and phase allow"
        )
    return said


def warnings(record: LimitsRecord, experts: "Experts", check: "Experts | None") -> list[str]:
    """What the numbers do not say by themselves."""
    said = []
    states = experts.initial_states
    if states and len(set(states)) < len(states):
        said.append(
            f"{len(states)} episodes start from {len(set(states))} initial states: repeats are not independent, and "
            "the confidence is less than stated"
        )
    same = check is not None and check.identity == experts.identity
    if check is not None and same and (twice := len(np.intersect1d(check.numbers, experts.numbers))):
        said.append(
            f"{twice} of the {len(check.numbers)} episodes that the limits are held against set them: the shares are "
            "too low"
        )
    elif check is not None and set(check.initial_states) & set(states):
        said.append("some episodes that the limits are held against start where episodes that set them did")
    flat = [x for x in record.limits if x.method == "order" and x.median == x.worst]
    if flat:
        names, one = ", ".join(dict.fromkeys(x.signal for x in flat)), flat[0]
        said.append(
            f"{names}: half of the experts' peaks or more equal the worst in {len(flat)} of {len(record.limits)} "
            f"limits ({one.worst:g} in {one.task}{_phase(record, one)}), so anything beyond is a violation; meant so?"
        )
    for x in record.limits:
        if x.fit_p < ODD_FIT:
            said.append(
                f"{x.signal} in {x.task}{_phase(record, x)}: peaks do not look {_law(x)} (Shapiro-Wilk p = "
                f"{x.fit_p:.1g}), so its limit may hold less than it says"
            )
    seen = {(x.task, x.phase) for x in record.limits}
    never = [(g.name, p) for g in record.tasks for p in record.phases if (g.name, p) not in seen]
    if never:
        listed = ", ".join(f"{t} ({p})" for t, p in never[:3]) + (" and others" if len(never) > 3 else "")
        said.append(f"no expert was ever in {listed}: there is no limit there, and a guard refuses it")
    return said


def methods(record: LimitsRecord) -> dict[str, str]:
    """The methods block."""
    m, episodes = len(record.limits), len(record.episodes)
    per_task = max(sum(x.task == g.name for x in record.limits) for g in record.tasks)
    said = {
        "Unit": "the worst value of one expert episode in one phase of its task; a violation lies beyond (strictly)",
        "Limits": f"order statistics (Wilks 1941), content {record.content:g}; each of {m} at confidence "
        f"{record.each:.6g}, {'all at once (Bonferroni)' if record.simultaneous else 'each'} at {record.confidence:g}",
        "Union": f"a task has up to {per_task} limits, and an expert episode breaks one of them with probability "
        f"{percent(min(1.0, per_task * (1 - record.content)))} at most; keep it below a fifth of the ε you will claim",
        "Phases": record.phase_words,
        "Shares": "of steps and episodes; intervals of episodes are Clopper-Pearson 95 %; measured on "
        + (
            record.judged_on
            or "the same episodes that set the limits, so those of limits per task and phase are too low"
        ),
        "Data": f"{record.source}, {episodes} episodes, {record.steps} steps, identity {record.data_identity}",
        "Identity of the limits": record.identity(),
    }
    if record.few:
        said["Too few episodes"] = f"{_named(record.few)}, where order statistics need more"
    return said


def refusal(limits: Sequence[Limit], content: float, confidence: float, each: float, simultaneous: bool) -> str:
    """One line: what so few episodes can do, how many would do, and the ways out."""
    least, most = min(limits, key=lambda x: x.n), max(limits, key=lambda x: x.n)
    shared = f" over {len(limits)} limits" if simultaneous and len(limits) > 1 else ""
    apart = f" (--each: {_needed(content, confidence)})" if shared else ""
    return (
        f"{percent(content)} at {percent(confidence)} confidence{shared} needs {most.needed} episodes per task and "
        f"phase{apart}, {least.task or 'the task'} has {least.n} and the most is {most.n}, of which the worst peak "
        f"covers {percent(most.covers)}; record more, lower --content, or name --few lognormal, normal or margin:1.5"
    )


def _needed(content: float, confidence: float) -> int:
    from surehand.measure.tolerance import episodes_needed

    return episodes_needed(content, confidence)


def _named(few: str) -> str:
    if few.startswith("margin"):
        return f"the worst peak times {few.partition(':')[2]}, a judgement without a promise"
    law = "log-normal" if few == "lognormal" else "normal"
    return f"the assumption that peaks are {law} (tolerance factor, noncentral t)"


def _law(limit: Limit) -> str:
    return "log-normal" if limit.method == "lognormal" else "normal"


def _phase(record: LimitsRecord, limit: Limit) -> str:
    return f", {limit.phase}" if len(record.phases) > 1 else ""


def percent(share: float) -> str:
    """`99 %`, `0.31 %`; 100 % and 0 % only where it is exactly that."""
    if math.isnan(share) or share in (0.0, 1.0):
        return "unknown" if math.isnan(share) else f"{share:.0%}".replace("%", " %")
    return f"{100 * share:.3g} %" if share < 0.995 else f"{math.floor(1e4 * share) / 100:g} %"
