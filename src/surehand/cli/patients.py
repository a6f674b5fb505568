"""A policy named on the command line, asked and made ready for the doctor: what stops it is a finding, not an end."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from surehand.decide.doctor_policy import Patient
from surehand.formats.checkpoint_features import read_checkpoint_features
from surehand.formats.lerobot import open_lerobot
from surehand.opening import open_policy
from surehand.predictions.opening import Access
from surehand.predictions.plan import Address, named
from surehand.predictions.probing import probe_policy
from surehand.predictions.work import one_line


def examine_policy(
    where: str,
    folder: Path,
    episodes: Sequence[int] | None,
    access: Access,
    samples: int = 1,
    executed: int | None = None,
) -> Patient:
    """The policy's files read, and the policy asked about a few frames of these episodes (of all without any)."""
    (address,) = named([Address.parse(where)])
    features, trouble, probed = None, "", None
    try:
        features = read_checkpoint_features(address.where)
        with contextlib.ExitStack() as stack:
            policy = open_policy(address.where, access)
            stack.callback(getattr(policy, "close", lambda: None))
            probed = probe_policy(policy, open_lerobot(folder, check=False), address.name, episodes)
    except Exception as error:  # whatever the policy's own code raises
        trouble = one_line(error)
    return Patient(address.name, features, probed, trouble, samples, executed)
