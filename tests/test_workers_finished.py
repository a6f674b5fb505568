"""Results as they are done: nothing lost, nothing twice, one death or error costs one job, and nobody stays behind."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surehand.exceptions import ShapeError, SurehandError
from surehand.workers import Failure, finished_jobs
from surehand.workers.actors import Died
from surehand.workers.finished import _Queue
from surehand.workers.processes import Processes

sys.path.insert(0, str(Path(__file__).parent))  # workers import it too
import small_actors as small


def collected(
    function: Callable[..., Any], jobs: list[Any], begin: Callable[[], Any] = small.State, **options: Any
) -> dict[int, Any]:
    """Results by index; every job came once, and no process is left."""
    results = list(finished_jobs(begin, function, jobs, **options))
    assert sorted(index for index, _ in results) == list(range(len(jobs)))
    assert not active_children()
    return dict(results)


def test_every_job_is_done_once_wherever_it_runs() -> None:
    for processes in (1, 2):
        results = collected(small.squared, list(range(23)), processes=processes)
        assert results == {n: n * n for n in range(23)}
    assert collected(small.squared, []) == {}


def test_what_cannot_be_asked_for() -> None:
    with pytest.raises(SurehandError, match="-1 processes"):
        collected(small.squared, [1], processes=-1)
    with pytest.raises(ShapeError, match="1 groups for 2 jobs"):
        collected(small.squared, [1, 2], groups=["a"])


@pytest.mark.parametrize("processes", [1, 2])
def test_each_worker_begins_once_and_closes_its_state(tmp_path: Path, processes: int) -> None:
    results = collected(small.who, list(range(9)), partial(small.State, str(tmp_path)), processes=processes)
    begun = {int(path.stem) for path in tmp_path.glob("*.state")}
    assert set(results.values()) <= begun
    assert len(begun) <= processes
    assert begun == {int(path.stem) for path in tmp_path.glob("*.closed")}
    assert (begun == {os.getpid()}) == (processes == 1)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_jobs_error_is_its_failure_alone(processes: int) -> None:
    results = collected(small.troubled, ["a", "value", "shape", "exit", "two arguments", "b"], processes=processes)
    assert [results[0], results[5]] == ["a", "b"]
    assert all(isinstance(results[n], Failure) and results[n].index == n for n in (1, 2, 3, 4))
    assert repr(results[1].error) == "ValueError('no such value')"
    assert repr(results[2].error) == "ShapeError('job does not fit')"
    assert "exit 3" in str(results[3].error)
    assert "left: right" in str(results[4].error)
    if processes > 1:  # where it happened is not lost on the way
        assert "in troubled" in results[1].error.__notes__[0]


def test_what_cannot_be_sent_or_read_is_said_and_hangs_nothing() -> None:
    results = collected(small.troubled, ["holds", "unsent", "unread", small.Unsent(), small.Unread(), "a"])
    expected = ("ValueError: ('holds'", "cannot be sent", "cannot be read", "cannot be sent", "/nowhere/at/all", "a")
    for index, says in enumerate(expected):
        assert says in (str(results[index].error) if index < 5 else results[index])


@pytest.mark.parametrize("processes", [1, 2])
def test_workers_that_cannot_begin_end_it_with_their_error(processes: int) -> None:
    with pytest.raises(ShapeError, match="no such dataset"):
        collected(small.squared, [1, 2], small.refuses, processes=processes)
    assert not active_children()


def test_workers_that_die_before_they_are_ready_are_one_line() -> None:
    with pytest.raises(SurehandError, match=r"3 workers in a row died before.*exit code 7") as error:
        collected(small.squared, [1, 2, 3], small.dies)
    assert "\n" not in str(error.value)
    assert not active_children()


def test_a_death_costs_one_job_and_that_one_is_done_again(tmp_path: Path) -> None:
    numbers = [0, 100, 1, -1, 2, 101, 3]
    results = collected(small.killed, [(str(tmp_path), n) for n in numbers])
    assert [n for n in results.values() if not isinstance(n, Failure)] != []
    assert {i: r for i, r in results.items() if i != 3} == {i: n for i, n in enumerate(numbers) if i != 3}
    assert "3 workers died of it (the last: killed by SIGKILL)" in str(results[3].error)


def test_without_retries_a_death_is_a_failure_at_once(tmp_path: Path) -> None:
    results = collected(small.killed, [(str(tmp_path), 100), (str(tmp_path), 1)], retries=0)
    assert "its worker died" in str(results[0].error) and results[1] == 1


def test_a_worker_killed_from_outside_in_the_middle_of_a_job(tmp_path: Path) -> None:
    def kill() -> None:
        victim = int(_appeared(tmp_path)[0].stem)
        os.kill(victim, signal.SIGKILL)
        while len(_appeared(tmp_path)) < 3:  # the fresh one too has begun, beside the one that never stopped
            time.sleep(0.02)
        (tmp_path / "go").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    results = collected(small.waited, [(str(tmp_path), n) for n in range(4)])
    killer.join()
    assert results == {n: n for n in range(4)}


def test_a_dead_workers_own_child_does_not_hide_its_death() -> None:
    results = collected(small.killed_with_child, [0], retries=0)
    assert "killed by SIGKILL" in str(results[0].error)


def test_of_two_workers_that_die_together_neither_is_forgotten(tmp_path: Path) -> None:
    with closing(Processes(small.State, small.slept, 3)) as pool:
        first, second = pool.start(), pool.start()
        for worker in (first, second):
            assert list(pool.wait([worker])) == [worker]
            worker.answer()
            worker.give(str(tmp_path))
            worker.process.kill()
            worker.process.join()
        with pytest.raises(Died):
            first.answer()
        pool.start()  # in the place of the first, before anybody has looked at the second
        found: list[Any] = []
        waiting = threading.Thread(target=lambda: found.extend(pool.wait([second])), daemon=True)
        waiting.start()
        waiting.join(20)
        assert found == [second]


@pytest.mark.parametrize("processes", [1, 2])
def test_closing_early_leaves_no_process(tmp_path: Path, processes: int) -> None:
    begin = partial(small.State, str(tmp_path))
    with closing(finished_jobs(begin, small.who, range(50), processes=processes)) as results:
        next(results)
    assert not active_children()
    assert processes > 1 or (tmp_path / f"{os.getpid()}.closed").exists()


def _appeared(folder: Path) -> list[Path]:
    """Files of workers that said they work; at least one."""
    for _ in range(1500):
        if found := sorted(folder.glob("*.pid")):
            return found
        time.sleep(0.02)
    raise AssertionError("no worker began")


def program(folder: Path, end: str) -> "subprocess.Popen[str]":
    """A started program, in a session of its own, that shares work and then ends as said."""
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import small_actors as small
        from surehand.workers import finished_jobs
        if __name__ == "__main__":
            {end}
    """
    (folder / "program.py").write_text(textwrap.dedent(code))
    command = [sys.executable, "-W", "error", str(folder / "program.py")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def nobody_is_left(session: int) -> None:
    for _ in range(200):
        left = subprocess.run(["ps", "-o", "pid=,stat=,args=", "-s", str(session)], capture_output=True, text=True)
        lines = [line for line in left.stdout.splitlines() if line.split()[1][0] != "Z"]
        if not lines:
            return
        time.sleep(0.05)
    raise AssertionError(lines)


def test_ctrl_c_leaves_no_process_and_one_traceback(tmp_path: Path) -> None:
    started = program(tmp_path, f"list(finished_jobs(small.State, small.slept, [{str(tmp_path)!r}] * 9))")
    _appeared(tmp_path)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, errors = started.communicate(timeout=30)
    assert started.returncode in (-signal.SIGINT, 130)
    assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
    nobody_is_left(started.pid)


def test_ctrl_c_while_workers_start(tmp_path: Path) -> None:
    started = program(tmp_path, "print(1, flush=True); list(finished_jobs(small.State, small.who, range(9)))")
    assert started.stdout is not None and started.stdout.readline() == "1\n"
    time.sleep(0.1)
    os.killpg(started.pid, signal.SIGINT)
    _, errors = started.communicate(timeout=30)
    assert errors.count("Traceback") == (started.returncode != 0)
    nobody_is_left(started.pid)


def test_workers_end_with_a_program_that_was_killed(tmp_path: Path) -> None:
    started = program(tmp_path, f"list(finished_jobs(small.State, small.slept, [{str(tmp_path)!r}] * 9))")
    _appeared(tmp_path)
    started.kill()
    started.communicate(timeout=30)
    nobody_is_left(started.pid)


def test_a_program_may_end_without_closing(tmp_path: Path) -> None:
    started = program(tmp_path, "kept = finished_jobs(small.State, small.who, range(9)); next(kept)")
    _, errors = started.communicate(timeout=30)
    assert (started.returncode, errors) == (0, "")
    nobody_is_left(started.pid)


@pytest.mark.parametrize("processes", [1, 2])
def test_jobs_that_are_no_longer_wanted_are_left_out(processes: int) -> None:
    over: set[str] = set()
    found = []
    groups = list("aaaaaab")
    for index, _ in finished_jobs(
        small.State, small.grouped, groups, groups=groups, wanted=lambda job: job not in over, processes=processes
    ):
        found.append(index)
        over.add("a")
    assert 6 in found and len(found) <= 4  # what the workers were at already comes, too


def test_a_worker_goes_on_with_its_group() -> None:
    groups = list("ababcab")
    assert [index for index, _ in finished_jobs(small.State, small.grouped, groups, groups=groups, processes=1)] == [
        *(0, 2, 5),
        *(1, 3, 6),
        4,
    ]
    results = collected(small.grouped, groups, groups=groups)
    assert all(len(seen) == len(set(seen)) for _, seen in results.values())  # nobody came back to what it had left


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=30), st.integers(1, 4), st.data())
def test_any_order_of_finishing_and_dying_hands_out_every_job(
    groups: list[str], count: int, data: st.DataObject
) -> None:
    """Against a plain look through all that waits."""
    queue, waiting = _Queue(groups), set(range(len(groups)))
    workers: list[Any] = [f"worker {n}" for n in range(count)]
    at: dict[Any, str] = {}
    deaths = 3
    while queue:
        worker = data.draw(st.sampled_from(workers))
        open_groups = {groups[i] for i in waiting}
        own = at.pop(worker, None)
        crowd = {group: list(at.values()).count(group) for group in open_groups}
        index = queue.take(worker)
        if own in open_groups:
            assert groups[index] == own
        else:
            assert crowd[groups[index]] == min(crowd.values())
        assert index == min(i for i in waiting if groups[i] == groups[index])
        at[worker] = groups[index]
        waiting.remove(index)
        if deaths and data.draw(st.booleans()):
            deaths -= 1
            queue.back(index)
            queue.leave(worker)
            waiting.add(index)
            del at[worker]
    assert not waiting
