"""Work shared among processes: in order, cancelled on close, errors and deaths in one line."""

import os
import subprocess
import sys
import textwrap
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from surehand.exceptions import ShapeError, SurehandError
from surehand.workers import only_one, run_jobs

sys.path.insert(0, str(Path(__file__).parent))  # workers import it too
from small_jobs import killed, recorded, refused, squared


def test_results_come_in_the_order_of_the_jobs() -> None:
    for processes in (1, 2, 5):
        assert list(run_jobs(squared, range(23), processes=processes)) == [n * n for n in range(23)]
    assert list(run_jobs(squared, [], processes=2)) == []
    with pytest.raises(SurehandError, match="at least 1"):
        next(run_jobs(squared, [1], processes=0))


@pytest.mark.parametrize("processes", [1, 2])
def test_closing_cancels_what_has_not_begun(tmp_path: Path, processes: int) -> None:
    results = run_jobs(recorded, [(str(tmp_path), n) for n in range(100)], processes=processes)
    assert next(results) == 0
    results.close()
    assert 1 <= len(list(tmp_path.iterdir())) < 40


@pytest.mark.parametrize("processes", [1, 2])
def test_a_jobs_own_error_comes_through(processes: int) -> None:
    results = run_jobs(refused, range(5), processes=processes)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ShapeError, match="job 2 does not fit"):
        next(results)


def test_a_worker_that_dies_is_one_line() -> None:
    with pytest.raises(SurehandError, match="worker process died") as error:
        list(run_jobs(killed, range(5), processes=2))
    assert "\n" not in str(error.value)


def test_workers_end_with_the_program_that_was_killed(tmp_path: Path) -> None:
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from small_jobs import slept
        from surehand.workers import run_jobs
        if __name__ == "__main__":
            list(run_jobs(slept, [{str(tmp_path)!r}] * 9, processes=2))
    """
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(code))
    started = subprocess.Popen([sys.executable, str(program)])
    while not (workers := [int(path.stem) for path in tmp_path.glob("*.pid")]):
        assert started.poll() is None
        time.sleep(0.05)
    started.kill()
    started.wait()
    for _ in range(200):
        if not any(map(_runs, workers)):
            return
        time.sleep(0.05)
    pytest.fail(f"workers {workers} are still there")


def _runs(process: int) -> bool:
    """Whether it does; one that has ended may wait for its new parent to look."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")


def test_only_one_command_works_in_a_folder(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(SurehandError, match="another command is at work in"), only_one(tmp_path):
        pass
    with only_one(tmp_path):  # the first one ended
        assert not list(tmp_path.iterdir())


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SurehandError, match="surehand\\[ray\\]"):
        list(run_jobs(squared, [1], ray=True))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is an extra")
def test_ray_gives_the_same() -> None:
    """In a process of its own: Ray's sockets and threads outlive a test."""
    script = textwrap.dedent("""
        import sys; sys.path.insert(0, sys.argv[1])
        from surehand.exceptions import SurehandError
        from surehand.workers import run_jobs
        from small_jobs import killed, refused, squared
        assert list(run_jobs(squared, range(23), ray=True)) == [n * n for n in range(23)]
        for job, says in ((refused, "job 2 does not fit"), (killed, "worker process died")):
            try:
                list(run_jobs(job, range(5), ray=True))
            except SurehandError as error:
                assert says in str(error), error
            else:
                raise AssertionError(says)
        """)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
