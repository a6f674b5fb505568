"""The masking alarm: the total's pick is worse for a group than another checkpoint, and the total does not show it."""

import numpy as np

from surehand.decide.choice import Alarm
from surehand.decide.evidence import Evidence
from surehand.measure.logratio import lower_limits

RATIO = 1.1  # declared: a group a tenth worse than it could be is worth a word
SMALL = 0.1  # share of the total below which an undeclared group error may be noise level, and the alarm says so


def masking_alarms(
    evidence: Evidence,
    pick: int,
    floor: np.ndarray | None,
    watch: str | None = None,
    *,
    level: float,
    draws: int,
    seed: int,
) -> tuple[list[Alarm], list[str]]:
    """One alarm per group that the total's pick masks, the watched group first, then the worst; and quieter remarks.

    Group g is masked where some checkpoint c has err_g(pick)/err_g(c) ≥ 1.1, err_g(pick) above its floor (G,), and a
    lower limit above 1 that holds for all checkpoints and groups at once (one-sided max-t of paired log errors).
    Without at least two units the verdict is `point masking`: the ratio alone; where moreover no floor is declared, a
    group below a tenth of the total gets a remark instead of an alarm, unless it is watched. The alternative named is
    the best for that group among those that qualify.
    """
    others = np.array([c for c in range(len(evidence.checkpoints)) if c != pick], int)
    live = np.flatnonzero(evidence.live)
    if not len(others) or not len(live):
        return [], []
    errors = evidence.errors[:, live]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = errors[pick] / errors[others]  # (C-1, G)
    # Against an error of exactly zero, a rounded table or a replayed recording, there is no ratio to speak of.
    qualifies = (ratios >= RATIO) & (errors[others] > 0)
    if floor is not None:
        qualifies &= errors[pick] > floor[live]
    low = np.full(ratios.shape, np.nan)
    if evidence.units >= 2:
        low = _lower_limits(evidence, pick, others, live, level, draws, seed)
        qualifies &= low > 1
    alarms, remarks = [], []
    for g in np.flatnonzero(qualifies.any(axis=0)):
        candidates = np.flatnonzero(qualifies[:, g])
        c = candidates[np.argmin(errors[others[candidates], g])]
        small = floor is None and errors[pick, g] < SMALL * evidence.errors[pick, -1]
        alarm = _alarm(evidence, evidence.groups[live[g]], pick, int(others[c]), ratios[c, g], low[c, g], small)
        if small and alarm.kind == "point masking" and alarm.group != watch:
            remarks.append(f"not an alarm: {alarm.sentence}")
        else:
            alarms.append(alarm)
    return sorted(alarms, key=lambda alarm: (alarm.group != watch, -alarm.ratio)), remarks


def _lower_limits(
    evidence: Evidence, pick: int, others: np.ndarray, live: np.ndarray, level: float, draws: int, seed: int
) -> np.ndarray:
    """Simultaneous lower limits of err_g(pick)/err_g(c), (C-1, G); counts cancel, the frames being the same."""
    numerators, _ = evidence.sums()
    theirs = numerators[:, others][:, :, live]  # (E, C-1, G)
    ours = np.broadcast_to(numerators[:, pick, live][:, None], theirs.shape)
    units = len(theirs)
    rng = np.random.default_rng(seed)
    low = lower_limits(ours.reshape(units, -1), theirs.reshape(units, -1), level=level, draws=draws, rng=rng)
    return low.reshape(theirs.shape[1:])


def _alarm(evidence: Evidence, group: str, pick: int, alternative: int, ratio: float, low: float, small: bool) -> Alarm:
    chosen, better = evidence.checkpoints[pick], evidence.checkpoints[alternative]
    price = float(evidence.errors[alternative, -1] / evidence.errors[pick, -1])
    certain = np.isfinite(low)
    how_sure = f"at least {low:.2f}× (simultaneous)" if certain else "no uncertainty available"
    sentence = (
        f"the total picks {chosen}, whose {group} error is {ratio:.2f}× that of {better}, {how_sure}; "
        f"taking {better} instead changes the total by {100 * (price - 1):+.0f} %"
    )
    if small:
        sentence += f"; {group} is below a tenth of the total and no floor is declared, so it may be noise"
    return Alarm(
        kind="masking" if certain else "point masking",
        group=group,
        pick=chosen,
        alternative=better,
        ratio=float(ratio),
        low=float(low),
        price=price,
        sentence=sentence,
    )
