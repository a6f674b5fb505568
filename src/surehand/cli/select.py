"""`surehand select`: which checkpoint to deploy, from a table of errors, a record, or several records."""

from pathlib import Path
from typing import Annotated

import typer

from surehand.cli import options


def select(
    source: Annotated[Path, typer.Argument(help="A table of group errors (CSV), or a record of `surehand errors`.")],
    rule: options.Rule = "total",
    watch: options.Watch = "",
    weights: options.Weights = "",
    resamples: options.Resamples = 10_000,
    level: options.Level = 0.95,
    seed: options.Seed = 0,
    out: options.Out = None,
    as_json: options.AsJson = False,
    as_csv: options.AsCsv = False,
    as_markdown: options.AsMarkdown = False,
) -> None:
    """Which checkpoint to deploy, by every rule, and which cannot be told apart from it.

    A CSV needs a column `checkpoint`, one per group, and `total`, or each group's number of joints in its heading, as
    `arm[5]`. Without episodes behind the numbers the verdict says so. A record brings its episodes, so sets and
    alarms carry their uncertainty.
    """
    import numpy as np

    from surehand.cli import inputs
    from surehand.cli.output import show
    from surehand.decide.select import select_checkpoint

    inputs.check_writable(out)
    choice = select_checkpoint(
        inputs.read_errors(source),
        rng=np.random.default_rng(seed),
        rule=rule,
        watch=watch or None,
        weights=inputs.parse_weights(weights),
        draws=resamples,
        level=level,
    )
    choice = choice.model_copy(update={"source": source.name, "seed": seed})
    show(choice, out, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown)
