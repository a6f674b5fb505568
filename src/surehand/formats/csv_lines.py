"""CSV as numbered lines of cells, read strictly and written whole or not at all."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from surehand.exceptions import FormatError
from surehand.formats.contract import replacing


def read_csv(path: str | os.PathLike[str]) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every line that is not blank; the first is the headings.

    FormatError where the file is missing, empty, not UTF-8, or a line has another number of cells than the headings.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file; expected a CSV") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not UTF-8 text (byte {error.start}); save the sheet as CSV UTF-8") from None
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise FormatError(f"{path} line {reader.line_num}: not CSV ({error})") from None
    if not lines:
        raise FormatError(f"{path}: the file is empty; expected headings and lines")
    for line, cells in lines:
        if len(cells) != len(headings := lines[0][1]):
            missing = ", ".join(repr(heading.strip()) for heading in headings[len(cells) :][:6])
            counts = f"{len(cells)} cells, the headings have {len(headings)}"
            without = f" (nothing for {missing})" if missing else ""
            raise FormatError(f"{path} line {line}: {counts}{without}; separate by commas")
    return lines


def write_csv(path: str | os.PathLike[str], lines: Sequence[Sequence[str]], overwrite: bool) -> Path:
    """The path written, whole or not at all."""
    target = Path(path)
    with (
        replacing(target, overwrite) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file).writerows(lines)  # ends lines as RFC 4180 does; with "\n" alone a lone "\r" goes unquoted
    return target
