"""`surehand sim`: the simulated robot; one module and one short function per command."""

import typer

from surehand.cli.sim.ablate import ablate
from surehand.cli.sim.film import film
from surehand.cli.sim.record import record
from surehand.cli.sim.rollout import rollout
from surehand.cli.sim.train import train

app = typer.Typer(
    name="sim",
    help="A simulated mobile manipulator: record demonstrations, train policies, roll them out, film them.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.callback()
def sim() -> None:
    """A simulated mobile manipulator: record demonstrations, train policies, roll them out, film them."""


# In the order in which they are used.
for command in (record, train, rollout, film, ablate):
    app.command()(command)
