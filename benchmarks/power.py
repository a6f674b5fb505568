"""Power by enumeration: two, three and four levels of a rubric, and whole plans from pilots.

Prints seconds; exits 1 where three levels at n = 20, 30 and 40 take longer than promised.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from surehand.decide.planning import detectable, plan_trials
from surehand.measure.power import assurance, find_power, trials_needed

LIMIT = 1.0  # seconds for three levels at n = 20, 30 and 40
B, C = [0, 0, 0.25, 0.75], [0, 0.1, 0.3, 0.6]


def timed(what: str, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    print(f"{seconds:7.2f} s  {what}")
    return seconds


def main() -> None:
    find_power([0, 1], [0.5, 0.5], 20)  # scipy loads here
    spent = sum(timed(f"three levels, n = {n}", lambda n=n: find_power(B, C, n)) for n in (20, 30, 40))  # type: ignore[misc]
    timed("three levels, n = 100", lambda: find_power(B, C, 100))
    timed("four levels, n = 20", lambda: find_power([0.25] * 4, [0.4, 0.3, 0.2, 0.1], 20))
    timed("trials needed, two levels (31)", lambda: trials_needed([0, 1], [0.25, 0.75]))
    timed("trials needed, three levels (113)", lambda: trials_needed(B, C))
    timed(
        "assurance, four levels, n = 60",
        lambda: assurance([0, 0, 0, 20], [0, 0, 5, 15], 60, rng=np.random.default_rng(0)),
    )
    timed("plan, two levels", lambda: plan_trials([2, 18], [8, 12], levels=[0, 1], n=20))
    timed("plan, four levels", lambda: plan_trials([0, 0, 0, 20], [0, 0, 5, 15], levels=[1, 2, 3, 4], n=20))
    timed(
        "plan, four levels, direction in doubt", lambda: plan_trials([0, 0, 5, 15], [0, 2, 6, 12], levels=[1, 2, 3, 4])
    )
    timed("the sentence of a plan, four levels, n = 60", lambda: detectable(4, 60))
    if spent > LIMIT:
        sys.exit("slower than promised")


main()
