"""`surehand trials which`: the policy behind a code, for whoever starts it."""

from pathlib import Path
from typing import Annotated

import typer


def which(
    code: Annotated[str, typer.Argument(help="The code on the operator's screen.")],
    key: Annotated[Path, typer.Option("--key", help="The key.json that was written beside the schedule.")],
) -> None:
    """Print the policy behind a code, and nothing else: for the person or the script that starts it."""
    from surehand.formats.schedules import Key

    print(Key.load(key).policy(code.strip().upper()))
