"""docs/sim.md says what the code says."""

import re
from pathlib import Path

from surehand.cli.sim import choices
from surehand.sim.model import SUBSTEPS, TIMESTEP
from surehand.sim.robot import BODIES
from surehand.sim.tasks import TASKS

PAGE = (Path(__file__).parents[2] / "docs" / "sim.md").read_text(encoding="utf-8")


def cells(first: str, header: str) -> list[str]:
    """The cells of the row that begins with `first` in the table under `header`."""
    table = PAGE[PAGE.index(header) :]
    row = re.search(rf"^\| {re.escape(first)} \|(.*)\|$", table, re.MULTILINE)
    assert row is not None, first
    return [cell.strip() for cell in row[1].split("|")]


def test_limits_and_lengths_of_tasks_are_those_of_the_code() -> None:
    for name, task in TASKS.items():
        assert cells(f"`{name}`", "| task | instruction")[-1] == str(task.steps)
        stated = cells(f"`{name}`", "| task | object | table")
        limits = [task.limits.get(channel) for channel in ("object", "table", "self", "press")]
        assert stated == ["" if limit is None else f"{limit:g} N" for limit in limits]


def test_bodies_and_time_steps_are_those_of_the_code() -> None:
    for name, body in BODIES.items():
        assert cells(f"`{name}`", "| body | columns")[0] == str(body.size)
    assert f"{SUBSTEPS} physics steps of {1000 * TIMESTEP:g} ms" in PAGE


def test_the_command_offers_every_task_and_body() -> None:
    # The command line names them itself, so that --help need not load the physics.
    assert [task.value for task in choices.Task] == list(TASKS)
    assert [body.value for body in choices.Body] == list(BODIES)
