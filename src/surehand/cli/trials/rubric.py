"""`surehand trials rubric`: the levels trials are scored by, as JSON to copy and change."""

from typing import Annotated

import typer


def rubric(
    name: Annotated[str, typer.Argument(help="A shipped rubric (hsr, success), or a JSON file to check.")] = "hsr",
) -> None:
    """Print a rubric as JSON: copy it, change the words, give it to `surehand trials plan --rubric`."""
    from surehand.formats.rubrics import read_rubric

    print(read_rubric(name).model_dump_json(indent=1))
