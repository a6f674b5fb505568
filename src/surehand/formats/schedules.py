"""The schedule of a study and its key: what is run in which order, fixed and hashed; who is who, kept apart."""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from surehand.exceptions import FormatError
from surehand.formats.records import Part, Record
from surehand.formats.rubrics import Rubric


class Item(Part):
    """One planned trial. `arm` stands for a policy; `code` is what operators and scorers see of it."""

    position: int  # 1, 2, ... in the order to be run
    block: str  # holds every arm once, in random order, under the same conditions
    arm: str
    code: str
    object: str = ""
    start_pose: str = ""
    operator: str = ""
    instruction: str = ""
    second: bool = False  # to be scored a second time, by someone who does not see the first score


class StopRule(Part):
    """When a study may stop before its last trial, written down before the first one."""

    outcome: Literal["success", "score"]  # exact group-sequential design; anytime-valid e-process
    alpha: float = 0.05  # of the whole family of pairs, two-sided
    pairs: int  # trials per arm at which the study ends anyway: blocks in the schedule


class Schedule(Record):
    """Everything that was fixed before the first trial; `identity` names it, and no policy is named in it."""

    kind: str = "schedule"

    study: str
    rubric: Rubric
    arms: list[str]  # random codes, one per policy
    items: list[Item]
    void_rules: list[str] = Field(default_factory=list)  # the only reasons for which a trial may be void
    seed: int  # of the order; who is behind which arm was drawn without it
    commitment: str  # hash of the key: whoever opens it later can show that nobody changed it
    stop: StopRule | None = None
    notes: str = ""

    @property
    def identity(self) -> str:
        """SHA-256 over what was fixed, in hexadecimal; the same schedule has the same one wherever it was written."""
        fixed = self.model_dump(mode="json", exclude={"created", "surehand", "schema_version"})
        return hashlib.sha256(json.dumps(fixed, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def item(self, position: int) -> Item:
        """The trial at this position; FormatError where the schedule ends before it."""
        if not 1 <= position <= len(self.items):
            raise FormatError(f"no position {position} in study {self.study!r}; it has 1 to {len(self.items)}")
        return self.items[position - 1]


class Key(Record):
    """Which policy is behind which arm; kept from operators and scorers until the study is closed."""

    kind: str = "schedule-key"

    study: str
    policies: dict[str, str]  # arm -> policy
    codes: dict[str, str] = Field(default_factory=dict)  # code -> arm, where every trial has a code of its own
    nonce: str = Field(default_factory=lambda: secrets.token_hex(16))  # so that nobody finds the policies by guessing

    @property
    def commitment(self) -> str:
        """SHA-256 of policies, codes and nonce, in hexadecimal: the schedule carries it from the beginning."""
        sealed = {"study": self.study, "policies": self.policies, "codes": self.codes, "nonce": self.nonce}
        return hashlib.sha256(json.dumps(sealed, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def policy(self, code: str) -> str:
        """The policy behind a code or an arm; FormatError where the key has no such code."""
        arm = self.codes.get(code, code)
        if arm not in self.policies:
            known = sorted(self.codes or self.policies)
            raise FormatError(f"no code {code!r} in the key of study {self.study!r}; it has {_few(known)}")
        return self.policies[arm]


def check_key(schedule: Schedule, key: Key) -> Mapping[str, str]:
    """arm -> policy; FormatError where this is not the key that the schedule was sealed with."""
    if key.commitment != schedule.commitment:
        raise FormatError(
            f"this key does not open study {schedule.study!r}: its hash is {key.commitment[:12]}…, the schedule was "
            f"sealed with {schedule.commitment[:12]}…; give the key.json that was written beside this schedule"
        )
    return key.policies


def save_key(key: Key, path: str | os.PathLike[str]) -> Path:
    """The path written, readable by its owner alone; FormatError where a key lies there already."""
    target = Path(path)
    if target.exists():
        raise FormatError(f"{target} exists; a key is never overwritten, choose another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(key.model_dump_json(indent=1) + "\n")
    except OSError as error:
        raise FormatError(f"cannot write {target}: {error.strerror}; choose a folder you may write to") from None
    return target


def _few(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
