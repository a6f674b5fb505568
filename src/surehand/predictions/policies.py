"""Which policies are meant: a run folder stands for its checkpoints, everything else for itself."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from surehand.exceptions import FormatError, SurehandError
from surehand.formats.checkpoint_folders import CheckpointFolder, find_checkpoints, unique_names
from surehand.predictions.plan import Address, named

IN_THE_WORKS = ("temporary", "its writing", "a link", "holds nothing")  # how the reasons begin that blame nobody


@dataclass
class Policies:
    """What was found: `broken` are checkpoints that cannot be whole, each with the reason, and not tried."""

    addresses: list[Address] = field(default_factory=list)
    broken: dict[Address, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)  # what a training run has not finished writing


def find_policies(policies: Sequence[str | Address]) -> Policies:
    """The policies of addresses and run folders, in the order given, each with a name of its own."""
    if not policies:
        raise SurehandError("no policy: name a checkpoint's folder, a run folder, a server or module:function")
    found, folders = Policies(), list[CheckpointFolder | Address]()
    broken: dict[Address, str] = {}
    for policy in policies:
        address = policy if isinstance(policy, Address) else Address.parse(policy)
        try:
            inside = find_checkpoints(address.where) if os.path.isdir(address.where) else None
        except FormatError:
            inside = None  # its opening says what is wrong
        if inside is None:
            folders.append(address)
            continue
        folders += [c for c in _called(inside.checkpoints, address.name) if not _named_before(c, folders)]
        for path, reason in inside.skipped:
            if reason.startswith(IN_THE_WORKS):
                found.skipped.append(f"{path}: {reason}")
            else:
                broken[Address(str(path))] = reason
    unique = iter(unique_names([folder for folder in folders if isinstance(folder, CheckpointFolder)]))
    for folder in folders:
        if isinstance(folder, CheckpointFolder):
            folder = next(unique)
            path = folder.path.resolve() if folder.path.is_symlink() else folder.path  # training moves `last` on
            folder = Address(str(path), folder.name)
        found.addresses.append(folder)
    everything = named([*found.addresses, *broken])
    found.addresses, rest = everything[: len(found.addresses)], everything[len(found.addresses) :]
    found.broken = dict(zip(rest, broken.values(), strict=True))
    return found


def _named_before(checkpoint: CheckpointFolder, others: Sequence[CheckpointFolder | Address]) -> bool:
    """Whether this very checkpoint is there under this name: a run and one of its steps, or `last` beside a step."""
    same = (other for other in others if isinstance(other, CheckpointFolder) and other.name == checkpoint.name)
    return any(other.path.resolve() == checkpoint.path.resolve() for other in same)


def _called(checkpoints: Sequence[CheckpointFolder], name: str) -> list[CheckpointFolder]:
    """The checkpoints under the name that the user gave: it replaces the only one's, and stands before others'."""
    if not name:
        return list(checkpoints)
    return [replace(c, name=name if len(checkpoints) == 1 else f"{name} {c.name}") for c in checkpoints]
