"""Acknowledged trials per second, against what the disk allows: bare commits by sqlite3, in the same folder, synced.

Repeated in turns, medians: python benchmarks/trials_store.py
"""

import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from surehand.formats.rubrics import read_rubric
from surehand.trials.entries import Entry
from surehand.trials.plan import make_plan
from surehand.trials.store import open_store

TRIALS, REPEATS = 300, 5


def bare(folder: Path) -> float:
    """Seconds for TRIALS commits of one row of the same size, nothing checked."""
    with sqlite3.connect(folder / "bare.db", isolation_level=None) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body TEXT)")
        body = Entry(kind="trial", position=1, score=4, operator="ana", device="tablet").model_dump_json()
        start = time.perf_counter()
        for number in range(TRIALS):
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO rows VALUES (?, ?)", (number, body))
            database.execute("COMMIT")
        return time.perf_counter() - start


def ours(folder: Path) -> float:
    """Seconds for TRIALS results, each checked against the schedule, numbered, committed and synced."""
    schedule, _ = make_plan("speed", ["first", "other"], rubric=read_rubric("hsr"), trials=TRIALS // 2, seed=0)
    with open_store(folder / "ours.db", create=True) as store:
        store.add_study(schedule)
        start = time.perf_counter()
        for item in schedule.items:
            store.add("speed", Entry(kind="trial", position=item.position, score=4, operator="ana", device="tablet"))
        return time.perf_counter() - start


def main() -> None:
    times: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(REPEATS):
        for name, run in (("bare", bare), ("ours", ours)):
            with tempfile.TemporaryDirectory(dir=".") as folder:
                times[name].append(run(Path(folder)))
    plain, stored = (statistics.median(times[name]) / TRIALS for name in ("bare", "ours"))
    print(f"bare commits {1e3 * plain:.2f} ms each; trials {1e3 * stored:.2f} ms each, {1 / stored:.0f} a second: ")
    print(f"{stored / plain:.1f} times a bare commit")


if __name__ == "__main__":
    main()
