"""`surehand errors`: from a dataset and recorded predictions to errors by joint group, a verdict and a page."""

from pathlib import Path
from typing import Annotated

import typer

from surehand.cli import options


def errors(
    dataset: options.Dataset = None,
    repo_id: options.RepoId = "",
    predictions: options.Predictions = [],  # noqa: B006  (typer reads it as the default)
    robot: options.RobotName = "",
    layout: options.LayoutText = "",
    modality: options.Modality = None,
    split: options.SplitFraction = None,
    episodes: options.Episodes = "",
    ratio: options.Ratio = None,
    horizon: Annotated[int, typer.Option(help="Chunk steps of the rivals where no predictions are given.")] = 16,
    executed: Annotated[int | None, typer.Option(help="Leading steps the robot executes; default half.")] = None,
    space: Annotated[str, typer.Option(help="robot (units), normalised, range or std.")] = "robot",
    phase: Annotated[
        str, typer.Option(help="auto, none, gripper, column:NAME, speed:NAME[:LIMIT] or distance:NAME:LIMIT.")
    ] = "auto",
    rivals: Annotated[str, typer.Option(help="Trivial policies to compare with: hold,state,mean,nearest.")] = (
        "hold,state,mean,nearest"
    ),
    rule: options.Rule = "total",
    watch: options.Watch = "",
    weights: options.Weights = "",
    stats: options.StatsFile = None,
    model: Annotated[Path | None, typer.Option(help="Robot model (URDF or MJCF) for errors in metres.")] = None,
    site: Annotated[str, typer.Option(help="Site or body of the model that is the tool.")] = "",
    cluster: options.Cluster = "",
    resamples: options.Resamples = 10_000,
    level: options.Level = 0.95,
    seed: options.Seed = 0,
    out: options.Out = None,
    as_json: options.AsJson = False,
    as_csv: options.AsCsv = False,
    as_markdown: options.AsMarkdown = False,
) -> None:
    """Errors per joint group of recorded predictions and trivial rivals over held-out episodes, and the verdict.

    Without predictions the rivals alone are measured: how hard is this dataset? With `--out` the record, figures and a
    page are written there.
    """
    from surehand.cli import inputs
    from surehand.cli.output import progress_bar, show
    from surehand.errors.plan import Plan
    from surehand.errors.run import measure_errors

    inputs.check_writable(out)
    data = inputs.open_dataset(dataset, repo_id)
    files = inputs.open_files(predictions)
    match = inputs.find_layout(data, robot, layout, modality)
    normaliser, by = inputs.read_stats(stats)
    plan = Plan(
        layout=match.layout,
        split=inputs.make_split(data, files, split, episodes, ratio, seed),
        robot=match.robot or "",
        evidence=match.evidence,
        horizon=horizon,
        executed=executed,
        space=inputs.error_space(space),
        by=by,
        stats=normaliser,
        phase=phase,
        rivals=tuple(name.strip() for name in rivals.split(",") if name.strip() not in ("", "none")),
        rule=rule,
        watch=watch,
        weights=inputs.parse_weights(weights),
        model=model,
        site=site,
        cluster=cluster,
        seed=seed,
        draws=resamples,
        level=level,
    )
    with progress_bar() as progress:
        record = measure_errors(data, plan, files, progress)
    show(record, out, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown)
