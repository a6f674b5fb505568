"""Does the promised risk still hold? Bets against it on the violations of what was executed.

K_e = Π (1 + ν_e(W_e − ε)) over episodes e, W_e in [0, 1] with mean at most ε while the promise holds, ν_e in [0, 1/ε]
chosen before e (Waudby-Smith & Ramdas 2024). For the joint risk W_e is the episode's loss; for the conditional risk
ε + (1/T_max) Σ_t A_t(V_t − ε).
"""

from collections.abc import Mapping
from typing import Self

import numpy as np

from surehand.exceptions import SurehandError
from surehand.measure.shift_bets import JUMP, ShiftState, Stake, Watch

# Shares of the largest bet 1/ε; the best one against a risk of μ is (μ − ε)/(1 − ε).
STAKES = (0.01, 0.03, 0.06, 0.12, 0.25, 0.5)


class ViolationMonitor:
    """False alarms in at most alpha of deployments, however long, if every episode's mean risk, given the past, is ≤ ε.

    update(w, place) once an episode's labels are complete; compute(). ν_e is the mean of fixed bets, weighted by what
    they have gained.
    """

    def __init__(self, epsilon: float, alpha: float = 0.01, *, jump: float = JUMP) -> None:
        if not 0 < epsilon < 1:
            raise SurehandError(f"epsilon {epsilon}: expected a risk between 0 and 1")
        self.epsilon, self._watch = epsilon, Watch(alpha, len(STAKES), jump)
        self._waiting: dict[int, float] = {}

    @property
    def bet(self) -> float:
        """ν for the next episode, in [0, 1/ε]."""
        return float(self._watch.stake.share @ np.array(STAKES)) / self.epsilon

    @property
    def waiting(self) -> int:
        """Episodes that are known but wait for an earlier one's labels."""
        return len(self._waiting)

    def update(self, w: float, place: int | None = None) -> ShiftState:
        """The state after the risk `w` of one more episode, in [0, 1].

        `place` is its number in the order of starting, from 0: one that overtakes an earlier episode waits for it.
        Without that, bad episodes that end soon would be counted first, and the promise would not hold.
        """
        if not 0 <= w <= 1:
            raise SurehandError(f"an episode's risk of {w}: expected 0 to 1, and only once all its labels are known")
        now = self._watch.episodes
        place = now + len(self._waiting) if place is None else place
        if place < now or place in self._waiting:
            raise SurehandError(f"episode {place} has been counted already; give each once, numbered from 0")
        self._waiting[place] = float(w)
        while self._watch.episodes in self._waiting:
            self._watch.grow(factors(np.array(self._waiting.pop(self._watch.episodes)), self.epsilon))
        return self.compute()

    def compute(self) -> ShiftState:
        """The state now, of the episodes counted."""
        return self._watch.state(f"executed violations against {self.epsilon:g}")

    def arrays(self) -> dict[str, np.ndarray]:
        """All that a restart needs, as plain arrays: for np.savez."""
        waiting = np.array(sorted(self._waiting.items()), float).reshape(-1, 2)
        return {"epsilon": np.array(self.epsilon), "waiting": waiting, **self._watch.arrays()}

    @classmethod
    def load(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The monitor that `arrays` saved; it goes on, and spends no second alpha."""
        watch = Watch.load(arrays, len(STAKES), "epsilon", "waiting")
        found = cls(float(arrays["epsilon"]), watch.alpha)
        found._watch, found._waiting = watch, {int(place): float(w) for place, w in arrays["waiting"]}
        return found


def factors(w: np.ndarray, epsilon: float) -> np.ndarray:
    """1 + ν(w − ε) of each bet at risks (...): (..., B)."""
    return np.asarray(1 + np.array(STAKES) / epsilon * (np.asarray(w, float)[..., None] - epsilon))


def log_evidence(w: np.ndarray, epsilon: float, *, jump: float = JUMP) -> np.ndarray:
    """Natural logarithm of K after each of the episodes' risks (..., N): (..., N)."""
    w = np.asarray(w, float)
    if not ((w >= 0) & (w <= 1)).all():
        raise SurehandError("episodes' risks lie from 0 to 1, without NaN: leave out what is not labelled yet")
    stake = Stake(len(STAKES), jump, w.shape[:-1])
    path = np.empty(w.shape)
    for n in range(w.shape[-1]):
        path[..., n] = stake.grow(factors(w[..., n], epsilon)).log
    return path
