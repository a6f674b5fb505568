"""`surehand sim rollout`: checkpoints in closed loop, as trials and rounds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surehand.cli.sim.choices import Body, Task

if TYPE_CHECKING:
    from surehand.sim.summary import RolloutRecord


def rollout(
    checkpoints: Annotated[list[str], typer.Argument(help="Folders of checkpoints, or `expert`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results; must not exist yet.")],
    task: Annotated[list[Task], typer.Option("--task", help="What the robot is told; repeat for several.")],
    episodes: Annotated[int, typer.Option("--episodes", help="Per checkpoint and task.", min=1)] = 50,
    seed: Annotated[int, typer.Option("--seed", help="Seed of scenes and candidates.")] = 0,
    body: Annotated[Body, typer.Option("--body", help="Robot: mobile (11 columns) or desk (6).")] = Body.mobile,
    execute: Annotated[int, typer.Option("--execute", help="Steps of each chunk that are carried out.")] = 4,
    candidates: Annotated[
        int,
        typer.Option("--candidates", help="Chunks drawn per decision, the first is carried out; 0: the answer alone."),
    ] = 0,
    native: Annotated[bool, typer.Option("--native", help="Candidates: the policy's own samples.")] = False,
    temperature: Annotated[
        float | None, typer.Option("--temperature", help="Candidates: the policy's own samples, at this temperature.")
    ] = None,
    sigma: Annotated[
        float | None, typer.Option("--sigma", help="Candidates: the answer plus noise of σ training spreads.")
    ] = None,
    per_step: Annotated[
        bool, typer.Option("--per-step", help="With --sigma: other noise in every step of a chunk.")
    ] = False,
    batch_moments: Annotated[
        int | None, typer.Option("--batch-moments", help="Candidates: from mean and variance of N own samples.")
    ] = None,
    branch: Annotated[bool, typer.Option("--branch", help="Try every candidate in a branch and label it.")] = False,
    processes: Annotated[int, typer.Option("--processes", help="Worked on side by side.", min=1)] = 2,
    ray: Annotated[bool, typer.Option("--ray", help="Share the work through Ray.")] = False,
) -> None:
    """Let checkpoints act in scenes of their own: success, forces and violations, as trials and rounds.

    The same command goes on after Ctrl-C.
    """
    from surehand.cli.output import progress_bar
    from surehand.exceptions import SurehandError
    from surehand.sim.campaign import Campaign
    from surehand.sim.campaign_run import roll_out

    own = native or (temperature is not None and batch_moments is None)  # moments may be of samples at a temperature
    if own + (sigma is not None) + (batch_moments is not None) > 1:
        raise SurehandError("candidates are drawn in one way: --native or --temperature, --sigma, or --batch-moments")
    if per_step and sigma is None:
        raise SurehandError("--per-step says how --sigma's noise is drawn; give --sigma too")
    generator = "perturbation" if sigma is not None else "native" if own else ""
    campaign = Campaign(
        policies=tuple(checkpoints),
        tasks=tuple(t.value for t in task),
        episodes=episodes,
        body=body.value,
        seed=seed,
        execute=execute,
        candidates=candidates,
        generator="batch-moments" if batch_moments is not None else generator,  # type: ignore[arg-type]
        sigma=sigma or 0.0,
        per="step" if per_step else "chunk",
        temperature=temperature,
        n0=batch_moments or 0,
        branch=branch,
    )
    with progress_bar() as progress:
        record = roll_out(campaign, out, processes=processes, ray=ray, progress=progress)
    _print(record)
    print(f"\n{out}: trials.csv, rounds/, rollout.json")


def _print(record: "RolloutRecord") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("policy", "task", "success", "95 %", "episodes with violations", box=None)
    for r in record.results:
        rate = "–" if not r.episodes else f"{r.rate:.2f} ({r.successes}/{r.episodes})"
        which = ", ".join(f"{name} {count}" for name, count in r.violated.items())
        aside = f"; {r.void} void" * bool(r.void) + f"; {r.refused} actions refused" * bool(r.refused)
        found = f"{r.violating}: {which}" if which else str(r.violating)
        table.add_row(r.policy, r.task, rate, f"{r.low:.2f}–{r.high:.2f}", found + aside)
    Console(highlight=False).print(table)
