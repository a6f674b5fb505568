"""The same on real Ray clusters: one started by us, and one joined that outlives us and loses a node.

Programs of their own, with warnings as errors: Ray's sockets and threads outlive a test.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
START = """
    import sys
    import small_actors as small
    from surehand.exceptions import ShapeError, SurehandError
    from surehand.workers import Failure, finished_jobs
    folder = sys.argv[1]

    def collected(function, jobs, begin=small.State, **options):
        results = list(finished_jobs(begin, function, jobs, **{"ray": "local", **options}))
        assert sorted(index for index, _ in results) == list(range(len(jobs)))
        return dict(results)

    def refusal(**options):
        try:
            collected(small.squared, [1, 2], **options)
        except SurehandError as error:
            return str(error)
"""


@contextmanager
def started(script: str, folder: Path) -> "Iterator[subprocess.Popen[str]]":
    """A program in a session of its own."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(START) + textwrap.dedent(script), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    environment.pop("RAY_ADDRESS", None)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ran(script: str, folder: Path) -> None:
    """The program ended well, and neither it nor Ray said anything."""
    with started(script, folder) as process:
        out, errors = process.communicate(timeout=180)
    assert (process.returncode, out, errors) == (0, "", ""), errors[-3000:]


def appeared(folder: Path, count: int = 1) -> list[int]:
    """Processes that said they work; at least so many."""
    for _ in range(3000):
        if len(found := [int(path.stem) for path in folder.glob("*.pid")]) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"only {found} began")


def ended(process: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] in ("", "Z")


def waited_until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


@pytest.mark.slow
def test_a_cluster_of_our_own(tmp_path: Path, need: Callable[[str], None]) -> None:
    need("ray")
    script = """
        assert collected(small.squared, list(range(23))) == {n: n * n for n in range(23)}
        import ray
        assert not ray.is_initialized()
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")  # stays ours

        jobs = ["a", "value", "shape", "exit", "two arguments", "holds", "unsent", "unread", small.Unsent(), "b"]
        here = collected(small.troubled, jobs[:5] + jobs[-1:], ray="", processes=1)
        there = collected(small.troubled, jobs)
        for index in range(4):
            assert repr(here[index]) == repr(there[index]), there[index]
        assert there[9] == "b" and "in troubled" in there[1].error.__notes__[0]
        for index, says in {4: "left: right", 5: "holds", 6: "be sent", 7: "be read", 8: "to a worker"}.items():
            assert says in str(there[index].error), there[index]

        numbers = [0, 100, 1, -1, 2, 101]
        results = collected(small.killed, [(folder, n) for n in numbers])
        assert "3 workers died of it" in str(results.pop(3).error)
        assert results == {i: n for i, n in enumerate(numbers) if n != -1}, results

        results = collected(small.grouped, list("ababcab"), groups="ababcab")
        assert all(len(seen) == len(set(seen)) for _, seen in results.values())
        assert refusal(begin=small.refuses) == "no such dataset"
        assert "3 workers in a row died before they were ready" in refusal(begin=small.dies)
        assert "no node of the Ray cluster has a processor and 99 GPUs" in refusal(gpus=99.0)
        assert ray.is_initialized()
        ray.shutdown()
        assert "no Ray cluster answers at 127.0.0.1:9" in refusal(ray="127.0.0.1:9")
        assert "no Ray cluster answers at ray://127.0.0.1:9" in refusal(ray="ray://127.0.0.1:9")
    """
    ran(script, tmp_path)


@pytest.mark.slow
def test_ctrl_c_ends_a_cluster_of_our_own(tmp_path: Path, need: Callable[[str], None]) -> None:
    need("ray")
    with started("list(finished_jobs(small.State, small.slept, [folder] * 9, ray='local'))", tmp_path) as process:
        workers = appeared(tmp_path, 2)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, 130)
    assert errors.rstrip().endswith("KeyboardInterrupt"), errors
    waited_until(lambda: all(map(ended, workers)))


def listens(port: int) -> bool:
    with socket.socket() as ours:
        return ours.connect_ex(("127.0.0.1", port)) == 0


def lost(group: int) -> None:
    """Nothing; the processes of a node are killed, those that are left."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@contextmanager
def node(*options: str) -> "Iterator[subprocess.Popen[bytes]]":
    """One node of a cluster that is not ours; `ray stop` would end everybody's."""
    command = [Path(sys.executable).parent / "ray", "start", "--block", "--disable-usage-stats", "--num-cpus=1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen([*command, *options], env=environment, **quiet) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                lost(process.pid)


@pytest.mark.slow
def test_a_cluster_joined_loses_a_node_and_outlives_us(
    tmp_path: Path, need: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("ray")
    # A token of this cluster alone: newer versions of Ray would else use one from the home folder, on one side only.
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    head = ("--head", f"--port={port}", "--include-dashboard=false")
    with node(*head):
        waited_until(lambda: listens(port))
        with node(f"--address={address}") as second:
            script = f"""
                import time, ray
                ray.init("{address}", log_to_driver=False, logging_level="ERROR")
                while ray.cluster_resources().get("CPU") != 2:
                    time.sleep(0.1)
                ray.shutdown()
                results = collected(small.waited, [(folder, n) for n in range(4)], processes=0, ray="{address}")
                assert results == {{n: n for n in range(4)}}, results
            """
            with started(script, tmp_path) as program:
                appeared(tmp_path, 2)
                lost(second.pid)
                (tmp_path / "go").touch()
                _, errors = program.communicate(timeout=120)
                assert program.returncode == 0, errors[-3000:]
        ran(f"assert collected(small.squared, [3, 4], ray='{address}') == {{0: 9, 1: 16}}", tmp_path)
        monkeypatch.setenv("RAY_AUTH_TOKEN", "of another cluster")
        with started(f"assert 'RAY_AUTH_TOKEN' in refusal(ray='{address}')", tmp_path) as program:
            _, errors = program.communicate(timeout=120)
            assert program.returncode == 0, errors[-3000:]
