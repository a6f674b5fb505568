"""Whether a folder of predictions may be gone on with: what it holds must be of the same data, plan and checkpoints."""

import re
import shutil
from pathlib import Path
from typing import Any

from surehand.exceptions import FormatError
from surehand.predictions.parts import PARTS, RECORD, Folder
from surehand.predictions.plan import Address
from surehand.predictions.record import Predicted, PredictRecord


def open_folder(
    out: Path, wanted: PredictRecord, addresses: list[Address], pieces: int, again: bool = False, renew: bool = False
) -> Folder:
    """The folder, new or left by an earlier run of the same dataset, plan and policies; `out` is locked.

    FormatError names what differs. With `again` what differs, and every policy named here, is predicted anew; with
    `renew` the policies whose files have changed.
    """
    left = _earlier(out, again)
    if (
        left is not None
        and all(p.state != "done" for p in left.policies)
        and not any((out / PARTS).glob("*/*.parquet"))
    ):
        left = None  # an attempt that came to nothing
    other_plan = _differences(left, wanted) if left is not None else []
    changed = _changed(left, wanted) if left is not None else {}
    differs = [*other_plan, *(changed.values() if not renew else ())]
    if differs and not again:
        raise FormatError(
            f"{out} holds other predictions ({'; '.join(differs)}); choose another folder, or --again to replace them"
        )
    known = {policy.name: policy for policy in left.policies} if left is not None else {}
    for address in addresses:
        _check_place(out, address, known)
        if address.name not in known and (out / f"{address.file}.parquet").exists() and not again:
            raise FormatError(
                f"{out / address.file}.parquet exists, and no {RECORD} says what it is; choose another folder, or "
                "--again to replace it"
            )
    if left is None:  # pieces that no record speaks of may be of anything
        shutil.rmtree(out / PARTS, ignore_errors=True)
    for name in [name for name in known if (again and (other_plan or wanted.of(name))) or name in changed]:
        _forget(out, known.pop(name))
    for address in addresses:
        _sweep(out, address.file)
    not_asked = [policy for name, policy in known.items() if wanted.of(name) is None]
    asked = [known.get(policy.name, policy) for policy in wanted.policies]
    folder = Folder(out, wanted.model_copy(update={"policies": not_asked + asked}), pieces)
    folder.save()
    return folder


def _check_place(out: Path, address: Address, known: dict[str, Predicted]) -> None:
    """Nothing, or FormatError where this policy's file is another policy's, or what it is predicted from."""
    for other in known:
        if other != address.name and Address("", other).file.casefold() == address.file.casefold():
            raise FormatError(f"{out} holds {other!r}, whose file {address.name!r} would take; name it otherwise")
    if Path(address.where).absolute() == out / f"{address.file}.parquet":
        raise FormatError(f"{address.where} would be replaced by predictions of itself; choose another name or folder")


def _earlier(out: Path, again: bool) -> PredictRecord | None:
    """What an earlier run left in this folder, None where nothing."""
    if not (out / RECORD).exists():
        return None
    try:
        return PredictRecord.load(out / RECORD)
    except FormatError as error:
        if again:
            return None
        raise FormatError(f"{error}; or choose another folder, or --again to replace it") from None


def _differences(left: PredictRecord, wanted: PredictRecord) -> list[str]:
    """What is not as in the earlier run, in words."""
    found = []
    if left.data_identity != wanted.data_identity:
        found.append(f"of {left.dataset} {left.data_identity}, this is {wanted.dataset} {wanted.data_identity}")
    elif left.data_files != wanted.data_files:
        found.append(f"of {left.dataset} with other data or video files")
    for name in dict.fromkeys([*left.plan, *wanted.plan]):
        before, now = left.plan.get(name), wanted.plan.get(name)
        if before != now:
            found.append(f"{name} {_short(before)}, now {_short(now)}")
    return found


def _changed(left: PredictRecord, wanted: PredictRecord) -> dict[str, str]:
    """Name → what is no longer as in the earlier run, of every policy that is another now."""
    found = {}
    for policy in wanted.policies:
        old = left.of(policy.name)
        if old is not None and old.fingerprint != policy.fingerprint:
            same = old.policy == policy.policy
            found[policy.name] = f"{policy.name}: {'its files have changed' if same else 'was ' + old.policy}"
    return found


def _short(value: Any) -> str:
    """A value of the plan in a few words: lists are counted."""
    if isinstance(value, list) and len(value) > 3:
        return f"{len(value)} from {value[0]} to {value[-1]}"
    return str(value)


def _forget(out: Path, policy: Predicted) -> None:
    """Nothing; removes a policy's file and pieces."""
    file = Address("", policy.name).file
    shutil.rmtree(out / PARTS / file, ignore_errors=True)
    (out / f"{file}.parquet").unlink(missing_ok=True)


def _sweep(out: Path, file: str) -> None:
    """Nothing; removes what a killed run had begun to write."""
    begun = re.compile(r"\..+\.(parquet|json)\.[0-9a-f]{8}")
    inside = out / PARTS / file
    for path in [*out.glob(f".{file}.parquet.*"), *out.glob(f".{RECORD}.*"), *inside.glob(".*")]:
        if begun.fullmatch(path.name):
            path.unlink(missing_ok=True)
