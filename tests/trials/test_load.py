"""Twenty operators at once, processes killed while they write: nothing acknowledged is lost, nothing comes twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from surehand.formats.schedules import Key, Schedule
from surehand.trials.standing import standing
from surehand.trials.store import open_store

Plan = Callable[..., tuple[Schedule, Key]]
OPERATORS = Path(__file__).with_name("small_operators.py")


def prepared(target: str, plan: Plan) -> None:
    with open_store(target, create=True) as store:
        for study, trials in (("mugs", 100), ("cups", 10)):
            store.add_study(plan(study, trials=trials)[0])


def started(target: str, seconds: float, first: int, count: int, said: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-W", "error", str(OPERATORS), target, str(seconds), str(first), str(count)]
    with said.open("wb") as out, said.with_suffix(".err").open("wb") as wrong:
        return subprocess.Popen(command, stdout=out, stderr=wrong)


def acknowledged(files: list[Path]) -> dict[str, dict[str, int]]:
    """study -> entry id -> number, of every whole line."""
    found: dict[str, dict[str, int]] = {"mugs": {}, "cups": {}}
    for path in files:
        for line in path.read_text().split("\n")[:-1]:  # a process that was killed may leave half a line
            study, name, number = line.split()
            assert name not in found[study], "acknowledged once"
            found[study][name] = int(number)
    return found


def check(target: str, files: list[Path], exact: bool) -> int:
    """How many entries were acknowledged; each is there once, under its number, and numbers have no gaps."""
    total = 0
    with open_store(target) as store:
        for study, names in acknowledged(files).items():
            rows = store.rows(study)
            assert [row.number for row in rows] == list(range(1, len(rows) + 1))
            kept = {row.id: row.number for row in rows}
            assert len(kept) == len(rows)
            assert names.items() <= kept.items(), "acknowledged, hence there"
            if exact:
                assert names == kept, "there, hence acknowledged"
            times = [row.received for row in rows]
            assert times == sorted(times)
            schedule = store.schedule(study)
            assert schedule is not None
            trials = sum(row.kind == "trial" for row in rows)
            places = standing(schedule, rows).places
            assert trials == sum(bool(p.counting) + len(p.conflicts) for p in places), "two never become one"
            total += len(names)
    return total


def run_operators(target: str, plan: Plan, folder: Path, seconds: float) -> int:
    prepared(target, plan)
    files = [folder / f"said{i}" for i in range(4)]
    processes = [started(target, seconds, 5 * i, 5, path) for i, path in enumerate(files)]
    codes = [process.wait(timeout=seconds + 90) for process in processes]
    assert codes == [0, 0, 0, 0], "".join(path.with_suffix(".err").read_text() for path in files)
    return check(target, files, exact=True)


def test_twenty_operators_for_a_few_seconds(target: str, plan: Plan, tmp_path: Path) -> None:
    assert run_operators(target, plan, tmp_path, 4) > 20


@pytest.mark.slow
def test_twenty_operators_for_a_minute(target: str, plan: Plan, tmp_path: Path) -> None:
    count = run_operators(target, plan, tmp_path, 60)
    print(f"{count} entries acknowledged")
    assert count > 200


def test_a_writer_that_is_killed_leaves_every_acknowledged_entry(target: str, plan: Plan, tmp_path: Path) -> None:
    prepared(target, plan)
    files = []
    for i in range(3):
        files.append(tmp_path / f"said{i}")
        process = started(target, 60, 5 * i, 5, files[-1])
        patience = time.monotonic() + 60
        while files[-1].stat().st_size < 5000 and process.poll() is None and time.monotonic() < patience:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, files[-1].with_suffix(".err").read_text()
    assert check(target, files, exact=False) > 100


def test_a_postgresql_that_is_killed_keeps_every_acknowledged_entry(
    postgres, postgres_url: str, plan: Plan, tmp_path: Path
) -> None:
    """One backend is killed by -9, whereupon PostgreSQL ends all connections and recovers from its log."""
    import psycopg

    prepared(postgres_url, plan)
    said = tmp_path / "said"
    process = started(postgres_url, 60, 0, 5, said)
    while said.stat().st_size < 5000 and process.poll() is None:
        time.sleep(0.02)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'surehand' LIMIT 1"
        row = connection.execute(query).fetchone()
    assert row is not None
    os.kill(row[0], signal.SIGKILL)
    process.wait(timeout=90)
    assert "StoreError" in said.with_suffix(".err").read_text(), "the operators were told that nothing was acknowledged"
    patience = time.monotonic() + 60
    while time.monotonic() < patience:  # until it has recovered
        try:
            psycopg.connect(postgres.url()).close()
            break
        except psycopg.OperationalError:
            time.sleep(0.1)
    assert check(postgres_url, [said], exact=False) > 50
