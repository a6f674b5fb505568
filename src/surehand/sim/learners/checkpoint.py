"""Checkpoints: weights as safetensors and config.json with everything else; a folder appears whole or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from surehand.exceptions import FormatError, SurehandError
from surehand.formats.contract import package_version
from surehand.formats.records import Record
from surehand.layout import Layout
from surehand.sim.learners.chunks import Inputs, Scales
from surehand.sim.learners.nets import AnyNet, build
from surehand.sim.learners.settings import Learner

WEIGHTS, CONFIG = "model.safetensors", "config.json"


class Config(Record):
    """What a checkpoint is, besides its weights."""

    kind: str = "learner"
    surehand: str = package_version()

    learner: Learner
    step: int
    horizon: int = Field(ge=1)
    layout: str
    inputs: Inputs
    input_mean: list[float]
    input_std: list[float]
    output_mean: list[float]
    output_std: list[float]

    @property
    def name(self) -> str:
        """The checkpoint's name in predictions and trials."""
        return checkpoint_name(self.learner, self.step)

    @property
    def scales(self) -> Scales:
        """Means and scales as float32."""
        lists = (self.input_mean, self.input_std, self.output_mean, self.output_std)
        return Scales(*(np.array(values, np.float32) for values in lists))


def checkpoint_name(learner: str, step: int) -> str:
    """As in `mlp 000500`."""
    return f"{learner} {step:06d}"


def save_checkpoint(folder: Path, config: Config, net: AnyNet) -> None:
    """Nothing; writes the folder, replacing none: a folder of that name is from the same recipe and stays."""
    if folder.exists():
        return
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        draft.mkdir(parents=True)
        save_tensors(net.state_dict(), draft / WEIGHTS)
        config.save(draft / CONFIG)
        os.replace(draft, folder)
    except OSError as error:
        raise FormatError(f"cannot write {folder}: {error.strerror}; choose a folder you may write to") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Nothing; writes them as safetensors. OSError where the disk refuses, as of any other file."""
    try:
        save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    except SafetensorError as error:
        raise OSError(errno.EIO, str(error).splitlines()[0]) from None


def load_checkpoint(folder: str | os.PathLike[str]) -> tuple[Config, AnyNet]:
    """Configuration and network of a checkpoint folder; FormatError where it is none or does not fit together."""
    path = Path(folder)
    if not (path / CONFIG).is_file() or not (path / WEIGHTS).is_file():
        raise FormatError(f"{path} is no checkpoint of `surehand sim train` (needs {CONFIG} and {WEIGHTS})")
    config = Config.load(path / CONFIG)
    try:
        dims = Layout.parse(config.layout).size
        net = build(config.learner, config.inputs, config.horizon, dims)
    except (SurehandError, RuntimeError, ValueError) as error:
        raise FormatError(f"{path / CONFIG}: {str(error).splitlines()[0]}; train again") from None
    if [len(v) for v in (config.input_mean, config.input_std)] != [config.inputs.size] * 2 or [
        len(v) for v in (config.output_mean, config.output_std)
    ] != [dims] * 2:
        raise FormatError(f"{path / CONFIG}: means and scales do not fit the sizes beside them; train again")
    if (
        not all(np.isfinite(v).all() for v in vars(config.scales).values())
        or not min(*config.input_std, *config.output_std) > 0
    ):
        raise FormatError(f"{path / CONFIG}: means must be finite and scales positive; train again")
    net.load_state_dict(_weights(path / WEIGHTS, net))
    return config, net.eval().requires_grad_(False)


def _weights(path: Path, net: AnyNet) -> dict[str, torch.Tensor]:
    """The tensors in the file, which have the network's names and shapes."""
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{path}: not safetensors, or cut off ({str(error).splitlines()[0]}); train again") from None
    wanted = net.state_dict()
    for key in {**wanted, **found}:
        shapes = [tuple(tensors[key].shape) if key in tensors else None for tensors in (wanted, found)]
        if shapes[0] != shapes[1]:
            raise FormatError(f"{path}: {key} is {shapes[1]}, its configuration wants {shapes[0]}; train again")
    return found
