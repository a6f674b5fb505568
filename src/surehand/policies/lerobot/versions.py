"""Which lerobot is installed, and what it knows: policy types, fields and processor steps of other versions."""

import json
from contextlib import suppress
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError, SurehandError
from surehand.policies.chunks import first_line
from surehand.policies.lerobot.checkpoint import Checkpoint

NOT_ON_0_4 = ("pi0", "pi05", "pi0_fast")  # they ask for a patched transformers there
RENAMED_STEPS = {"delta_actions_processor": "relative_actions_processor"}  # what 0.5 calls a step, and 0.6 the same one


def installed_version() -> str:
    """The version of lerobot, importable; SurehandError with the command that installs it."""
    try:
        from lerobot.__version__ import __version__
        from lerobot.policies import factory  # noqa: F401
    except (ImportError, RuntimeError) as error:
        raise SurehandError(
            f"lerobot cannot be imported ({first_line(error)}); pip install 'surehand[lerobot]'"
        ) from None
    return str(__version__)


def config_class_of(checkpoint: Checkpoint, version: str) -> Any:
    """lerobot's class of this policy type's configuration; FormatError where it has none or cannot run it."""
    from lerobot.configs.policies import PreTrainedConfig

    kind = checkpoint.config.type
    known = PreTrainedConfig.get_known_choices()
    if kind not in known:
        from lerobot.utils.import_utils import register_third_party_plugins

        register_third_party_plugins()  # packages named lerobot_policy_*, as lerobot-train finds them
        known = PreTrainedConfig.get_known_choices()
    if kind not in known:
        raise FormatError(
            f"{checkpoint.folder}: policy type {kind!r} is not registered in lerobot {version} ({', '.join(known)}); "
            "install the package that brings it, or the lerobot that wrote it"
        )
    if kind in NOT_ON_0_4 and version.startswith("0.4."):
        raise FormatError(
            f"{checkpoint.folder}: lerobot {version} cannot construct a {kind} policy; lerobot 0.5.1 or newer can, on "
            "Python 3.12"
        )
    return PreTrainedConfig.get_choice_class(kind)


def unknown_fields(folder: Path, config_class: Any) -> list[str]:
    """The fields of config.json that this lerobot's configuration does not have."""
    written = json.loads((folder / "config.json").read_bytes())
    return sorted(written.keys() - {field.name for field in fields(config_class)} - {"type"})


def refuse_newer(checkpoint: Checkpoint, unknown: list[str], config_class: Any, version: str) -> None:
    """Nothing, or FormatError for what only a newer lerobot can have written: a field or a step unknown here."""
    kind, known = checkpoint.config.type, _known_steps(config_class)
    found = [f"its {kind} configuration has {name!r}" for name in unknown]
    for processor in (checkpoint.before, checkpoint.after):
        for step in processor.steps if processor else ():
            if step["registry_name"] not in known:
                found.append(f"its processors have the step {step['registry_name']!r}")
    if found:
        raise FormatError(
            f"{checkpoint.folder}: written by a newer lerobot than the installed {version} ({found[0]}); "
            "upgrade lerobot (from 0.5 on it needs Python 3.12)"
        )


def _known_steps(config_class: Any) -> set[str]:
    """The names of the processor steps that this lerobot runs; one that it has renamed goes by its old name too."""
    from lerobot.processor.pipeline import ProcessorStepRegistry

    with suppress(ImportError):  # a type's own steps are registered once its processors' module is imported
        import_module(config_class.__module__.replace("configuration_", "processor_"))
    known = set(ProcessorStepRegistry.list())
    for old, new in RENAMED_STEPS.items():
        if new in known and old not in known:
            ProcessorStepRegistry.register(old)(type("RenamedStep", (ProcessorStepRegistry.get(new),), {}))
            known.add(old)
    return known
