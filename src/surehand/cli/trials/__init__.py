"""`surehand trials`: plan robot trials, run them blind, keep them for good, say what they prove."""

import typer

from surehand.cli.trials import rubric

app = typer.Typer(
    name="trials",
    help="Plan robot trials, run them blind, judge them.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.command()(rubric.rubric)
