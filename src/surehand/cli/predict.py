"""`surehand predict`: policies over held-out frames, as recorded predictions."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surehand.cli import EXIT_BAD_INPUT, EXIT_FINDINGS, options

if TYPE_CHECKING:
    from surehand.predictions.record import PredictRecord


def predict(
    inputs: options.Inputs = [],  # noqa: B006  (typer reads it as the default)
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the predictions.")] = None,
    repo_id: options.RepoId = "",
    policy: options.Policies = [],  # noqa: B006
    split: options.SplitFraction = None,
    episodes: options.Episodes = "",
    ratio: options.Ratio = None,
    stride: options.Stride = 1,
    samples: options.SamplesK = 1,
    seed: options.Seed = 0,
    sigma: options.Sigma = None,
    temperature: options.Temperature = None,
    horizon: Annotated[int | None, typer.Option(help="Cut chunks to so many steps.", min=1)] = None,
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
    space: Annotated[str, typer.Option(help="What a server's or function's numbers mean.")] = "robot",
    vlm: options.Vlm = None,
    cache_gb: options.CacheGb = 20.0,
    again: options.Again = False,
    as_json: options.AsJson = False,
) -> None:
    """Run policies over held-out episodes: one file of recorded predictions each, for `surehand errors -p`.

    The same command goes on after Ctrl-C or a crash. Exit code 1 where some policies failed, 2 where all did.
    """
    from surehand.cli import inputs as given
    from surehand.cli import policies
    from surehand.exceptions import SurehandError
    from surehand.predictions.plan import PredictPlan

    if out is None:
        raise SurehandError("where to? give the folder of the predictions with --out")
    folder, wanted = policies.parted(inputs, repo_id, policy)
    data = given.open_dataset(folder, repo_id)
    held_out = given.make_split(data, (), split, episodes, ratio, seed)
    plan = PredictPlan(
        episodes=held_out.held_out,
        train=held_out.train,
        stride=stride,
        samples=samples,
        seed=seed,
        sigma=sigma,
        temperature=temperature,
        horizon=horizon,
        batch=batch,
        access=policies.access(data.root, map, resize, api_key, timeout, space, vlm),
    )
    machines = policies.Machines(processes, ray, ray_address, gpus, threads, cache_gb)
    record = policies.run(data, wanted, plan, out, machines, split=held_out, again=again)
    if as_json:
        print(record.model_dump_json(indent=1))
    else:
        show(record, out)
    if record.failed:
        raise typer.Exit(EXIT_FINDINGS if len(record.failed) < len(record.current) else EXIT_BAD_INPUT)


def show(record: "PredictRecord", out: Path) -> None:
    """Print what came of every policy."""
    from rich.console import Console
    from rich.table import Column, Table

    name, file = Column("policy", overflow="fold"), Column("file", overflow="fold")  # whole, on narrow terminals too
    table = Table(name, "frames", "draws", "frames/s", "seconds", file, box=None)
    for policy in record.current:
        if policy.state == "done":
            table.add_row(
                policy.name, str(policy.frames), str(policy.draws), f"{policy.speed:.1f}", f"{policy.seconds:.1f}",
                policy.file,
            )  # fmt: skip
        else:
            table.add_row(policy.name, "–", "–", "–", "–", "failed")
    Console(highlight=False, markup=False).print(table)
    for policy in record.failed:
        print(f"surehand: {policy.name} failed: {policy.reason}", file=sys.stderr)
    if len(record.failed) < len(record.current):
        print(f"\n{out}: predict.json; measure with: surehand errors DATASET -p {shlex.quote(str(out))}")
