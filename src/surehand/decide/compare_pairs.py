"""One pair of policies: its tests, before they are adjusted over all pairs and after, and all else said of it."""

import numpy as np

from surehand.decide.compare_data import Arm, Material
from surehand.decide.compare_design import Arrangement, within, worst_case
from surehand.decide.compare_tests import beside, deciding, differences, label_of
from surehand.decide.compare_words import pair_sentence
from surehand.decide.comparison import Limits, Pair, PriorRow, SuccessPrior, Test
from surehand.measure.ordinal import matchups
from surehand.measure.superiority import (
    DRAWS,
    PRIOR,
    SWEEP,
    draw_distributions,
    newcombe_win_rate,
    success_posterior,
    win_rate_posterior,
)

PRIORS = {"uniform": 1.0, "Jeffreys": 0.5}  # Beta, of a success rate


def directed(a: Arm, b: Arm) -> tuple[Arm, Arm]:
    """The one that won more match-ups first; then by mean; then by name."""
    gap = matchups(a.values, b.values).cliff
    if gap == 0:
        gap = round(float(a.values.mean() - b.values.mean()), 12)
    return (a, b) if gap > 0 or (gap == 0 and a.policy < b.policy) else (b, a)


class Posteriors:
    """Distributions over the levels (B, L) of every policy, under every prior that was asked for."""

    def __init__(self, levels: np.ndarray, seed: int) -> None:
        self.levels = levels
        self._seed = seed
        self._drawn: dict[tuple[str, float], np.ndarray] = {}

    def draws(self, arm: Arm, prior: float) -> np.ndarray:
        """The policy's (B, L); the same ones in every pair, and whichever other policies there are."""
        key = (arm.policy, prior)
        if key not in self._drawn:
            rng = np.random.default_rng([self._seed, round(1e6 * prior), *arm.policy.encode()])
            self._drawn[key] = draw_distributions(arm.counts(self.levels), prior, DRAWS, rng)
        return self._drawn[key]

    def compare(self, first: Arm, second: Arm, prior: float, level: float) -> PriorRow:
        """How probable it is that the first is better, and limits of its win rate."""
        found = win_rate_posterior(self.draws(first, prior), self.draws(second, prior), self.levels, level)
        return PriorRow(prior=prior, **found._asdict())


class Made:
    """One pair's tests before they are adjusted over all pairs, and the rest of what is said of it."""

    def __init__(
        self,
        first: Arm,
        second: Arm,
        arrangement: Arrangement,
        scale: Material,
        level: float,
        draws: int,
        posteriors: Posteriors,
        rng: np.random.Generator,
    ) -> None:
        self.first, self.second, self.arrangement, self.scale, self.level = first, second, arrangement, scale, level
        self.posteriors, self.rng = posteriors, rng
        self.tests = deciding(first, second, arrangement, scale, rng=self.rng, draws=draws)
        self.worst = self.tests
        if self.void:
            bad = worst_case(first, second, arrangement, float(scale.levels[0]), float(scale.levels[-1]))
            self.worst = deciding(*bad, scale, rng=self.rng, draws=draws)
        self.tests = self.tests + beside(first, second, arrangement, scale, rng=self.rng, draws=draws)

    @property
    def void(self) -> bool:
        return bool(self.first.void or self.second.void)

    @property
    def shown(self) -> bool:
        return {self.first.policy, self.second.policy} <= self.scale.shown

    def pair(self, tests: list[Test], worst: list[Test], alpha: float, family: int) -> Pair:
        """What the record says of the pair."""
        first, second, design = self.first, self.second, self.arrangement.design
        part = f" in {len(self.arrangement.shared)} blocks" if self.arrangement.alone else ""
        seen = matchups(first.values, second.values)
        label, priors = label_of(tests, alpha), self._priors()
        return Pair(
            first=first.policy,
            second=second.policy,
            trials=(len(first), len(second)),
            design=design,
            wins=seen.wins,
            losses=seen.losses,
            ties=seen.ties,
            win_rate=seen.win_rate,
            cliff=seen.cliff,
            u=seen.u,
            mean_difference=float(first.values.mean() - second.values.mean()),
            within=within(first, second, self.arrangement, self.level, self.rng),
            tests=tests,
            intervals=self._intervals(priors),
            difference=differences(first, second, self.level),
            priors=priors,
            success_priors=self._success_priors(),
            void_worst=worst if self.void else [],
            void_worst_label=label_of(worst, alpha) if self.void else None,
            label=label,
            sentence=pair_sentence(
                first,
                second,
                seen.win_rate,
                tests,
                label,
                design=f"{design}{part}",
                alpha=alpha,
                family=family,
                wins=seen.wins,
            ),
        )

    def _counts(self) -> tuple[np.ndarray, np.ndarray]:
        return self.first.counts(self.scale.levels), self.second.counts(self.scale.levels)

    def _intervals(self, priors: list[PriorRow]) -> list[Limits]:
        a, b = self._counts()
        low, high = newcombe_win_rate(a, b, self.level)
        value = matchups(self.first.values, self.second.values).win_rate
        newcombe = Limits(method="Newcombe", value=value, low=low, high=high)
        if not priors:
            return [newcombe]
        half = next(row for row in priors if row.prior == PRIOR)
        return [Limits(method="Dirichlet(½)", value=value, low=half.low, high=half.high), newcombe]

    def _priors(self) -> list[PriorRow]:
        if not self.scale.discrete or not self.shown:
            return []
        return [self.posteriors.compare(self.first, self.second, prior, self.level) for prior in SWEEP]

    def _success_priors(self) -> list[SuccessPrior]:
        if self.first.success is None or self.second.success is None:
            return []
        table = int(self.first.success.sum()), len(self.first), int(self.second.success.sum()), len(self.second)
        return [
            SuccessPrior(name=name, prior=prior, better=success_posterior(*table, prior))
            for name, prior in PRIORS.items()
        ]
