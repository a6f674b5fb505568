"""`surehand trials compare`: which policy is better on the robot, as far as its trials show."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from surehand.cli import options


def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Trials: a sheet (CSV, Parquet), openpi's DROID results, eval_info.json, a store (.db, "
            "postgresql://); NAME=SOURCE names the policy of one.",
            metavar="SOURCE...",
            show_default=False,
        ),
    ],
    rubric: Annotated[str, typer.Option(help="Levels and success: hsr, success, or a JSON file.")] = "",
    policy: Annotated[list[str], typer.Option("--policy", help="Show these alone; repeat.")] = [],  # noqa: B006
    outcome: Annotated[str, typer.Option(help="score or success; by default score where every trial has one.")] = "",
    design: Annotated[str, typer.Option(help="auto (by the blocks), independent, blocked or paired.")] = "auto",
    study: Annotated[str, typer.Option(help="Which study of a store.")] = "",
    schedule: Annotated[Path | None, typer.Option(help="schedule.json: what was planned, and when to stop.")] = None,
    yes_is: Annotated[str, typer.Option(help="What 0.01 in DROID results stands for: success or 1%.")] = "",
    illustrate: Annotated[bool, typer.Option(help="Show what a sequential test would have done.")] = False,
    alpha: Annotated[float, typer.Option(help="False statements allowed, over all pairs.")] = 0.05,
    draws: Annotated[int, typer.Option(min=100, help="Permutations where there are too many for all.")] = 100_000,
    level: options.Level = 0.95,
    seed: options.Seed = 0,
    out: options.Out = None,
    as_json: options.AsJson = False,
    as_csv: options.AsCsv = False,
    as_markdown: options.AsMarkdown = False,
) -> None:
    """Which policy is better on the robot: exact tests, and for every pair robust, fragile or not resolved.

    Policies shown with --policy are still adjusted over all pairs in the sources, because they were chosen from them.
    """
    import numpy as np

    from surehand.cli import inputs
    from surehand.cli.output import show
    from surehand.cli.trials.sources import read_all
    from surehand.decide.compare import compare_trials
    from surehand.formats.rubrics import read_rubric
    from surehand.formats.schedules import Schedule

    inputs.check_writable(out)
    trials, planned, warnings = read_all(sources, yes_is=yes_is, study=study)
    record = compare_trials(
        *([trials[name] for name in dict.fromkeys(policy)] or [trials]),
        rng=np.random.default_rng(seed),
        rubric=read_rubric(rubric) if rubric else None,
        outcome=cast(Any, outcome),
        design=cast(Any, design),
        alpha=alpha,
        level=level,
        draws=draws,
        schedule=Schedule.load(schedule) if schedule else planned,
        illustrate=illustrate,
    )
    record = record.model_copy(update={"seed": seed, "warnings": [*warnings, *record.warnings]})
    show(record, out, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown)
