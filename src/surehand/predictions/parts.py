"""The folder of a prediction: pieces as they are finished, then one file per policy; a later run goes on from them.

`OUT/predict.json` says what all of it is, `OUT/.parts/<policy>/<piece>.parquet` waits until all pieces are there, and
`OUT/<policy>.parquet` is whole.
"""

import math
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from surehand.exceptions import ShapeError, SurehandError
from surehand.formats.predictions import PredictionsFile, open_predictions, read_predictions, write_predictions
from surehand.frames import Predictions
from surehand.predictions.plan import Address
from surehand.predictions.record import PredictRecord

RECORD, PARTS = "predict.json", ".parts"


@dataclass(eq=False)
class Folder:
    """Everything below OUT that this room reads and writes. `pieces` counts the pieces of each policy."""

    out: Path
    record: PredictRecord
    pieces: int
    _shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def whole(self, address: Address) -> Path:
        """Where all predictions of one policy end."""
        return self.out / f"{address.file}.parquet"

    def part(self, address: Address, number: int) -> Path:
        """Where one piece waits."""
        return self.out / PARTS / address.file / f"{number:06d}.parquet"

    def missing(self, address: Address) -> list[int]:
        """Numbers of the pieces that are still to be predicted, none where the policy's file is whole.

        A policy whose file is gone or damaged waits again.
        """
        known = self.record.of(address.name)
        if known is not None and known.state == "done":
            if _opened(self.whole(address)) is not None:
                return []
            self.note(address, state="waiting")
        return [number for number in range(self.pieces) if _opened(self.part(address, number)) is None]

    def keep(self, address: Address, number: int, predictions: Predictions, seconds: float) -> None:
        """Nothing; the piece is on disk from now on.

        ShapeError where its chunks are not like those of the policy's other pieces, FormatError where the disk refuses.
        """
        shape = predictions.prediction.shape[1:]
        before = self._shapes.setdefault(address.name, self._shape(address) or shape)
        if shape != before:
            raise ShapeError(
                f"{address.name} answered {before[1:]} in some pieces and {shape[1:]} in another; chunks must keep "
                "their shape"
            )
        noted = replace(predictions, metadata={**predictions.metadata, "seconds": seconds})
        identity = self.record.data_identity
        write_predictions(self.part(address, number), noted, data_identity=identity, overwrite=True)

    def finish(self, address: Address) -> None:
        """Nothing; the pieces become the policy's file, and go. FormatError where one is damaged: it goes alone."""
        seconds: list[float] = []

        def pieces() -> Iterator[Predictions]:
            for number in range(self.pieces):
                path = self.part(address, number)
                try:
                    found = read_predictions(path)
                except SurehandError:
                    path.unlink(missing_ok=True)
                    raise
                seconds.append(float(found.metadata["seconds"]))
                yield replace(found, metadata={k: v for k, v in found.metadata.items() if k != "seconds"})

        target = self.whole(address)
        write_predictions(target, pieces(), data_identity=self.record.data_identity, overwrite=True)
        self.note(address, state="done", file=target.name, seconds=sum(seconds), **_facts(open_predictions(target)))
        self.drop(address)
        with suppress(OSError):
            (self.out / PARTS).rmdir()  # the last policy takes it along

    def drop(self, address: Address) -> None:
        """Nothing; the policy's pieces are gone."""
        shutil.rmtree(self.out / PARTS / address.file, ignore_errors=True)

    def note(self, address: Address, **facts: Any) -> None:
        """Nothing; the record on disk says this of the policy from now on."""
        policies = self.record.policies
        at = next(i for i, policy in enumerate(policies) if policy.name == address.name)
        policies[at] = policies[at].model_copy(update={"reason": "", **facts})
        self.save()

    def save(self) -> None:
        """Nothing; the record is on disk."""
        self.record.save(self.out / RECORD)

    def _shape(self, address: Address) -> tuple[int, ...] | None:
        """(K, H, D) of the pieces that an earlier run left, None where it left none."""
        found = (_opened(self.part(address, number)) for number in range(self.pieces))
        first = next((file for file in found if file is not None), None)
        return None if first is None else (first.draws, first.horizon, first.dims)


def _opened(path: Path) -> PredictionsFile | None:
    """The predictions in this file; None where there are none, or not all that its footer promises."""
    if not path.exists():
        return None
    try:
        return open_predictions(path)
    except SurehandError:
        return None


def _facts(file: PredictionsFile) -> dict[str, Any]:
    """What the record says of a policy's file."""
    said = file.metadata
    seeds = said.get("seeds") or [None]
    first = next(file.batches(1))
    knob_value = first.metadata.get("knob_value")
    return {
        "frames": file.frames,
        "draws": file.draws,
        "horizon": file.horizon,
        "dims": file.dims,
        "space": str(file.space),
        "generator": first.metadata.get("generator"),
        "knob": first.metadata.get("knob"),
        "knob_value": math.nan if knob_value is None else knob_value,
        "seed": seeds[0],
    }
