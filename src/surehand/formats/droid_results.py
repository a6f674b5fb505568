"""Results that openpi's DROID client asked its operator for: one CSV per evaluated policy.

Its columns are a row number without a name, `success`, `duration` and `video_filename`. The operator types y, n or a
number from 0 to 100, and what was typed is divided by 100; y becomes 1 first, so that a success is stored as 0.01, just
like a typed 1 %, while a typed 100 is stored as 1.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from surehand.exceptions import FormatError
from surehand.formats.csv_lines import read_csv
from surehand.formats.trial_rows import Trial
from surehand.formats.trials import Trials

COLUMNS = ("success", "duration", "video_filename")
YES = 0.01  # what a typed y becomes
HZ = 15  # steps per second of the DROID client


class AmbiguousYes(FormatError):
    """A stored 0.01 is either an operator's y or a typed 1 %, and only whoever sat there knows."""


def is_droid(headings: Sequence[str]) -> bool:
    """Whether these are the columns of such a file, its row number included or not."""
    return set(headings) - {""} == set(COLUMNS)


def read_droid(path: str | os.PathLike[str], *, policy: str = "", yes_is: float | None = None) -> Trials:
    """The trials of one policy: score in percent, success where it is 100; the policy is called as the file by default.

    `yes_is` says what a stored 0.01 stands for, 1.0 or 0.01. AmbiguousYes where that matters and nobody said;
    FormatError names line and column of whatever is no result.
    """
    target = Path(path)
    if yes_is not in (None, 1.0, YES):
        raise FormatError(f"a stored 0.01 is a success (1.0) or 1 % (0.01), not {yes_is}")
    (_, headings), *lines = read_csv(target)
    headings = [heading.strip() for heading in headings]
    if not is_droid(headings) or len({*headings}) < len(headings):
        raise FormatError(f"{target} line 1: expected the columns {', '.join(COLUMNS)}; found {', '.join(headings)}")
    if not lines:
        raise FormatError(f"{target}: no results below the headings; add one line for each")
    found = [(line, dict(zip(headings, cells, strict=True))) for line, cells in lines]
    stored = [_share(f"{target} line {line}", cells["success"]) for line, cells in found]
    unclear = [line for (line, _), value in zip(found, stored, strict=True) if value == YES]
    if unclear and yes_is is None:
        raise AmbiguousYes(
            f"{target}: {len(unclear)} of {len(stored)} results are 0.01 (first: line {unclear[0]}), which the DROID "
            "client stores for a typed y and for a typed 1; say which: --yes-is success, or --yes-is 1%"
        )
    name = policy or target.stem
    rows = []
    for number, ((line, cells), value) in enumerate(zip(found, stored, strict=True), start=1):
        share = yes_is if value == YES and yes_is is not None else value
        notes = _notes(f"{target} line {line}", cells)
        score = round(100 * share, 9)  # 0.55 · 100 is not quite 55
        rows.append(Trial(number, name, score=score, success=share == 1, notes=notes))
    return Trials(tuple(rows), source=str(target))


def _share(place: str, cell: str) -> float:
    """The stored success, from 0 to 1."""
    if not cell.strip():
        raise FormatError(f"{place}, column success: empty; fill it in, or take the line out")
    try:
        value = float(cell)
    except ValueError:
        raise FormatError(f"{place}, column success: {cell!r}; expected a number from 0 to 1") from None
    if not 0 <= value <= 1 or math.isnan(value):
        typed = f", typed as {100 * value:g}" if math.isfinite(value) else ""
        raise FormatError(f"{place}, column success: {cell!r}{typed}; expected 0 to 1, correct the line")
    return value


def _notes(place: str, cells: dict[str, str]) -> str:
    """The video and the last step, which is all the file says of how long it took."""
    told = [f"video {cells['video_filename'].strip()}"] if cells["video_filename"].strip() else []
    duration = cells["duration"].strip()
    if duration:
        try:
            steps = float(duration)
        except ValueError:
            steps = math.nan
        if not math.isfinite(steps) or steps < 0:
            raise FormatError(f"{place}, column duration: {duration!r}; expected the number of the last step")
        told.append(f"last step {steps:g} ({steps / HZ:.1f} s at {HZ} Hz)")
    return "; ".join(told)
