"""`surehand errors`: from a dataset and policies, or their predictions, to errors by joint group, a verdict, a page."""

from pathlib import Path
from typing import Annotated

import typer

from surehand.cli import EXIT_FINDINGS, options


def errors(
    inputs: options.Inputs = [],  # noqa: B006  (typer reads it as the default)
    repo_id: options.RepoId = "",
    policy: options.Policies = [],  # noqa: B006
    predictions: options.Predictions = [],  # noqa: B006  (typer reads it as the default)
    robot: options.RobotName = "",
    layout: options.LayoutText = "",
    modality: options.Modality = None,
    split: options.SplitFraction = None,
    episodes: options.Episodes = "",
    ratio: options.Ratio = None,
    horizon: Annotated[
        int | None,
        typer.Option(help="Cut the chunks of policies to so many steps; steps of the rivals without any: 16.", min=1),
    ] = None,
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
    stride: options.Stride = 1,
    samples: options.SamplesK = 1,
    sigma: options.Sigma = None,
    temperature: options.Temperature = None,
    batch: options.Batch = 64,
    processes: options.Processes = 1,
    ray: options.Ray = False,
    ray_address: options.RayAddress = "",
    gpus: options.Gpus = 0.0,
    threads: options.Threads = 0,
    map: options.Map = [],  # noqa: B006
    resize: options.Resize = 0,
    api_key: options.ApiKey = "",
    timeout: options.Timeout = 60.0,
    policy_space: Annotated[str, typer.Option(help="What a server's or function's numbers mean.")] = "robot",
    vlm: options.Vlm = None,
    cache_gb: options.CacheGb = 20.0,
    again: options.Again = False,
    out: options.Out = None,
    as_json: options.AsJson = False,
    as_csv: options.AsCsv = False,
    as_markdown: options.AsMarkdown = False,
) -> None:
    """Errors per joint group of policies, recorded predictions and trivial rivals over held-out episodes; the verdict.

    Policies are run first, where their predictions are not there yet; those stay in OUT/predictions, or in the user's
    cache. Without policies and predictions the rivals alone are measured: how hard is this dataset? With `--out` the
    record, figures and a page are written there. Exit code 1 where a policy failed and others were measured.
    """
    from surehand.cli import inputs as given
    from surehand.cli import policies as running
    from surehand.cli.output import progress_bar, show
    from surehand.errors.plan import HORIZON, Plan
    from surehand.errors.run import measure_errors
    from surehand.predictions.plan import PredictPlan

    given.check_writable(out)
    folder, wanted = running.parted(inputs, repo_id, policy)
    data = given.open_dataset(folder, repo_id)
    files = given.open_files(predictions)
    match = given.find_layout(data, robot, layout, modality)
    normaliser, by = given.read_stats(stats)
    plan = Plan(
        layout=match.layout,
        split=given.make_split(data, files, split, episodes, ratio, seed),
        robot=match.robot or "",
        evidence=match.evidence,
        horizon=horizon or HORIZON,
        executed=executed,
        space=given.error_space(space),
        by=by,
        stats=normaliser,
        phase=phase,
        rivals=tuple(name.strip() for name in rivals.split(",") if name.strip() not in ("", "none")),
        rule=rule,
        watch=watch,
        weights=given.parse_weights(weights),
        model=model,
        site=site,
        cluster=cluster,
        seed=seed,
        draws=resamples,
        level=level,
    )
    failed: list[str] = []
    if wanted:
        how = PredictPlan(
            episodes=plan.split.held_out, train=plan.split.train, stride=stride, samples=samples, seed=seed,
            sigma=sigma, temperature=temperature, horizon=horizon, batch=batch,
            access=running.access(data.root, map, resize, api_key, timeout, policy_space, vlm),
        )  # fmt: skip
        machines = running.Machines(processes, ray, ray_address, gpus, threads, cache_gb)
        made, failed = running.run_for(data, wanted, how, out, machines, split=plan.split, again=again)
        files += made
    with progress_bar() as progress:
        record = measure_errors(data, plan, files, progress)
    record.warnings.extend(failed)
    show(record, out, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown)
    if failed:
        raise typer.Exit(EXIT_FINDINGS)
