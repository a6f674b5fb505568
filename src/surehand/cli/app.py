"""The commands in the order a newcomer meets them."""

import typer

from surehand.cli import agree, demo, doctor, errors, limits, predict, report, robots, select, serve, sim, trials

app = typer.Typer(
    name="surehand",
    help="Know which checkpoint to deploy, and when the robot should not move.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Exit codes: 0 fine, 1 findings, 2 bad input, 130 interrupted.",
)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(predict.predict)
app.command()(errors.errors)
app.command()(select.select)
app.command()(agree.agree)
app.command()(limits.limits)
app.command()(report.report)
app.command()(robots.robots)
app.command()(serve.serve)
app.add_typer(trials.app)
app.add_typer(sim.app)


@app.callback(invoke_without_command=True)
def version_option(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    """Know which checkpoint to deploy, and when the robot should not move."""
    if version:
        from surehand import __version__

        print(f"surehand {__version__}")
        raise typer.Exit
