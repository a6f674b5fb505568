"""`surehand trials export`: a study as a sheet or Parquet, and as a section of a dataset card."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surehand.cli import options
from surehand.cli.trials.stores import Study, Target

if TYPE_CHECKING:
    from surehand.trials.store import Store


def export(
    target: Target,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write: .csv, or .parquet with its header.")],
    study: Study = "",
    card: Annotated[
        Path | None, typer.Option(help="Write what the trials prove as a section of a dataset card (.md), once closed.")
    ] = None,
    seed: options.Seed = 0,
) -> None:
    """Write every trial of a study, void and corrected ones too; policies by code until the study is closed.

    A trial that was taken back is replaced by the next one of its position, or void ("withdrawn"); the later of two
    trials of one position is void ("conflict") until one is taken back. `trial` is the number of the store's row.
    """
    from surehand.exceptions import SurehandError
    from surehand.formats.trials import write_trials
    from surehand.trials.store import open_store

    with open_store(target) as store:
        name = store.pick(study)
        trials = store.trials(name)
        hidden = _hidden(store, name)
    if card is not None and hidden:
        raise SurehandError(f"study {name!r} is still open; a card names policies, so close it first")
    if not trials.rows:
        raise SurehandError(f"study {name!r} has no trials yet; nothing to write")
    write_trials(out, trials)
    named = "policies by code: the study is open" if hidden else f"{len(trials.policies)} policies"
    print(f"{out}: {len(trials)} rows, {len(trials.counted)} count, {named}")
    if out.suffix == ".csv" and trials.metadata.get("rubric"):
        print("a sheet holds rows alone, no rubric and no rule to stop:")
        print("compare it with --schedule schedule.json, or export .parquet")
    if card is not None:
        _write_card(target, name, card, seed)


def _hidden(store: "Store", study: str) -> bool:
    return store.schedule(study) is not None and store.key(study) is None


def _write_card(target: str, study: str, card: Path, seed: int) -> None:
    import numpy as np

    from surehand.cli.trials.sources import read_source
    from surehand.decide.compare import compare_trials
    from surehand.formats.records import write_text
    from surehand.report.card import to_card

    found = read_source(target, study=study)
    record = compare_trials(found.trials, rng=np.random.default_rng(seed), schedule=found.schedule)
    print(write_text(card, to_card(record.model_copy(update={"seed": seed}))))
