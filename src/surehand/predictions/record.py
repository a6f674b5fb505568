"""`predict.json`: what a folder of predictions holds, how it was made and how fast; what a later run goes on from."""

from typing import Any, Literal

from pydantic import Field

from surehand.formats.records import Number, Part, Record


class Predicted(Part):
    """One policy's predictions; `seconds` is work of all workers together, reading included, opening excluded."""

    name: str
    policy: str  # where it is
    fingerprint: str  # of the checkpoint's files, or of the address where there are none
    state: Literal["waiting", "done", "failed"] = "waiting"
    reason: str = ""  # why it failed
    file: str = ""
    frames: int = 0
    draws: int = 0
    horizon: int = 0
    dims: int = 0
    space: str = ""
    generator: str | None = None
    knob: str | None = None
    knob_value: Number = float("nan")
    seed: int | None = None
    seconds: Number = float("nan")

    @property
    def speed(self) -> float:
        """Frames per second of one worker; NaN where unknown."""
        return self.frames / self.seconds if self.seconds > 0 else float("nan")


class PredictRecord(Record):
    """The predictions in one folder: of one dataset, by one plan, of any number of policies."""

    kind: str = "predict"

    dataset: str
    data_identity: str
    data_files: str = ""  # their names and sizes: the identity says nothing of pictures
    split: str = ""  # the rule that held the episodes out, in words
    plan: dict[str, Any]  # what the numbers depend on
    threads: int = 0  # of torch in each worker
    processes: int = 1
    ray: str = ""
    seconds: Number = float("nan")  # from the beginning to the end of the last run
    asked: list[str] = Field(default_factory=list)  # names of the last run's policies
    skipped: list[str] = Field(default_factory=list)  # folders that looked like checkpoints and are none
    warnings: list[str] = Field(default_factory=list)  # what did not go as asked, and yet went
    policies: list[Predicted] = Field(default_factory=list)

    @property
    def current(self) -> list[Predicted]:
        """The policies of the last run, in the order they were asked for."""
        known = {policy.name: policy for policy in self.policies}
        return [known[name] for name in self.asked]

    @property
    def failed(self) -> list[Predicted]:
        """Those of them that could not be predicted."""
        return [policy for policy in self.current if policy.state == "failed"]

    def of(self, name: str) -> Predicted | None:
        """What is known of the policy of that name."""
        return next((policy for policy in self.policies if policy.name == name), None)
