"""Arguments that the commands around a store share."""

from typing import Annotated

import typer

Target = Annotated[str, typer.Argument(help="A file such as trials.db, or postgresql://...", metavar="STORE")]
Study = Annotated[str, typer.Option(help="Which study of the store, where it has several.")]
Who = Annotated[str, typer.Option(help="Who does this; your user name where none is given.")]


def whoever(who: str) -> str:
    """The name given, or the user's."""
    import getpass

    return who.strip() or getpass.getuser()
