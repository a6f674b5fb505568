"""Which trials a word on the command line means: a sheet, a result file of another tool, a store by file or address."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from surehand.exceptions import FormatError, SurehandError

if TYPE_CHECKING:
    from surehand.formats.schedules import Schedule
    from surehand.formats.trials import Trials

STORES = (".db", ".sqlite", ".sqlite3")
ADDRESSES = ("postgresql://", "postgresql+psycopg://", "postgres://")
YES_IS = {"success": 1.0, "1%": 0.01}


@dataclass(frozen=True)
class Source:
    """The trials a word stands for, and the schedule they were run by."""

    trials: "Trials"
    schedule: "Schedule | None" = None


def read_source(source: str, *, yes_is: float | None = None, study: str = "") -> Source:
    """The trials in a CSV or Parquet sheet, openpi's DROID results, lerobot's eval_info.json (or its folder), a store.

    `NAME=SOURCE` names the policy of a source that holds one; `yes_is` says what a stored 0.01 of
    DROID results means. FormatError where there is nothing to read; SurehandError for a study that is still open.
    """
    name, source = split_name(source)
    found = _read(source, name, yes_is, study)
    if name and found.trials.policies != (name,):
        found = replace(found, trials=_renamed(source, found.trials, name))
    return found


def split_name(word: str) -> tuple[str, str]:
    """(name, source) of `NAME=SOURCE`; no name where the word is a file as it stands, or the = belongs to a path."""
    name, equals, rest = word.partition("=")
    if not equals or "/" in name or Path(word).exists():
        return "", word
    if not name or not rest:
        raise SurehandError(f"{word!r}: expected NAME=SOURCE, such as new=trials.csv")
    return name, rest


def _read(source: str, name: str, yes_is: float | None, study: str) -> Source:
    from surehand.formats.csv_lines import read_csv
    from surehand.formats.droid_results import is_droid, read_droid
    from surehand.formats.eval_info import NAME, read_eval_info
    from surehand.formats.trials import read_trials

    path = Path(source)
    if source.startswith(ADDRESSES) or path.suffix in STORES:
        return _from_store(source, study)
    if "://" in source:
        raise FormatError(f"{source}: expected a postgresql:// address or a file")
    if path.is_dir():
        if not (path / NAME).is_file():
            raise FormatError(f"{source}: a folder without {NAME}; give a file, or the folder lerobot-eval wrote")
        path = path / NAME
    if path.suffix == ".json":
        if _is_schedule(path):
            return _from_store(source, study)  # which says where its store is
        return Source(read_eval_info(path, policy=name))
    if path.suffix == ".csv" and is_droid([heading.strip() for heading in read_csv(path)[0][1]]):
        return Source(read_droid(path, policy=name, yes_is=yes_is))
    if path.suffix not in (".csv", ".parquet"):
        raise FormatError(
            f"{source}: expected trials as .csv or .parquet, {NAME} of lerobot-eval, a store (.db) or postgresql://"
        )
    return Source(read_trials(path))


def _is_schedule(path: Path) -> bool:
    from surehand.formats.records import read_json

    found = read_json(path)
    return isinstance(found, dict) and found.get("kind") == "schedule"


def _from_store(target: str, study: str) -> Source:
    from surehand.trials.store import open_store

    with open_store(target) as store:
        name = store.pick(study)
        schedule = store.schedule(name)
        if schedule is not None and store.key(name) is None:
            raise SurehandError(
                f"study {name!r} is still open; close it first (surehand trials close): looking on the way would break "
                "the blinding and the p-values"
            )
        trials = store.trials(name)
    return Source(replace(trials, source=f"{trials.source} in {store.name}"), schedule)


def _renamed(source: str, trials: "Trials", name: str) -> "Trials":
    if len(trials.policies) > 1:
        raise SurehandError(
            f"{source}: {name!r} would name one policy, and there are {len(trials.policies)} in it "
            f"({', '.join(trials.policies[:4])}); take the name away"
        )
    return replace(trials, rows=tuple(replace(row, policy=name) for row in trials.rows))


def read_all(
    sources: Sequence[str], *, yes_is: str = "", study: str = ""
) -> tuple["Trials", "Schedule | None", list[str]]:
    """All trials as one, the schedule where there is a single source, and warnings. Asks where a person is there to.

    Of several sources' headers (rubric, rule to stop, ...) what all say alike is kept.
    SurehandError where two sources hold a policy of the same name.
    """
    if yes_is and yes_is not in YES_IS:
        raise SurehandError(f"--yes-is {yes_is!r}; expected success or 1%")
    found = [_asking(source, YES_IS.get(yes_is), study) for source in sources]
    if len(found) == 1:
        return found[0].trials, found[0].schedule, []
    owner: dict[str, str] = {}
    for source, one in zip(sources, found, strict=True):
        for policy in one.trials.policies:
            if policy in owner:
                raise SurehandError(
                    f"policy {policy!r} is in {owner[policy]} and in {source}; name one of them: NAME={source}"
                )
            owner[policy] = source
    from surehand.formats.trials import Trials

    rows = tuple(row for one in found for row in one.trials.rows)
    first, *others = [one.trials.metadata for one in found]
    alike = {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
    return Trials(rows, alike, ", ".join(one.trials.source for one in found)), None, _shared_blocks(found)


def _shared_blocks(found: Sequence[Source]) -> list[str]:
    """A warning where blocks of several sheets bear one name; seeds and tasks of lerobot-eval are the same anywhere."""
    sheets = [one.trials for one in found if not one.trials.source.endswith(".json")]
    names = [{row.block for row in sheet.rows if row.block} for sheet in sheets]
    shared = {block for i, blocks in enumerate(names) for other in names[:i] for block in blocks & other}
    if not shared:
        return []
    return [
        f"blocks of several files bear the same names ({len(shared)}, first: {min(shared)!r}) and are taken as the "
        "same conditions; rename those that are not"
    ]


def _asking(source: str, yes_is: float | None, study: str) -> Source:
    """The source; where a stored 0.01 is ambiguous and a person sits there, they are asked."""
    from surehand.formats.droid_results import AmbiguousYes

    try:
        return read_source(source, yes_is=yes_is, study=study)
    except AmbiguousYes as question:
        if not sys.stdin.isatty():
            raise
        import typer

        print(question, file=sys.stderr)
        answer = typer.prompt("A stored 0.01 is (success / 1%)", default="success", err=True).strip()
        if answer not in YES_IS:
            raise SurehandError(f"{answer!r}; expected success or 1%") from None
        return read_source(source, yes_is=YES_IS[answer], study=study)
