"""The language model or tokenizer that a checkpoint names: where a copy of it lies, without waiting for a network."""

import os
from pathlib import Path

from surehand.exceptions import FormatError
from surehand.policies.chunks import first_line

VARIABLE = "SUREHAND_VLM"
NEEDED = ("tokenizer_config.json", "config.json")  # a tokenizer's folder has the first, a model's both
SECONDS = 5.0  # to wait for the hub's first answer


def local_copy(folder: Path, name: str, wanted: str | None, what: str) -> str:
    """A folder here or a name that the hub answers for; FormatError with what to do where there is neither.

    Taken in this order: `wanted`, the environment variable SUREHAND_VLM, a folder of that name (also inside the
    checkpoint), the hub's cache, the hub. HF_HUB_OFFLINE is respected.
    """
    wanted = wanted or os.environ.get(VARIABLE)
    for path in (Path(wanted or name), folder / (wanted or name)):
        if path.is_dir():
            return str(path)
    if wanted and (Path(wanted).is_absolute() or wanted.startswith(".")):
        raise FormatError(f"{wanted}: no such folder; vlm or {VARIABLE} names that of a {what} ({name})")
    return _from_hub(folder, wanted or name, what)


def _from_hub(folder: Path, name: str, what: str) -> str:
    """The cached copy's folder where it is whole, the name itself where the hub will give the rest."""
    from huggingface_hub import hf_hub_download

    wanted = NEEDED[0] if what == "tokenizer" else NEEDED[1]
    try:
        found = Path(hf_hub_download(name, wanted, etag_timeout=SECONDS))
    except Exception as error:  # offline, unreachable, gated, no such name: one and the same for who must act
        raise FormatError(
            f"{folder}: needs the {what} {name}, which is neither here nor to be had from the hub "
            f"({type(error).__name__}: {first_line(error)[:120]}); name a local copy with vlm or {VARIABLE}=FOLDER"
        ) from None
    # With the whole of it cached, transformers need not ask the hub about every file.
    whole = all((found.parent / file).is_file() for file in ("tokenizer.json", wanted, "tokenizer_config.json"))
    return str(found.parent) if whole else name
