"""A stake spread over several bets, some of it moved from bet to bet: the engine of both monitors.

B bets. Where no bet can expect to gain, the whole stake is a nonnegative supermartingale that starts at 1, so it ever
reaches 1/α with probability at most α, whenever one looks (Ville 1939). Moving stakes keeps their sum, and so this; it
lets a bet that lost for long come back when the world changes (Vovk et al. 2021, the simple jumper).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from surehand.exceptions import FormatError, SurehandError

JUMP = 0.003  # share of the stake that is spread anew after every episode


class Stake:
    """Shares of R stakes on B bets, and the logarithms of the stakes."""

    def __init__(self, bets: int, jump: float, runs: tuple[int, ...] = ()) -> None:
        if not 0 <= jump < 1:
            raise SurehandError(f"jump {jump}: expected the share of the stake that is spread anew, from 0 to below 1")
        self.jump = jump
        self.share = np.full((*runs, bets), 1 / bets)
        self.log = np.zeros(runs)

    def grow(self, factors: np.ndarray) -> Self:
        """This stake after one outcome: `factors` (..., B) is what each bet makes of 1, at least 0."""
        share = self.share * factors
        total = share.sum(axis=-1)
        with np.errstate(divide="ignore"):
            self.log = self.log + np.log(total)
        total = np.where(total > 0, total, 1.0)  # a stake that is lost stays lost: its log is −∞
        share = share / total[..., None]
        self.share = (1 - self.jump) * share + self.jump / share.shape[-1]
        return self


@dataclass(frozen=True)
class ShiftState:
    """Where a monitor stands; `str()` is a sentence."""

    episodes: int  # since deployment began
    log_evidence: float  # natural logarithm of the martingale
    highest: float  # the largest it has been
    alpha: float
    alarm: int | None  # number of the episode that raised it, counted from 1
    of: str = "the scores"

    def __str__(self) -> str:
        if self.alarm is None:
            odds = math.exp(min(self.highest, 700.0))
            return (
                f"no alarm: evidence of {self.of} up to {odds:.3g} of {1 / self.alpha:.3g} in {self.episodes} episodes"
            )
        return f"alarm at episode {self.alarm} of {self.episodes}: {self.of} changed (false alarms ≤ {self.alpha:g})"


class Watch:
    """A stake that is looked at after every episode: the alarm, and what a restart needs."""

    def __init__(self, alpha: float, bets: int, jump: float) -> None:
        if not 0 < alpha < 1:
            raise SurehandError(f"alpha {alpha}: expected a probability of false alarm between 0 and 1, such as .01")
        self.alpha, self.stake = alpha, Stake(bets, jump)
        self.episodes, self.highest = 0, 0.0
        self.alarm: int | None = None

    def grow(self, factors: np.ndarray) -> None:
        """Count one more episode, with what each bet (B,) makes of 1."""
        self.stake.grow(factors)
        self.episodes += 1
        self.highest = max(self.highest, float(self.stake.log))
        if self.alarm is None and self.highest >= -math.log(self.alpha):
            self.alarm = self.episodes

    def state(self, of: str) -> ShiftState:
        """Where it stands, in words about `of`."""
        return ShiftState(self.episodes, float(self.stake.log), self.highest, self.alpha, self.alarm, of)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as plain arrays."""
        log, alarm = float(self.stake.log), float(self.alarm or np.nan)
        numbers = np.array([self.alpha, self.stake.jump, self.episodes, self.highest, log, alarm])
        return {"watch": numbers, "share": self.stake.share}

    @classmethod
    def load(cls, arrays: Mapping[str, np.ndarray], bets: int, *others: str) -> Self:
        """What `arrays` saved beside `others`; FormatError where it is something else or of another number of bets."""
        needed = ("watch", "share", *others)
        if any(name not in arrays for name in needed) or np.shape(arrays["watch"]) != (6,):
            raise FormatError(f"not a saved monitor of this kind: it needs the arrays {', '.join(needed)}")
        if np.shape(arrays["share"]) != (bets,):
            raise FormatError(f"a monitor saved with {np.size(arrays['share'])} bets, expected {bets}; start a new one")
        alpha, jump, episodes, highest, log, alarm = (float(x) for x in arrays["watch"])
        found = cls(alpha, len(arrays["share"]), jump)
        found.stake.share, found.stake.log = np.asarray(arrays["share"], float), np.array(log)
        found.episodes, found.highest = int(episodes), highest
        found.alarm = None if math.isnan(alarm) else int(alarm)
        return found
