"""Every test of one pair of policies; the first two decide its label."""

from collections.abc import Sequence

import numpy as np

from surehand.decide.compare_data import Arm, Material
from surehand.decide.compare_design import Arrangement, signs
from surehand.decide.comparison import Label, Limits, Outcome, Test
from surehand.measure.brunner_munzel import BrunnerMunzel, brunner_munzel
from surehand.measure.ordinal import Approximation, Permutation, approximation, permutation_test
from surehand.measure.ranking import holm
from surehand.measure.sign import SignTest, unconditional_sign_test
from surehand.measure.success import (
    TwoWay,
    barnard,
    boschloo,
    fisher,
    mcnemar,
    miettinen_nurminen,
    newcombe_difference,
)
from surehand.measure.unconditional import Unconditional, unconditional_test

NOTHING = float("nan")
Sided = Permutation | Approximation | BrunnerMunzel | SignTest | TwoWay | Unconditional


def deciding(
    first: Arm, second: Arm, arrangement: Arrangement, scale: Material, *, rng: np.random.Generator, draws: int
) -> list[Test]:
    """The permutation test, and the second exact test that the design allows."""
    seen = permutation_test(first.values, second.values, rng=rng, blocks=arrangement.blocks, draws=draws)
    where = "" if arrangement.blocks is None else ", within blocks"
    main = _of("permutation", seen, _how(seen) + where, scale.outcome)
    main.p_one_mid = seen.mid_greater
    return [main, _second(first, second, arrangement, scale, rng)]


def _how(seen: Permutation) -> str:
    return "exact" if seen.exact else f"Monte Carlo, {seen.draws} draws"


def _second(first: Arm, second: Arm, arrangement: Arrangement, scale: Material, rng: np.random.Generator) -> Test:
    """What a robust label needs beside the permutation test."""
    if arrangement.design == "paired":
        sign = unconditional_sign_test(*signs(first, second, arrangement))
        return _of("unconditional sign", sign, "exact, pairs won against pairs lost", scale.outcome)
    if not arrangement.balanced:
        how = "none: the policies are not spread evenly over the blocks, which therefore cannot be ignored"
        return Test(name="unconditional", p=NOTHING, p_one=NOTHING, method=how, outcome=scale.outcome)
    ignored = "" if arrangement.blocks is None else "; blocks ignored"
    if not scale.discrete:
        found = brunner_munzel(first.values, second.values, rng=rng)
        return _studentised(found, f", for a continuous scale{ignored}", scale.outcome)
    seen = unconditional_test(first.counts(scale.levels), second.counts(scale.levels), rng=rng)
    return _of("unconditional", seen, seen.method + ignored, scale.outcome)


def beside(
    first: Arm, second: Arm, arrangement: Arrangement, scale: Material, *, rng: np.random.Generator, draws: int
) -> list[Test]:
    """The tests that are shown and decide nothing."""
    ignored = "" if arrangement.blocks is None else "; blocks ignored"
    how = f"Mann-Whitney, normal, tie and continuity corrected{ignored}"
    tests = [_of("approximation", approximation(first.values, second.values), how, scale.outcome)]
    if arrangement.blocks is None:
        found = brunner_munzel(first.values, second.values, rng=rng)
        tests.append(_of("brunner-munzel", found, found.note, scale.outcome))
        if scale.discrete:
            tests.append(_studentised(found, "", scale.outcome))
    return tests + _on_success(first, second, arrangement, scale, rng, draws)


def _of(name: str, found: Sided, method: str, outcome: Outcome) -> Test:
    return Test(name=name, p=found.two_sided, p_one=found.greater, method=method, outcome=outcome)


def _studentised(found: BrunnerMunzel, where: str, outcome: Outcome) -> Test:
    p, p_one = found.perm_two_sided, found.perm_greater
    return Test(name="brunner-munzel permutation", p=p, p_one=p_one, method=f"studentised{where}", outcome=outcome)


def _on_success(
    first: Arm, second: Arm, arrangement: Arrangement, scale: Material, rng: np.random.Generator, draws: int
) -> list[Test]:
    if first.success is None or second.success is None:
        return []
    a, b = first.success, second.success
    if arrangement.blocks is None:
        table = int(a.sum()), len(a), int(b.sum()), len(b)
        found = {"fisher": fisher(*table), "barnard": barnard(*table), "boschloo": boschloo(*table)}
        return [_of(name, test, test.method, "success") for name, test in found.items()]
    if arrangement.design == "paired":
        ours = dict(zip(arrangement.blocks[0].tolist(), a.tolist(), strict=True))
        theirs = dict(zip(arrangement.blocks[1].tolist(), b.tolist(), strict=True))
        gaps = [int(ours[block]) - int(theirs[block]) for block in arrangement.shared]
        test = mcnemar(gaps.count(1), gaps.count(-1))
        return [_of("mcnemar", test, test.method, "success")]
    if scale.outcome == "success":  # the deciding permutation test is this very test
        return []
    seen = permutation_test(a.astype(float), b.astype(float), rng=rng, blocks=arrangement.blocks, draws=draws)
    how = f"{_how(seen)}, successes shuffled within blocks"
    return [_of("stratified", seen, how, "success")]


def differences(first: Arm, second: Arm, level: float) -> list[Limits]:
    """The difference of success rates between its limits; nothing where a trial does not say."""
    if first.success is None or second.success is None:
        return []
    table = int(first.success.sum()), len(first), int(second.success.sum()), len(second)
    value = table[0] / table[1] - table[2] / table[3]
    named = {"Newcombe": newcombe_difference, "Miettinen-Nurminen": miettinen_nurminen}
    found = []
    for name, method in named.items():
        low, high = method(*table, level)
        found.append(Limits(method=name, value=value, low=low, high=high))
    return found


def adjust(pairs: Sequence[Sequence[Test]]) -> list[list[Test]]:
    """The tests of every pair with p-values adjusted over all pairs (Holm 1979); a pair without a test has no say.

    The two deciding tests are adjusted by their place, whatever the design made of them; the others by name.
    """
    keys = [[place if place < 2 else (t.name, t.outcome) for place, t in enumerate(tests)] for tests in pairs]
    found = [list(tests) for tests in pairs]
    for key in {key for row in keys for key in row}:
        cells = [(i, row.index(key)) for i, row in enumerate(keys) if key in row]
        two, one = (holm(np.array([getattr(pairs[i][j], name) for i, j in cells])) for name in ("p", "p_one"))
        for (i, j), p, p_one in zip(cells, two.tolist(), one.tolist(), strict=True):
            found[i][j] = pairs[i][j].model_copy(update={"p_holm": p, "p_one_holm": p_one})
    return found


def label_of(tests: Sequence[Test], alpha: float) -> Label:
    """Robust: both deciding tests below alpha, in the direction that was seen; fragile: one; not resolved: none."""
    names: tuple[Label, ...] = ("not resolved", "fragile", "robust")
    return names[sum(test.p_holm < alpha and test.p_one <= 0.5 for test in tests[:2])]
