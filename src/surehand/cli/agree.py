"""`surehand agree`: which offline number orders the policies as the robot did, and what so few policies can show."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from surehand.cli import options


def agree(
    errors: Annotated[
        list[Path], typer.Argument(help="Records of `surehand errors`, or one table of offline numbers (CSV).")
    ],
    trials: Annotated[
        list[str],
        typer.Option(
            "--trials",
            "-t",
            help="Robot trials as `surehand trials compare` takes them, repeat; or a CSV policy,score.",
        ),
    ],
    metric: Annotated[
        list[str],
        typer.Option(
            "--metric", "-m", help="total, arm, arm@near (a phase), arm@1 (a step), arm@executed, std/arm; repeat."
        ),
    ] = [],  # noqa: B006  (typer reads it as the default)
    higher: Annotated[
        list[str], typer.Option(help="Column of the table that is better when higher, e.g. simulated success; repeat.")
    ] = [],  # noqa: B006
    join: Annotated[
        list[str], typer.Option(help="Who is who where names differ, OFFLINE=ROBOT; repeat.", metavar="OFFLINE=ROBOT")
    ] = [],  # noqa: B006
    matched: Annotated[
        bool, typer.Option("--matched", help="Leave out policies that only one side names, and say so.")
    ] = False,
    outcome: Annotated[str, typer.Option(help="score or success; default score where every trial has one.")] = "",
    study: Annotated[str, typer.Option(help="The study, where a store holds several.")] = "",
    rubric: Annotated[str, typer.Option(help="Levels of the scores: hsr, success or a JSON file.")] = "",
    exchangeable: Annotated[
        bool,
        typer.Option("--exchangeable", help="Declare that checkpoints of one training run do not share a clock."),
    ] = False,
    resamples: options.Resamples = 10_000,
    level: options.Level = 0.95,
    seed: options.Seed = 0,
    out: options.Out = None,
    as_json: options.AsJson = False,
    as_csv: options.AsCsv = False,
    as_markdown: options.AsMarkdown = False,
) -> None:
    """Which offline number orders the policies as the robot did, and whether so few policies can show it.

    Fewer than five policies are consistent or inconsistent, never more. Checkpoints of one training run share a clock:
    with several runs the run is the unit, with one there is no p-value.
    """
    import numpy as np

    from surehand.cli import inputs
    from surehand.cli.output import show
    from surehand.errors.offline import agree as judge
    from surehand.formats.rubrics import read_rubric

    inputs.check_writable(out)
    robot, levels, warnings = _robot(trials, study)
    record = judge(
        _offline(errors, tuple(metric), tuple(higher)),
        robot,
        rng=np.random.default_rng(seed),
        outcome=cast(Any, outcome),
        rubric=read_rubric(rubric) if rubric else levels,
        join=_joined(join),
        matched=matched,
        exchangeable=exchangeable,
        draws=resamples,
        level=level,
    )
    said = {
        "source": ", ".join(path.name for path in errors),
        "trials": ", ".join(Path(source).name for source in trials),
        "seed": seed,
        "warnings": [*warnings, *record.warnings],
    }
    show(record.model_copy(update=said), out, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown)


def _offline(paths: list[Path], metrics: tuple[str, ...], higher: tuple[str, ...]) -> Any:
    """The offline side of one table, or of one or more records."""
    from surehand.decide.agree_tables import read_offline_table
    from surehand.errors.offline import offline_records
    from surehand.errors.record import ErrorsRecord
    from surehand.exceptions import SurehandError

    tables = [path for path in paths if path.suffix == ".csv"]
    if tables and len(paths) > 1:
        raise SurehandError("give one table of offline numbers, or records of `surehand errors`, not both or several")
    if tables:
        return read_offline_table(tables[0], higher=higher, wanted=metrics)
    if higher:
        raise SurehandError("--higher names a column of a table; errors in a record are better when lower")
    return offline_records([ErrorsRecord.load(path) for path in paths], metrics)


def _robot(sources: list[str], study: str) -> tuple[Any, Any, list[str]]:
    """The robot's side, single trials from anywhere or one table of means; a schedule's rubric for it; warnings."""
    from surehand.cli.trials.sources import read_all
    from surehand.decide.agree_tables import read_robot_means

    if len(sources) == 1 and sources[0].endswith(".csv") and (means := read_robot_means(sources[0])) is not None:
        return means, None, []
    trials, schedule, warnings = read_all(sources, study=study)
    return trials, schedule and schedule.rubric, warnings


def _joined(pairs: list[str]) -> dict[str, str]:
    """Offline name -> the robot's, from OFFLINE=ROBOT."""
    from surehand.exceptions import SurehandError

    found: dict[str, str] = {}
    for pair in pairs:
        offline, equals, robot = pair.partition("=")
        if not equals or not offline.strip() or not robot.strip() or offline.strip() in found:
            raise SurehandError(f"cannot read --join {pair!r}; expected OFFLINE=ROBOT, each offline name once")
        found[offline.strip()] = robot.strip()
    return found
