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
    rubric: Annotated[str, typer.Option(help="Rubric of imported trials, for the card: hsr, success, or JSON.")] = "",
    seed: options.Seed = 0,
) -> None:
    """Write every trial of a study, void and corrected ones too; policies by code until the study is closed.

    A trial that was taken back is replaced by the next one of its position, or void ("withdrawn"); the later of two
    trials of one position is void ("conflict") until one is taken back. `trial` is the number of the store's row.
    """
    from surehand.exceptions import SurehandError
    from surehand.formats.records import write_text
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
    section = _card(target, name, rubric, seed) if card is not None else ""
    write_trials(out, trials)
    named = "policies by code: the study is open" if hidden else f"{len(trials.policies)} policies"
    print(f"{out}: {len(trials)} rows, {len(trials.counted)} count, {named}")
    if out.suffix == ".csv" and trials.metadata.get("rubric"):
        print("a sheet holds rows alone, no rubric and no rule to stop:")
        print("compare it with --schedule schedule.json, or export .parquet")
    if card is not None:
        print(write_text(card, section))


def _hidden(store: "Store", study: str) -> bool:
    return store.schedule(study) is not None and store.key(study) is None


def _card(target: str, study: str, rubric: str, seed: int) -> str:
    """The section; made before anything is written, since trials of one policy alone have none."""
    import numpy as np

    from surehand.cli.trials.sources import read_source
    from surehand.decide.compare import compare_trials
    from surehand.formats.rubrics import read_rubric
    from surehand.report.card import to_card

    found = read_source(target, study=study)
    levels = read_rubric(rubric) if rubric else None
    record = compare_trials(found.trials, rng=np.random.default_rng(seed), rubric=levels, schedule=found.schedule)
    return to_card(record.model_copy(update={"seed": seed, "study": study}))
