"""`surehand trials power`: how many trials the question takes, and what difference so many trials find."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from surehand.cli import options

if TYPE_CHECKING:
    from surehand.decide.planning_pilots import Pilots


def power(
    pilot: Annotated[str, typer.Option(help="Trials so far: a sheet, a result file, or a store.")] = "",
    policies: Annotated[list[str], typer.Option("--policy", help="One of the two policies in it; repeat.")] = [],  # noqa: B006
    first: Annotated[str, typer.Option(help="Instead: counts per level, lowest first, e.g. 0,0,0,20.")] = "",
    second: Annotated[str, typer.Option(help="The other policy's counts, e.g. 0,0,5,15.")] = "",
    successes: Annotated[list[str], typer.Option("--success", help="Instead: successes/trials; repeat.")] = [],  # noqa: B006
    rubric: Annotated[str, typer.Option(help="hsr, success, or a JSON file; says which levels there are.")] = "",
    n: Annotated[
        int | None, typer.Option("--n", "-n", min=1, max=1000, help="Trials per policy you can afford.")
    ] = None,
    target: Annotated[float, typer.Option(help="Probability with which the difference shall be found.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Error rate of the whole study.")] = 0.05,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs the study compares: Holm's hardest step is α/pairs.")] = 1,
    sides: Annotated[int, typer.Option(min=1, max=2, help="1: only the better pilot can win.")] = 2,
    test: Annotated[
        Literal["permutation", "approximation", "fisher", "barnard"],
        typer.Option(help="fisher and barnard need successes."),
    ] = "permutation",
    prior: Annotated[float, typer.Option(min=1e-3, help="Dirichlet weight per level of both policies.")] = 0.5,
    study: Annotated[str, typer.Option(help="Study, where a store holds several.")] = "",
    seed: options.Seed = 0,
    out: options.Out = None,
    as_json: options.AsJson = False,
    as_csv: options.AsCsv = False,
    as_markdown: options.AsMarkdown = False,
) -> None:
    """How many trials per policy it takes to tell two apart, from what a pilot showed.

    Plan on the assurance: it averages power over what the pilots leave open. Power at the pilots' own shares is printed
    beside it, and with `--n` the smallest difference that so many trials find.
    """
    from surehand.cli.inputs import check_writable
    from surehand.cli.output import show
    from surehand.decide.planning import plan_trials

    check_writable(out)
    found = _pilots(pilot, policies, first, second, successes, rubric, study)
    plan = plan_trials(
        *found.counts,
        levels=found.levels,
        names=found.names,
        test=test,
        sides=sides,
        alpha=alpha,
        pairs=pairs,
        target=target,
        prior=prior,
        n=n,
        seed=seed,
        source=pilot,
        warnings=found.notes,
    )
    show(plan, out, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown)


def _pilots(
    pilot: str, policies: list[str], first: str, second: str, successes: list[str], rubric: str, study: str
) -> "Pilots":
    """What the options name; SurehandError unless it is exactly one kind of pilot."""
    from surehand.cli.trials.sources import read_source
    from surehand.decide.planning_pilots import from_counts, from_successes, from_trials
    from surehand.exceptions import SurehandError
    from surehand.formats.rubrics import read_rubric

    if bool(pilot) + bool(first or second) + bool(successes) != 1:
        raise SurehandError("which pilots? give one of --pilot FILE, --first with --second, or --success twice")
    if policies and not pilot:
        raise SurehandError("--policy names policies of a --pilot file; counts and successes need none")
    if successes:
        return from_successes(successes)
    scale = read_rubric(rubric) if rubric else None
    if pilot:
        source = read_source(pilot, study=study)
        if scale is None and source.schedule is not None:
            scale = source.schedule.rubric
        return from_trials(source.trials, policies, scale)
    if not (first and second):
        raise SurehandError("counts of one policy only; give both --first and --second")
    return from_counts(first, second, scale)
