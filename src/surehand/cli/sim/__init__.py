"""`surehand sim`: the simulated robot; one module and one short function per command."""

import typer

from surehand.cli.sim.record import record

app = typer.Typer(
    name="sim",
    help="A simulated mobile manipulator: record demonstrations of its tasks.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.callback()
def sim() -> None:
    """A simulated mobile manipulator: record demonstrations of its tasks."""


app.command()(record)
