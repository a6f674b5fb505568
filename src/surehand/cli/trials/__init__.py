"""`surehand trials`: plan robot trials, run them blind, keep them for good, say what they prove."""

import typer

from surehand.cli.trials.rubric import rubric

app = typer.Typer(
    name="trials",
    help="Trials on a real robot: planned and sealed, run blind, kept for good, judged for what they prove.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.callback()
def trials() -> None:
    """Trials on a real robot: planned and sealed, run blind, kept for good, judged for what they prove."""


# In the order in which they are used.
app.command()(rubric)
