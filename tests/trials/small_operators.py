"""Operators posting as fast as they can in a process of their own: small_operators.py TARGET SECONDS FIRST COUNT.

Each is a thread with a store of its own. A line on stdout for every acknowledged entry: its id and number.
"""

import random
import sys
import threading
import time
from uuid import uuid4

from surehand.trials.entries import Entry
from surehand.trials.store import open_store

STUDIES = ("mugs", "cups")


def operate(target: str, seconds: float, who: int) -> None:
    """Nothing, after so many seconds of entries; every third reply is lost on the way, and its entry sent again."""
    chance = random.Random(who)
    with open_store(target) as store:
        places = {study: len(store.schedule(study).items) for study in STUDIES}  # type: ignore[union-attr]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            study = chance.choices(STUDIES, (4, 1))[0]
            entry = Entry(
                id=uuid4().hex,
                kind=chance.choice(("trial", "start", "note", "trial")),
                position=chance.randint(1, places[study]),
                operator=f"op{who}",
                device=f"tab{who}",
            )
            change = {"trial": {"score": 3.0}, "note": {"notes": "ok"}}.get(entry.kind, {})
            entry = entry.model_copy(update=change)
            row = store.add(study, entry)
            for _ in range(chance.choice((0, 0, 1))):
                assert store.add(study, entry) == row, "the same entry again is the same row"
            print(f"{study} {entry.id} {row.number}\n", end="", flush=True)


FAILED: list[str] = []


def told(what: threading.ExceptHookArgs) -> None:
    """Nothing; an operator's failure is the process's, which would otherwise end as if all were well."""
    FAILED.append(f"{what.exc_type.__name__}: {what.exc_value}")


if __name__ == "__main__":
    threading.excepthook = told
    target, seconds, first, count = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    threads = [threading.Thread(target=operate, args=(target, seconds, first + i)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit("\n".join(FAILED) or 0)
