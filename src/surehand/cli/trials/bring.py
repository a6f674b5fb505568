"""`surehand trials import`: trials that were run elsewhere, kept in a store beside the studies."""

from typing import Annotated

import typer

from surehand.cli.trials.stores import Who, whoever


def bring(
    source: Annotated[
        str,
        typer.Argument(help="CSV, Parquet, openpi's DROID results or eval_info.json; NAME=SOURCE names it."),
    ],
    to: Annotated[str, typer.Option(help="The store: a file (made where there is none), or postgresql://...")],
    study: Annotated[str, typer.Option(help="Name of the study that the trials become.")],
    who: Who = "",
    yes_is: Annotated[str, typer.Option(help="What 0.01 in DROID results stands for: success or 1%.")] = "",
) -> None:
    """Keep trials that were run elsewhere in a store, whole or not at all; the same ones again change nothing."""
    from surehand.cli.trials.sources import read_all
    from surehand.trials.store import open_store

    trials, _, _ = read_all([source], yes_is=yes_is)
    with open_store(to, create=True) as store:
        added = store.import_trials(study, trials, whoever(who), trials.source)
        name = store.name
    print(f"{name}: {added} trials added" if added else f"{name}: these {len(trials)} trials were there already")
