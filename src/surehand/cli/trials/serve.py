"""`surehand trials serve`: the operator's console, a page for the tablet beside the robot."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    target: Annotated[
        str,
        typer.Argument(
            help="A schedule.json (its store is then trials.db beside it), a store file, or postgresql://...",
            metavar="SCHEDULE|STORE",
        ),
    ],
    study: Annotated[str, typer.Option(help="Which study of the store, where it has several.")] = "",
    store: Annotated[str, typer.Option(help="Where trials of a schedule.json are kept: file or postgresql://.")] = "",
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets tablets in, by a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")] = 8765,
    names: Annotated[
        list[str], typer.Option("--name", help="Another name it is asked for under, as behind a TLS proxy; repeat.")
    ] = [],  # noqa: B006  (typer reads it as the default)
    token: Annotated[
        str,
        typer.Option(envvar="SUREHAND_TOKEN", help="What tablets must know; else drawn, beyond this machine."),
    ] = "",
) -> None:
    """Serve the operator's console: the next trial, blind, one tap a score; a dead network loses nothing.

    On this machine alone unless --host says otherwise; then a link with a token is printed, to open on each tablet.
    Ends with Ctrl-C. A score that a tablet shows as sent is on the disk.
    """
    from surehand.exceptions import FormatError
    from surehand.formats.schedules import Schedule
    from surehand.trials.server import serve as run
    from surehand.trials.store import open_store

    if Path(target).suffix == ".json":
        schedule = Schedule.load(target)
        place = store or str(Path(target).with_name("trials.db"))
        with open_store(place, create=True) as opened:
            run(opened, opened.add_study(schedule), host=host, port=port, token=token, names=names)
        return
    if store:
        raise FormatError(f"--store goes with a schedule.json, and {target} is a store; give one of the two")
    with open_store(target) as opened:
        run(opened, opened.pick(study), host=host, port=port, token=token, names=names)
