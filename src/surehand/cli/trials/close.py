"""`surehand trials close`: the end of the blinding: the key is checked, stored, and nothing more is counted."""

from pathlib import Path
from typing import Annotated

import typer

from surehand.cli.trials.stores import Study, Target, Who, whoever


def close(
    target: Target,
    key: Annotated[Path, typer.Option(help="The key.json that `surehand trials plan` wrote beside the schedule.")],
    study: Study = "",
    who: Who = "",
    unfinished: Annotated[
        bool, typer.Option(help="Close although positions are open or contradicted; both are written down.")
    ] = False,
) -> None:
    """Close a study for good: check its key against the schedule, store it, and name the policies.

    Only once every position has a result or the stop rule is met, unless --unfinished. Afterwards only notes are kept.
    """
    import shlex

    from surehand.formats.schedules import Key
    from surehand.trials.store import open_store

    with open_store(target) as store:
        name = store.pick(study)
        closing = store.close(name, Key.load(key), whoever(who), unfinished=unfinished)
    print(f"{name} is closed: {closing.why}")
    if closing.seconds_missing:
        print(f"second scores missing: {closing.seconds_missing}")
    store_named = shlex.quote(target) if "://" not in target else "STORE"
    print(f"next: surehand trials compare {store_named} --study {shlex.quote(name)}")
