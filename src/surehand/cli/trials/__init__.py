"""`surehand trials`: plan robot trials, run them blind, keep them for good, say what they prove."""

import typer

from surehand.cli.trials.bring import bring
from surehand.cli.trials.close import close
from surehand.cli.trials.compare import compare
from surehand.cli.trials.export import export
from surehand.cli.trials.plan import plan
from surehand.cli.trials.power import power
from surehand.cli.trials.rubric import rubric
from surehand.cli.trials.serve import serve
from surehand.cli.trials.status import status
from surehand.cli.trials.which import which

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
app.command()(power)
app.command()(plan)
app.command()(rubric)
app.command()(serve)
app.command()(which)
app.command()(status)
app.command()(close)
app.command()(compare)
app.command()(export)
app.command("import")(bring)
