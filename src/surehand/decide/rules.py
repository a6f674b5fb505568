"""Rules for choosing a checkpoint, declared as data: total, one group, weights, minimax, Pareto."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from surehand.decide.evidence import Evidence
from surehand.decide.frontier import minimax_ratios, pareto_front, possible_minimax, possible_pareto
from surehand.exceptions import SurehandError

KNOWN = "total, group:<name>, group:<name>@<phase>, weights, minimax, pareto"
Columns = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule on some evidence. Functions take errors (..., C, G+1), the total last.

    `score` (..., C), smaller is better; `loss` (..., C), the mean error by which a pick is judged on other episodes:
    linear, so it applies to numerators too. `possible`, for rules that are not themselves a mean error, tells which
    checkpoints (C,) may win, given simultaneous lower limits (C, C, G) of err_c/err_c' in the live groups, `floor` (G,)
    added to every error.
    """

    name: str
    evidence: Evidence
    score: Columns
    loss: Columns
    possible: Columns | None = None
    floor: np.ndarray | float = 0.0
    note: str = ""

    @property
    def scores(self) -> np.ndarray:
        """Score of every checkpoint on all episodes (C,)."""
        return self.score(self.evidence.errors)

    @property
    def best(self) -> int:
        """Index of the checkpoint the rule picks; the first of equals."""
        return int(np.argmin(self.scores))

    def wins(self, errors: np.ndarray) -> np.ndarray:
        """True for the winner of each table (..., C, G+1) -> (..., C); on the front of a Pareto rule, all that are."""
        scores = self.score(errors)
        if self.name.startswith("pareto"):
            return np.isfinite(scores)
        return np.asarray(np.arange(scores.shape[-1]) == scores.argmin(axis=-1)[..., None])


def parse_rule(text: str) -> tuple[str, str, str | None]:
    """(kind, group, phase) of a rule; SurehandError lists what is known.

    >>> parse_rule("group:arm@contact"), parse_rule("pareto")
    (('group', 'arm', 'contact'), ('pareto', '', None))
    """
    head, _, phase = text.partition("@")
    kind, colon, group = head.partition(":")
    if kind not in ("total", "group", "weights", "minimax", "pareto") or (kind == "group") != bool(colon and group):
        raise SurehandError(f"unknown rule {text!r}; known: {KNOWN}")
    return kind, group, phase or None


def total_rule(evidence: Evidence, suffix: str = "") -> Rule:
    """The rule that compares totals; `suffix` ("@contact") ends the name."""
    return Rule(f"total{suffix}", evidence, _total, _total)


def group_rule(evidence: Evidence, group: str, suffix: str = "") -> Rule:
    """The rule that compares one group's error."""
    index = evidence.group_index(group)

    def column(errors: np.ndarray) -> np.ndarray:
        return np.asarray(errors[..., index])

    return Rule(f"group:{group}{suffix}", evidence, column, column)


def weights_rule(evidence: Evidence, weights: Mapping[str, float], suffix: str = "") -> Rule:
    """The rule that compares Σ w_g·err_g / Σ w_g; groups that are not named weigh nothing."""
    if not weights or min(weights.values()) < 0 or not np.isfinite(list(weights.values())).all():
        raise SurehandError(f"weights must be finite and not negative, with one above zero; got {dict(weights)}")
    used = np.array([evidence.group_index(group) for group in weights])
    shares = np.array(list(weights.values()), float)
    if not shares.sum():
        raise SurehandError("all weights are zero; give at least one group a weight")
    shares /= shares.sum()

    def weighted(errors: np.ndarray) -> np.ndarray:
        return np.asarray(errors[..., used] @ shares)

    said = ", ".join(f"{group} {share:.2g}" for group, share in zip(weights, shares, strict=True))
    return Rule(f"weights{suffix}", evidence, weighted, weighted, note=f"shares: {said}")


def minimax_rule(evidence: Evidence, floor: np.ndarray, suffix: str = "") -> Rule:
    """The rule that compares max_g (err_g + f_g) / (best_g + f_g) over live groups; `floor` (G,)."""
    live = np.flatnonzero(evidence.live)
    floor = floor[live]

    def worst(errors: np.ndarray) -> np.ndarray:
        return np.asarray(minimax_ratios(errors[..., live], floor).max(axis=-1))

    names = [evidence.groups[i] for i in live]
    ratios = minimax_ratios(evidence.errors[:, live], floor)
    decided = names[int(ratios[int(ratios.max(axis=1).argmin())].argmax())]
    floors = ", ".join(f"{group} {value:.2g}" for group, value in zip(names, floor, strict=True))
    note = f"its worst group is {decided}; floors: {floors}"
    return Rule(f"minimax{suffix}", evidence, worst, _total, possible_minimax, floor, note)


def pareto_rule(evidence: Evidence, suffix: str = "") -> Rule:
    """The rule that keeps the Pareto front of the live groups; its pick is the front's lowest total."""
    live = np.flatnonzero(evidence.live)

    def front_total(errors: np.ndarray) -> np.ndarray:
        return np.where(pareto_front(errors[..., live]), errors[..., -1], np.inf)

    on_front = pareto_front(evidence.errors[:, live])
    front = [name for name, on in zip(evidence.checkpoints, on_front, strict=True) if on]
    note = f"front: {', '.join(front)}; the pick is its lowest total"
    return Rule(f"pareto{suffix}", evidence, front_total, _total, possible_pareto, note=note)


def _total(errors: np.ndarray) -> np.ndarray:
    return np.asarray(errors[..., -1])
