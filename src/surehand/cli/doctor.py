"""`surehand doctor`: can these numbers be trusted at all?"""

from pathlib import Path
from typing import Annotated

import typer

from surehand.cli import EXIT_FINDINGS, options


def doctor(
    dataset: options.Dataset = None,
    repo_id: options.RepoId = "",
    predictions: options.Predictions = [],  # noqa: B006  (typer reads it as the default)
    policy: Annotated[
        list[str], typer.Option("--policy", help="A policy to examine: checkpoint, server or module:function; repeat.")
    ] = [],  # noqa: B006
    samples: Annotated[int, typer.Option(min=1, help="Samples (K) that you mean to draw from the policy.")] = 1,
    executed: Annotated[int | None, typer.Option(help="Leading steps the robot executes; default half.")] = None,
    map: options.Map = [],  # noqa: B006
    resize: options.Resize = 0,
    api_key: options.ApiKey = "",
    timeout: options.Timeout = 60.0,
    policy_space: Annotated[str, typer.Option(help="What a server's or function's numbers mean.")] = "robot",
    vlm: options.Vlm = None,
    robot: options.RobotName = "",
    layout: options.LayoutText = "",
    modality: options.Modality = None,
    stats: options.StatsFile = None,
    split: options.SplitFraction = None,
    episodes: options.Episodes = "",
    config: Annotated[Path | None, typer.Option(help="train_config.json of the run: what it trained on.")] = None,
    trained_on: Annotated[
        list[Path], typer.Option(help="Another dataset the policy was trained on, searched for copies; repeat.")
    ] = [],  # noqa: B006
    seed: options.Seed = 0,
    out: options.Out = None,
    as_json: options.AsJson = False,
    as_markdown: options.AsMarkdown = False,
) -> None:
    """Look for what makes numbers lie: spaces, statistics, dead joints, leakage, gripper, names, timestamps.

    With `--policy`, a policy too: its statistics, cameras, joints and pace, and a few answers beside the recording.

    Exit code 1 where something needs attention, so that CI can stop on it.
    """
    import numpy as np

    from surehand.cli import inputs, policies
    from surehand.cli.output import show
    from surehand.cli.patients import examine_policy
    from surehand.decide.doctor import examine_folder

    inputs.check_writable(out)
    folder = inputs.dataset_folder(dataset, repo_id)
    reach = policies.access(folder, map, resize, api_key, timeout, policy_space, vlm)
    train, held_out = inputs.doctor_split(folder, split, episodes, config)
    record = examine_folder(
        folder,
        layout=inputs.named_layout(robot, layout, modality),
        stats=inputs.read_stats(stats)[0],
        predictions=inputs.open_files(predictions),
        policies=[examine_policy(where, folder, held_out, reach, samples, executed) for where in policy],
        train_episodes=train,
        eval_episodes=held_out,
        other_datasets=[inputs.open_dataset(other, "", check=False) for other in trained_on],
        rng=np.random.default_rng(seed),
    )
    show(record, out, as_json=as_json, as_markdown=as_markdown)
    if record.exit_code:
        raise typer.Exit(EXIT_FINDINGS)
