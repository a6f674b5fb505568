"""What a comparison says in sentences: each pair, all of them, how every number was made; never more than is shown."""

from collections.abc import Sequence

from surehand.decide.compare_data import Arm, Material
from surehand.decide.comparison import Label, Pair, SequentialPath, Test

MOST_NAMED = 4  # pairs named in the sentence over all of them
POWER = "surehand trials power"


def pair_sentence(
    first: Arm,
    second: Arm,
    win_rate: float,
    tests: Sequence[Test],
    label: Label,
    *,
    design: str,
    alpha: float,
    family: int,
    wins: float,
) -> str:
    """`baseline wins 62 % of match-ups with ours, ties counted half (exact p = …; 20 vs 20): fragile`, and why."""
    main = tests[0]
    share = f"wins {100 * win_rate:.0f} % of match-ups with {second.policy}, ties counted half"
    if win_rate == 0.5:  # nobody wins
        share = f"wins as many match-ups with {second.policy} as it loses"
        share = share if wins else f"ties all match-ups with {second.policy}"
    how = "exact p" if main.method.startswith("exact") else "p"
    numbers = f"{how} {_is(main.p_one)} one-sided, {_is(main.p).removeprefix('= ')} two-sided"
    numbers += f"; {len(first)} vs {len(second)}"
    numbers += f", {design}" if design != "independent" else ""
    said = f"{first.policy} {share} ({numbers}): {label}"
    if label == "not resolved":
        alone = main.p < alpha <= main.p_holm  # unresolved since several pairs were compared, which wants saying
        return said + (f" ({_why(tests, family)})" if alone else "") + f"; {POWER} says how many trials would do"
    return said + (f" ({_why(tests, family)})" if label == "fragile" else "")


def _why(tests: Sequence[Test], family: int) -> str:
    over = f"over {family} pairs " if family > 1 else ""
    main, second = tests[:2]
    other = f"{_is(second.p_holm).removeprefix('= ')} by the {second.name} test"
    return f"{over}p {_is(main.p_holm)} by permutation, {other if second.p_holm == second.p_holm else second.method}"


def _is(p: float) -> str:
    """`= 0.024`: two digits that count, and never a p of zero."""
    return "< 0.0001" if p < 1e-4 else f"= {p:.4f}" if p < 1e-3 else f"= {p:.3f}"


def stopped_sentence(path: SequentialPath, pair: Pair) -> str:
    """What the rule written beforehand found, and what was seen over all trials; p-values would not hold."""
    n, m = pair.trials
    seen = f"{pair.first} won {100 * pair.win_rate:.0f} % of match-ups, ties counted half, over all {n} vs {m} trials"
    return f"{path.sentence}; {seen}"


def summary(pairs: Sequence[Pair], alpha: float, family: int) -> str:
    """One pair's own sentence; for several, who beats whom how firmly, and how many are not resolved."""
    if len(pairs) == 1:
        return pairs[0].sentence
    parts = []
    for label in ("robust", "fragile"):
        found = [f"{pair.first} over {pair.second}" for pair in pairs if pair.label == label]
        if found:
            named = found[:MOST_NAMED] + ([f"{len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else [])
            parts.append(f"{label}: {', '.join(named)}")
    left = [f"{pair.first} against {pair.second}" for pair in pairs if pair.label == "not resolved"]
    if left:
        parts.append(f"not resolved: {', '.join(left)}" if len(left) <= 2 else f"not resolved: {len(left)} pairs")
    over = f"{len(pairs)} pairs" if family == len(pairs) else f"{len(pairs)} of {family} pairs"
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]} ({over} of policies, alpha {alpha:g} for all together)"


def void_warning(pair: Pair) -> str:
    """What the worst that void trials hide would do to the label, or ""."""
    worst = pair.void_worst_label
    if worst is None or worst == pair.label or not pair.fixed:
        return ""
    turned = ", and the order itself would turn" if pair.void_worst[0].p_one > 0.5 else ""
    return (
        f"void trials matter: had those of {pair.first} failed and those of {pair.second} succeeded, "
        f"{pair.first} over {pair.second} would be {worst} instead of {pair.label}{turned}"
    )


def methods(scale: Material, designs: set[str], alpha: float, level: float, family: int, draws: int) -> dict[str, str]:
    """How every number was made, by name."""
    second = {
        "independent": "independent samples: the unconditional exact test, the supremum over every distribution on "
        "the rubric's levels of the chance of so large a standardised rank sum (0 where all scores tie)"
        if scale.discrete
        else "independent samples on a continuous scale: the studentised permutation test (Neubert & Brunner 2007)",
        "paired": "pairs: the unconditional exact sign test on pairs won and lost (Suissa & Shuster 1991)",
        "blocked": "blocks of several trials: the unconditional exact test with blocks ignored, and none where the "
        "policies are not spread evenly over the blocks",
    }
    said = {
        "permutation": "Mann-Whitney rank sum with ties over the permutations of policy labels within blocks; "
        f"exact, or (b + 1)/(B + 1) over {draws} draws; two-sided is twice the smaller tail, at most 1. Its null is "
        "equal distributions",
        "second test": "; ".join(second[design] for design in sorted(designs)),
        "labels": f"robust: both tests below {alpha:g}, two-sided, Holm over all pairs; fragile: exactly one of them; "
        "not resolved: none",
        "family": f"p-values adjusted over {family} pair{'' if family == 1 else 's'}: all policies in the sheet",
        "win rate": f"P(first > second) + ½ P(equal) over all match-ups of two trials; {level:.0%} limits from the "
        "posterior under Dirichlet(½) on the levels, and Newcombe's (2006) method 5; both ignore blocks",
    }
    if scale.outcome == "success" or any(arm.success is not None for arm in scale.arms):
        said["success"] = (
            "Wilson and Clopper-Pearson limits; differences by Newcombe (1998, method 10) and Miettinen & Nurminen "
            "(1985); Fisher, Barnard (pooled z) and Boschloo for independent samples, McNemar for pairs, successes "
            "shuffled within blocks otherwise"
        )
    if any(arm.void for arm in scale.arms):
        said["void"] = (
            "void trials do not count; the worst case counts those of the first as the lowest level and those of the "
            "second as the highest, in pairs in place of the repeated trial"
        )
    if "independent" not in designs:
        said["within blocks"] = "match-ups of trials of one block, every block weighing the same"
    return said
