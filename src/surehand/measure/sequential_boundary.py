"""The stopping boundary of an exact group-sequential test of two success rates, found look by look.

n pairs of trials at most; the state after k pairs is (a, b), the successes of either arm. G nodes of p.

Along the null p_A = p_B = p every way to reach (a, b) has probability p^(a+b) q^(2k−a−b), so the number of ways W[a, b]
that have not stopped before needs counting once and serves every p: P(stop by look k; p) = Σ W[a, b] p^(a+b) q^(2k−a−b)
over the states at which the test stops, a polynomial in p of degree 2n at most.
"""

import heapq
from typing import NamedTuple

import numpy as np

DENSITY = 24  # nodes per degree of the polynomial: the proven bound lies 0.11 % above the largest node
ROUNDING = 1e-9  # relative; sums of fewer than 1e5 positive terms, each exact to 1e-14


class Nodes(NamedTuple):
    """Chebyshev nodes of p in (0, ½] (their mirror images need no computing), and what a bound on them is worth.

    A polynomial f of degree N with 0 <= f <= m on M > N Chebyshev nodes nowhere exceeds m (1 + 1/cos(πN/2M))/2 in
    [0, 1] (Ehlich & Zeller 1964, applied to f − m/2). `slack` is that factor.
    """

    powers: np.ndarray  # (N + 1, G) p^s
    others: np.ndarray  # (N + 1, G) q^s
    slack: float


class Boundary(NamedTuple):
    """Where the test stops in favour of the first arm, and how often it does so without reason."""

    least: np.ndarray  # (n + 1, n + 1) [k, b]: successes of the first that stop when the second has b; n + 1 = none do
    spent: np.ndarray  # (looks,) largest P(stop by this look) over the nodes
    bound: float  # proven: P(stop by n; p) stays at or below it for every p


def nodes(degree: int) -> Nodes:
    """Nodes dense enough for polynomials of this degree."""
    count = DENSITY * degree
    angles = (2 * np.arange(count // 2) + 1) * np.pi / (2 * count)
    p = np.sin(angles / 2) ** 2
    s = np.arange(degree + 1)[:, None]
    slack = (1 + 1 / np.cos(degree * np.pi / (2 * count))) / 2
    return Nodes(p**s, (1 - p) ** s, float(slack * (1 + ROUNDING)))


def find_boundary(n: int, alpha: float, looks: tuple[int, ...]) -> Boundary:
    """The boundary that spends at most alpha·k/n by look k at any p (Lan & DeMets 1983, linear), monotone in (a, b).

    At each look states are added in falling order of z while the sum stays below what may be spent at *every* p; one
    that would exceed it somewhere is skipped and closes what lies behind it. (Taking states by z only until the first
    does not fit leaves alpha unused near certain success: at 1 against .75 and 50 pairs it takes 4 pairs more.)

    A state is added only when all that speak more strongly for the first arm (more successes of its own, fewer of the
    other) are in, so that every region is an up-set: moving successes from the second arm to the first never makes a
    test that stopped go on. Hence by coupling P(stop; p_A, p_B) rises in p_A and falls in p_B, and its supremum over
    p_A <= p_B lies on the diagonal.

    Proven: the bound for every p, from the values on the nodes (`Nodes`), and the diagonal, as every region is checked.
    Numeric: the values on the nodes, in double precision, for which `ROUNDING` is left.
    """
    grid = nodes(2 * n)
    total = np.zeros(grid.powers.shape[1])
    ways = np.ones((1, 1))
    least = np.full((n + 1, n + 1), n + 1)
    spent = []
    for k in range(1, n + 1):
        ways = _one_more_pair(ways)
        if k not in looks:
            continue
        stops, total = _fill(ways, total, alpha * k / n / grid.slack, grid)
        ways = np.where(stops, 0.0, ways)
        depth = stops.sum(axis=0)
        least[k, : k + 1] = np.where(depth > 0, k + 1 - depth, n + 1)
        monotone = (np.diff(depth) <= 0).all() and (stops == (np.arange(k + 1)[:, None] >= least[k, : k + 1])).all()
        assert monotone, f"the region after {k} pairs is no up-set"  # what the proof above rests on
        spent.append(float(total.max()))
    return Boundary(least, np.array(spent), spent[-1] * grid.slack if spent else 0.0)


def _one_more_pair(ways: np.ndarray) -> np.ndarray:
    """Ways (k + 2, k + 2) to each state one pair later: either arm fails or succeeds."""
    size = len(ways)
    after = np.zeros((size + 1, size + 1))
    for i in (0, 1):
        for j in (0, 1):
            after[i : size + i, j : size + j] += ways
    return after


def _fill(ways: np.ndarray, total: np.ndarray, cap: float, grid: Nodes) -> tuple[np.ndarray, np.ndarray]:
    """The states (k + 1, k + 1) at which to stop, and P(stop so far) (G,) with them, nowhere above the cap.

    States are added together with their mirror image (k − b, k − a), so that P(stop; p) = P(stop; 1 − p).
    """
    k = len(ways) - 1
    stops = _unreachable(ways)
    z = _standardised(k)
    queue: list[tuple[float, int, int]] = []

    def offer(a: int, b: int) -> None:
        """Queue (a, b), or its image, where everything stronger is in."""
        a, b = (a, b) if a + b <= k else (k - b, k - a)
        if a > b and not stops[a, b] and (a == k or stops[a + 1, b]) and (b == 0 or stops[a, b - 1]):
            heapq.heappush(queue, (-z[a, b], a, b))

    padded = np.pad(stops, ((0, 1), (1, 0)), constant_values=True)
    for a, b in np.argwhere(~stops & padded[1:, 1:] & padded[:-1, :-1]):
        if a + b <= k:
            offer(int(a), int(b))
    while queue:
        _, a, b = heapq.heappop(queue)
        if stops[a, b]:
            continue
        if ways[a, b] > 0:
            s = a + b
            added = grid.powers[s] * grid.others[2 * k - s]
            if s != k:
                added = added + grid.powers[2 * k - s] * grid.others[s]
            added = total + ways[a, b] * added
            if added.max() > cap:
                continue
            total = added
        stops[a, b] = stops[k - b, k - a] = True
        for x, y in ((a, b), (k - b, k - a)):
            if x > 0:
                offer(x - 1, y)
            if y < k:
                offer(x, y + 1)
    return stops, total


def _unreachable(ways: np.ndarray) -> np.ndarray:
    """The largest up-set (k + 1, k + 1) that no run still going can reach: stopping there costs nothing."""
    beyond = np.logical_or.accumulate((ways > 0)[::-1], axis=0)[::-1]
    return ~np.logical_or.accumulate(beyond, axis=1)


def _standardised(k: int) -> np.ndarray:
    """z (k + 1, k + 1) of a − b with the pooled rate, one success and one failure added."""
    a = np.arange(k + 1)[:, None]
    b, s = a.T, a + a.T
    return (a - b) / np.sqrt((s + 1) * (2 * k - s + 1) / (2 * k + 2))
