"""Options that several commands share, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

Dataset = Annotated[
    Path | None,
    typer.Argument(help="LeRobot dataset folder (v2.0, v2.1 or v3.0).", show_default=False, metavar="DATASET"),
]
RepoId = Annotated[str, typer.Option(help="Dataset by id in LeRobot's local cache (HF_LEROBOT_HOME), no download.")]
Predictions = Annotated[
    list[Path],
    typer.Option("--predictions", "-p", help="Recorded predictions (Parquet or npz), one checkpoint a file; repeat."),
]
RobotName = Annotated[str, typer.Option("--robot", help="Preset by name; `surehand robots` lists them.")]
LayoutText = Annotated[str, typer.Option("--layout", help='Joint groups, e.g. "arm(j1..j6):revolute[rad] gripper".')]
Modality = Annotated[Path | None, typer.Option(help="Joint groups from a GR00T modality.json.")]
SplitFraction = Annotated[
    float | None,
    typer.Option("--split", help="Hold out the last ceil(n·split) episodes of each task, as lerobot-train does."),
]
Episodes = Annotated[str, typer.Option("--episodes", help="Hold out exactly these episodes, e.g. 3,7,10..19.")]
Ratio = Annotated[float | None, typer.Option("--ratio", help="Hold out this share of the episodes at random.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
Resamples = Annotated[int, typer.Option("--resamples", help="Bootstrap draws.")]
Level = Annotated[float, typer.Option("--level", help="Confidence level of intervals.")]
Watch = Annotated[str, typer.Option("--watch", help="The group that matters most, named in the verdict.")]
Rule = Annotated[str, typer.Option("--rule", help="total, group:NAME, group:NAME@PHASE, weights, minimax or pareto.")]
StatsFile = Annotated[
    Path | None,
    typer.Option(
        "--stats", help="Statistics of normalised predictions: a LeRobot checkpoint, norm_stats.json or stats.json."
    ),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the record, figures and page.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the record as JSON instead of tables.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print the main table as CSV.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")]
Weights = Annotated[str, typer.Option("--weights", help="Group weights of the rule `weights`, e.g. arm=2,base=1.")]
Cluster = Annotated[
    str, typer.Option("--cluster", help="Per-episode column whose values are resampled whole: session, initial state.")
]
Inputs = Annotated[
    list[str],
    typer.Argument(
        help="LeRobot dataset folder (left out with --repo-id), then policies: checkpoints, run folders, servers "
        "(ws://, http://, tcp://), FILE.onnx, recorded predictions, module:function; NAME=POLICY names one.",
        show_default=False,
        metavar="DATASET POLICY...",
    ),
]
Policies = Annotated[list[str], typer.Option("--policy", help="Another policy to predict with; repeat.")]
Stride = Annotated[int, typer.Option("--stride", min=1, help="Predict every n-th frame of an episode.")]
SamplesK = Annotated[int, typer.Option("--samples", "-k", min=1, help="Chunks drawn per frame.")]
Sigma = Annotated[
    float | None,
    typer.Option("--sigma", min=0.0, help="Perturb answers by so many deviations of the training actions."),
]
Temperature = Annotated[float | None, typer.Option("--temperature", min=0.0, help="Of the policy's own samples.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Frames of one forward pass.")]
Processes = Annotated[int, typer.Option("--processes", min=1, help="Workers, each with a policy of its own.")]
Ray = Annotated[bool, typer.Option("--ray", help="Share the work through Ray: RAY_ADDRESS's cluster, else one here.")]
RayAddress = Annotated[str, typer.Option("--ray-address", help="Ray cluster to join: auto, host:port or ray://...")]
Gpus = Annotated[float, typer.Option("--gpus", min=0.0, help="GPUs per Ray worker.")]
Threads = Annotated[int, typer.Option("--threads", min=0, help="Threads of torch per worker; 0 shares the cores.")]
Map = Annotated[
    list[str],
    typer.Option("--map", help="What a server is sent, THEIRS=OURS, e.g. state=observation.state[0:7]; repeat."),
]
Resize = Annotated[int, typer.Option("--resize", min=0, help="Edge of pictures sent to a server; 0 as recorded.")]
ApiKey = Annotated[str, typer.Option("--api-key", envvar="SUREHAND_API_KEY", help="Of a server.", show_envvar=True)]
Timeout = Annotated[float, typer.Option("--timeout", min=0.0, help="Seconds to wait for a server's answer.")]
Vlm = Annotated[Path | None, typer.Option("--vlm", help="Local folder of the language model a checkpoint names.")]
CacheGb = Annotated[float, typer.Option("--cache-gb", min=0.0, help="Disk for decoded pictures; 0 keeps none.")]
Again = Annotated[bool, typer.Option("--again", help="Predict anew, whatever the folder holds already.")]
