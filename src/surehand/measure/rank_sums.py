"""What a policy's rank sum does when the policies' labels are shuffled: exact where counts allow, drawn at random else.

L levels with doubled midranks (L,), whole numbers; blocks within which alone labels are shuffled; S values of the sum.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np

from surehand.measure.tables import log_choose, ragged, taken, ways

__all__ = ["Block", "Tails", "drawn_tails", "exact_tails"]

MOST_LOOKUPS = 1_000_000  # tables of the smaller levels, of one block on its own: about 40 ms
MOST_TABLES = 200_000  # tables of one block among several
MOST_STEPS = 100_000_000  # additions of one dynamic program or convolution: about 0.1 s
LONGEST = 1 << 22  # values of a sum that a Fourier transform may have
ROUNDED = 1e-12  # below this a p-value from a Fourier transform is rounding, so this is what is said
CHUNK = 1 << 22  # random numbers held at once


class Block(NamedTuple):
    """Trials among which labels may be exchanged."""

    pool: tuple[int, ...]  # trials per level, both policies
    take: int  # trials of the first policy


class Tails(NamedTuple):
    """Probabilities that a shuffled rank sum is at least, at most, and exactly the one seen."""

    above: float
    below: float
    equal: float


def exact_tails(blocks: list[Block], ranks: np.ndarray, seen: int) -> Tails | None:
    """Tails of the first policy's rank sum over all shuffles within blocks; None where that is too much to count.

    One block: tables of all levels but the two fullest are listed, and those two are a hypergeometric tail; or, with
    many levels, a dynamic program over (trials taken, rank sum). Several blocks: their laws convolved.
    """
    fixed = sum(int(np.dot(block.pool, ranks)) for block in blocks if block.take == sum(block.pool))
    blocks = [block for block in blocks if 0 < block.take < sum(block.pool)]
    if not blocks:
        return Tails(1.0, 1.0, 1.0)
    return _one_block(blocks[0], ranks, seen - fixed) if len(blocks) == 1 else _several(blocks, ranks, seen - fixed)


def drawn_tails(blocks: list[Block], ranks: np.ndarray, seen: int, draws: int, rng: np.random.Generator) -> Tails:
    """The same tails from random shuffles, the one seen counted among them: (b + 1)/(B + 1)."""
    sums = np.zeros(draws, np.int64)
    for block in blocks:
        sums += _draw(block, ranks, draws, rng)
    above, below, equal = ((1 + int(hit.sum())) / (draws + 1) for hit in (sums >= seen, sums <= seen, sums == seen))
    return Tails(above, below, equal)


def _draw(block: Block, ranks: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Rank sums (draws,) of one block: counts per level where levels are few, shuffled ranks where they are many."""
    pool = np.array(block.pool)
    held = np.flatnonzero(pool)
    if len(held) <= 16:
        counts = rng.multivariate_hypergeometric(pool[held], block.take, size=draws, method="marginals")
        return np.asarray(counts @ ranks[held])
    each = np.repeat(ranks, pool)
    parts = []
    for start in range(0, draws, size := max(1, CHUNK // len(each))):
        order = np.argpartition(rng.random((min(size, draws - start), len(each))), block.take, axis=1)
        parts.append(each[order[:, : block.take]].sum(axis=1))
    return np.concatenate(parts)


def _one_block(block: Block, ranks: np.ndarray, seen: int) -> Tails | None:
    pool = np.array(block.pool)
    held = np.flatnonzero(pool)
    pool, ranks = pool[held], ranks[held]
    if len(pool) == 1:
        return Tails(1.0, 1.0, 1.0)
    smaller = np.sort(pool)[:-2]
    if np.prod(np.minimum(smaller, block.take) + 1.0) <= MOST_LOOKUPS:
        return _looked_up(pool, block.take, ranks, seen)
    law = _program(pool, block.take, ranks)
    return None if law is None else _tails(*law, seen)


def _looked_up(pool: np.ndarray, take: int, ranks: np.ndarray, seen: int) -> Tails:
    """Tails from the tables of all but the two fullest levels, these two being a hypergeometric tail of the rest."""
    low, high = sorted(np.argsort(pool, kind="stable")[-2:])
    two = int(pool[low] + pool[high])
    others = [k for k in range(len(pool)) if k not in (low, high)]
    left, log, so_far = np.array([take]), np.zeros(1), np.zeros(1, np.int64)
    for place, k in enumerate(others):
        later = two + int(pool[others[place + 1 :]].sum())
        row, number = ragged(np.maximum(0, left - later), np.minimum(pool[k], left))
        log = log[row] + log_choose(int(pool[k]), np.arange(pool[k] + 1))[number]
        so_far, left = so_far[row] + ranks[k] * number, left[row] - number
    weight = np.exp(log + log_choose(two, left) - log_choose(int(pool.sum()), take))
    start = int(left.min())
    rest, of_high = np.arange(start, left.max() + 1)[:, None], np.arange(pool[high] + 1)[None, :]
    law = log_choose(int(pool[high]), of_high) + log_choose(int(pool[low]), rest - of_high) - log_choose(two, rest)
    law = np.pad(np.exp(law), ((0, 0), (1, 1)))  # (rest, 1 + of_high + 1)
    below = np.cumsum(law, axis=1)[:, :-1]  # [.., c]: fewer than c
    above = np.cumsum(law[:, ::-1], axis=1)[:, -2::-1]  # [.., c]: c or more
    needed, step = seen - so_far - ranks[low] * left, int(ranks[high] - ranks[low])
    at_least = np.clip(-(-needed // step), 0, pool[high] + 1)
    more = np.clip(needed // step + 1, 0, pool[high] + 1)
    row = left - start
    reached, passed = weight @ above[row, at_least], weight @ above[row, more]
    return Tails(min(1.0, float(reached)), min(1.0, float(weight @ below[row, more])), float(reached - passed))


def _program(pool: np.ndarray, take: int, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Values (S,) and probabilities (S,) of the rank sum by dynamic programming; None where it would take too long."""
    least, unit = int(ranks.min()), int(np.gcd.reduce(ranks - ranks.min())) or 1
    shifted = (ranks - least) // unit
    longest = int(np.sort(np.repeat(shifted, pool))[-take:].sum())
    if (int(pool.sum()) + len(pool)) * (take + 1.0) * (longest + 1) > MOST_STEPS:
        return None
    state = np.zeros((take + 1, longest + 1))  # (trials taken, rank sum so far): ways
    state[0, 0] = 1
    for level, size in enumerate(pool):
        choices = np.exp(log_choose(int(size), np.arange(size + 1)))
        grown = state.copy()
        for number in range(1, min(int(size), take) + 1):
            shift = number * int(shifted[level])
            if shift <= longest:
                grown[number:, shift:] += choices[number] * state[: take + 1 - number, : longest + 1 - shift]
        state = grown
    law = state[take] / state[take].sum()
    held = np.flatnonzero(law)
    return held * unit + least * take, law[held]


def _several(blocks: list[Block], ranks: np.ndarray, seen: int) -> Tails | None:
    """Tails of the sum over blocks: shifted and added one by one, or by Fourier transform where that is quicker."""
    laws = []
    for block, copies in Counter(blocks).items():
        law = _law(block, ranks)
        if law is None:
            return None
        laws.append((law[0] - law[0].min(), law[1], copies))
        seen -= copies * int(law[0].min())
    unit = int(np.gcd.reduce(np.concatenate([values for values, _, _ in laws]))) or 1
    laws = [(values // unit, chance, copies) for values, chance, copies in laws]
    length = 1 + sum(copies * int(values.max()) for values, _, copies in laws)
    if length * sum(copies * len(values) for values, _, copies in laws) / 2 <= MOST_STEPS:
        total = np.ones(1)
        for values, chance, copies in sorted(laws, key=lambda law: int(law[0].max())):
            for _ in range(copies):
                total, before = np.zeros(len(total) + int(values.max())), total
                for value, share in zip(values.tolist(), chance.tolist(), strict=True):
                    total[value : value + len(before)] += share * before
        return _tails(np.arange(length) * unit, total, seen)
    if length > LONGEST:
        return None
    return _transformed(laws, length, unit, seen)


def _transformed(laws: list[tuple[np.ndarray, np.ndarray, int]], length: int, unit: int, seen: int) -> Tails:
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(length, real=True)
    total = np.ones(size // 2 + 1, complex)
    for values, chance, copies in laws:
        total *= rfft(np.bincount(values, chance, minlength=size)) ** copies
    tails = _tails(np.arange(length) * unit, np.maximum(irfft(total, size)[:length], 0.0), seen)
    return Tails(max(tails.above, ROUNDED), max(tails.below, ROUNDED), tails.equal)


def _law(block: Block, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Values (S,) of one block's rank sum and their probabilities (S,)."""
    pool = np.array(block.pool)
    held = np.flatnonzero(pool)
    pool, ranks = pool[held], ranks[held]
    if np.prod(np.minimum(np.sort(pool)[:-1], block.take) + 1.0) > MOST_TABLES:
        return _program(pool, block.take, ranks)
    tables = ways(pool, block.take)
    values, index = np.unique(tables @ ranks, return_inverse=True)
    return values, np.bincount(index, taken(pool, tables))


def _tails(values: np.ndarray, chance: np.ndarray, seen: int) -> Tails:
    above, below = float(chance[values >= seen].sum()), float(chance[values <= seen].sum())
    return Tails(min(1.0, above), min(1.0, below), float(chance[values == seen].sum()))
