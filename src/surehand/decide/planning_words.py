"""A plan in words: the sentence, what to be careful of, and the smallest difference that n trials find."""

from collections.abc import Sequence

import numpy as np

from surehand.decide.planning_record import Detectable, Planning
from surehand.exceptions import ShapeError
from surehand.measure.power import Test
from surehand.measure.power_shift import smallest_difference

FEW = 10  # pilot trials below which the prior says more than they do
QUICK_PAIRS, QUICK_DRAWS, QUICK_STEP = 2_000_000, 4_000, 0.02  # of the sentence under a new plan
WHICH = {
    "permutation": "exact permutation test",
    "approximation": "Mann-Whitney approximation",
    "fisher": "Fisher's exact test",
    "barnard": "Barnard's test",
}


def sentence(plan: Planning, n: int | None = None) -> str:
    """The answer: trials to plan on, what the pilots alone would suggest, what n trials achieve."""
    first, second = (pilot.policy for pilot in plan.pilots)
    target = percent(plan.target)
    how = how_tested(plan.test, plan.sides, plan.alpha, plan.pairs)
    naive = f"{plan.needed_plug_in}" if plan.needed_plug_in else f"more than {plan.most}"
    if plan.win_rate == 0.5:
        said = f"The pilots do not say which of {first} and {second} is better, nor then how many trials would"
    elif plan.limit <= plan.target:
        said = (
            f"No number of trials resolves {first} over {second} with {target} assurance: after these pilots it is the "
            f"better one with probability {percent(plan.limit)}, and more trials only tend to that "
            f"({naive} per policy if the pilots' shares were the truth; {how})"
        )
    elif plan.needed:
        said = (
            f"{plan.needed} trials per policy resolve {first} over {second} with probability {target} ({how}), "
            f"averaged over what the pilots leave open; {naive} if their shares were the truth"
        )
    else:
        said = (
            f"More than {plan.most} trials per policy are needed to resolve {first} over {second} with probability "
            f"{target} ({how}), averaged over what the pilots leave open; {naive} if their shares were the truth"
        )
    at = next((p for p in plan.curve if p.trials == n), None)
    if at and plan.win_rate != 0.5:
        said += f"; {n} per policy do so with {percent(at.assurance)}"
    if plan.detectable is not None:
        said += f"; {n} find {_fall(plan, plan.detectable)} with {target}"
    return f"{said}."


def detectable(rubric_levels: int | Sequence[float], n: int, *, alpha: float = 0.05, pairs: int = 1) -> str:
    """One sentence: the smallest falls that n trials per policy find 4 times in 5, from the ceiling and from mid-scale.

    Quick: what cannot be enumerated at once is sampled, and then the sentence says "about".
    """
    count = rubric_levels if isinstance(rubric_levels, int) else len(rubric_levels)
    if count < 2:
        raise ShapeError(f"a rubric has two or more levels, got {count}")
    top, even = np.eye(count)[-1], np.full(count, 1 / count)
    step = alpha / pairs
    ceiling = smallest_difference(top, n, alpha=step)
    middle = smallest_difference(
        even, n, alpha=step, most_pairs=QUICK_PAIRS, draws=QUICK_DRAWS, precision=0.002 if count == 2 else QUICK_STEP
    )
    how = how_tested("permutation", 2, alpha, pairs)
    finds = "1 trial per policy finds" if n == 1 else f"{n} trials per policy find"
    if ceiling is None:
        return f"{finds} no difference 4 times in 5, however large ({how})."
    if count == 2:
        found = f"success that falls from 100 % to {percent(float(ceiling.p[1]))}"
        found += f", or from 50 % to {percent(float(middle.p[1]))}" if middle else ", and no fall from 50 %"
    else:
        found = f"a fall of {ceiling.levels:.2g} levels from a policy that always reaches the top"
        about = "about " if middle and middle.method != "exact" else ""
        spread = f", and of {about}{middle.levels:.2g} from" if middle else ", and no fall from"
        found += f"{spread} one spread evenly over the rubric"
    return f"{finds}, 4 times in 5, {found} ({how})."


def _fall(plan: Planning, found: Detectable) -> str:
    """`a fall of 0.31 levels from baseline`; for successes, from which rate to which."""
    if not found.shares:
        return f"no fall from {found.reference}, however large,"
    if len(plan.levels) == 2:
        failures, successes = plan.pilots[0].counts
        before = percent(successes / (failures + successes))
        return f"success that falls from {found.reference}'s {before} to {percent(found.shares[1])}"
    return f"a fall of {found.levels:.2g} levels from {found.reference}"


def difference(
    p: np.ndarray, n: int, reference: str, target: float, test: Test, sides: int, alpha: float
) -> Detectable:
    """The smallest fall from the reference's shares p (L,) that n trials of each find with the target power."""
    found = smallest_difference(p, n, target=target, test=test, sides=sides, alpha=alpha, draws=20_000)
    nothing = float("nan")
    return Detectable(
        trials=n,
        reference=reference,
        levels=found.levels if found else nothing,
        win_rate=found.win_rate if found else nothing,
        shares=found.p.tolist() if found else [],
        method=found.method if found else "no fall on this rubric is found so often",
    )


def cautions(first: np.ndarray, second: np.ndarray, test: str) -> list[str]:
    """What a reader of the plan should know of its pilots."""
    said = []
    fewest = int(min(first.sum(), second.sum()))
    if fewest < FEW:
        said.append(f"a pilot of {fewest} trials: the prior says as much as it does; look at the row of each prior")
    if any((c > 0).sum() == 1 for c in (first, second)):
        said.append(
            "a pilot that always scored alike: how often the policy truly does otherwise is largely the prior's word"
        )
    if test == "approximation":
        said.append("planned for the approximation: exact tests need more trials where many scores tie")
    return said


def methods(prior: float, pairs: int, step: float) -> dict[str, str]:
    """How the numbers were made, for the record."""
    said = {
        "assurance": f"power averaged over the Dirichlet(counts + {prior:g} per level) posteriors of both pilots, "
        "verdicts in favour of the better pilot only",
        "plug-in": "power if the pilots' shares were the truth, verdicts in either direction",
        "needed": "the first n from which power stays at the target: that of exact tests falls now and then as n grows",
        "detectable": "every trial of the reference ends so many levels lower, none below the lowest",
    }
    if pairs > 1:
        said["pairs"] = f"every p-value against α / {pairs} = {step:.4g}, the hardest step of Holm's procedure"
    return said


def how_tested(test: str, sides: int, alpha: float, pairs: int) -> str:
    """`two-sided exact permutation test, α = 0.05 over 3 pairs`."""
    family = f" over {pairs} pairs" if pairs > 1 else ""
    return f"{'two' if sides == 2 else 'one'}-sided {WHICH[test]}, α = {alpha:g}{family}"


def percent(share: float) -> str:
    """`80 %`; 100 % and 0 % only where it is exactly that."""
    rounded = round(100 * share)
    if rounded in (0, 100) and 0 < share < 1:
        return f"{min(max(0.1, 100 * share), 99.9):.1f} %"
    return f"{rounded} %"
