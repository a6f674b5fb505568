"""Match predictions to recorded frames by (episode, frame), and put both in robot units, once."""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from surehand.exceptions import ShapeError, SpaceError, SurehandError
from surehand.frames import Actions, Pairs, Predictions, Space, Stats, frame_keys, usable


class AlignError(SurehandError):
    """Frames that cannot be matched, or values that are no numbers; the message counts them and names the first."""


def pair(
    predictions: Predictions,
    recorded: Actions,
    *,
    stats: Stats | None = None,
    phase: np.ndarray | None = None,
    phases: Sequence[str] = ("all",),
    first_step: int = 0,
    skip: int = 0,
) -> Pairs:
    """Predicted chunks beside the recorded ones, in robot units (N rows, one per prediction).

    `stats` undo the predictions' normalisation; `phase` is the phase of every recorded frame (N_recorded,), indexing
    `phases`; `first_step` is the offset of chunk step 0 from its frame; `skip` masks the first frames of each episode
    for every policy alike (1 where the hold-last rival, undefined at frame 0, stands beside them).
    Raises ShapeError, SpaceError or AlignError.
    """
    _check_sizes(predictions, recorded, phase, phases)
    space = _check_spaces(predictions, recorded)
    row, first, last = _rows(predictions, recorded)
    horizon = predictions.prediction.shape[2]
    step = np.arange(horizon)
    target_row = row[:, None] + (first_step + step)[None, :]  # (N, H)
    inside = (target_row >= first[:, None]) & (target_row <= last[:, None])
    valid = inside & (step < predictions.length[:, None]) & (row - first >= skip)[:, None]
    np.clip(target_row, 0, max(len(recorded) - 1, 0), out=target_row)
    pairs = Pairs(
        prediction=_robot_units(predictions, stats),
        target=_chunks(recorded.action, row, target_row, first_step),
        valid=valid,
        episode=predictions.episode,
        frame=predictions.frame,
        task=recorded.task[row],
        phase=None if phase is None else phase[target_row],
        tasks=recorded.tasks,
        phases=tuple(phases) if phase is not None else ("all",),
        space=space,
        names=recorded.names,
        source=predictions.checkpoint,
    )
    _check_finite(pairs, recorded)
    return pairs


def _check_sizes(predictions: Predictions, recorded: Actions, phase: np.ndarray | None, phases: Sequence[str]) -> None:
    if predictions.prediction.ndim != 4 or recorded.action.ndim != 2:
        raise ShapeError(
            f"predictions need shape (N, K, H, D) and recorded actions (N, D), "
            f"got {predictions.prediction.shape} and {recorded.action.shape}"
        )
    if predictions.prediction.shape[3] != recorded.action.shape[1]:
        raise ShapeError(
            f"{predictions.checkpoint or 'the predictions'} have {predictions.prediction.shape[3]} action dimensions, "
            f"the recording {recorded.action.shape[1]}; use predictions made for this robot"
        )
    if phase is not None and len(phase) != len(recorded):
        raise ShapeError(f"{len(phase)} phase labels for {len(recorded)} recorded frames; give one label per frame")
    if phase is not None and len(phase) and not 0 <= phase.min() <= phase.max() < len(phases):
        raise ShapeError(
            f"phase labels run from {phase.min()} to {phase.max()}, phases are named for 0..{len(phases) - 1}"
        )


def _check_spaces(predictions: Predictions, recorded: Actions) -> Space:
    """The space of the pairs: robot units with the reference (absolute, delta, relative) either side states."""
    if recorded.space.units != "robot":
        raise SpaceError(
            f"recorded actions must be in robot units, got {recorded.space}; read them without normalisation"
        )
    ours, theirs = predictions.space.reference, recorded.space.reference
    if "unknown" not in (ours, theirs) and ours != theirs:
        raise SpaceError(
            f"predictions are {ours} actions, the recording holds {theirs} ones; convert one before comparing"
        )
    return Space("robot", "", theirs if ours == "unknown" else ours)


def _rows(predictions: Predictions, recorded: Actions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Recorded row of every prediction, and first and last row of its episode, each (N,)."""
    _check_whole(recorded)
    key = frame_keys(recorded.episode, recorded.frame)
    order = np.argsort(key, kind="stable")
    wanted = frame_keys(predictions.episode, predictions.frame)
    place = np.searchsorted(key[order], wanted)
    row = order[np.minimum(place, len(key) - 1)] if len(key) else np.zeros(len(wanted), np.int64)
    missing = key[row] != wanted if len(key) else np.ones(len(wanted), bool)
    if missing.any():
        i = int(np.argmax(missing))
        raise AlignError(
            f"{int(missing.sum())} of {len(wanted)} predicted frames are not in the recording, the first is "
            f"episode {predictions.episode[i]} frame {predictions.frame[i]}; predict the episodes you evaluate"
        )
    starts = np.flatnonzero(np.diff(recorded.episode, prepend=-1))
    which = np.searchsorted(starts, row, side="right") - 1
    ends = np.append(starts[1:], len(recorded)) - 1
    return row, starts[which], ends[which]


def _check_whole(recorded: Actions) -> None:
    """Nothing, or AlignError where an episode is cut, repeated or out of order: its chunks would be wrong."""
    same = np.diff(recorded.episode) == 0
    gap = same & (np.diff(recorded.frame) != 1)
    if gap.any():
        i = int(np.argmax(gap))
        raise AlignError(
            f"recorded episode {recorded.episode[i]}: frame {recorded.frame[i + 1]} follows frame {recorded.frame[i]}; "
            "frames must count up by one"
        )
    starts = recorded.episode[np.flatnonzero(np.diff(recorded.episode, prepend=-1))]
    if len(np.unique(starts)) != len(starts):
        raise AlignError(
            f"a recorded episode comes in {len(starts) - len(np.unique(starts)) + 1} pieces; read it whole"
        )


def _robot_units(predictions: Predictions, stats: Stats | None) -> np.ndarray:
    """Predictions in robot units (N, K, H, D)."""
    if predictions.space.units == "robot":
        return predictions.prediction
    if stats is None:
        raise SpaceError(
            f"{predictions.checkpoint or 'the predictions'} are {predictions.space}, the recording is in robot units; "
            "give the statistics that normalised them (the checkpoint's or the dataset's)"
        )
    offset, scale = stats.affine(predictions.space.by)
    if len(scale) != predictions.prediction.shape[3]:
        raise ShapeError(
            f"{len(scale)} statistics ({stats.source or 'unnamed'}) for {predictions.prediction.shape[3]} action "
            "dimensions; use the statistics the policy was trained with"
        )
    return np.asarray(predictions.prediction * scale + offset)


def _chunks(action: np.ndarray, row: np.ndarray, target_row: np.ndarray, first_step: int) -> np.ndarray:
    """Recorded chunks (N, H, D): a view without a copy where the rows are consecutive, as they are for every frame."""
    horizon = target_row.shape[1]
    if not len(row) or first_step != 0 or (np.diff(row) != 1).any():
        return action.take(target_row, axis=0)
    past_the_end = np.repeat(action[-1:], horizon - 1, axis=0)  # masked by `valid`
    rows = np.concatenate([action[row[0] : row[-1] + horizon], past_the_end])[: len(row) + horizon - 1]
    return sliding_window_view(rows, horizon, axis=0).swapaxes(1, 2)


def _check_finite(pairs: Pairs, recorded: Actions) -> None:
    """Nothing, or AlignError naming the first NaN or infinity at a valid step."""
    if not usable(recorded.action).all():
        _check_values(pairs, "recorded action", pairs.target[:, None])
    if not usable(pairs.prediction).all():
        _check_values(pairs, "prediction", pairs.prediction)


def _check_values(pairs: Pairs, what: str, values: np.ndarray) -> None:
    bad = ~usable(values) & pairs.valid[:, None, :, None]  # (N, K or 1, H, D)
    if bad.any():
        n, _, h, d = (int(i) for i in np.argwhere(bad)[0])
        name = f" ({pairs.names[d]})" if pairs.names else ""
        raise AlignError(
            f"{int(bad.sum())} NaN or infinite values in the {what}, the first at episode {pairs.episode[n]} "
            f"frame {pairs.frame[n]} step {h} dim {d}{name}; fix the {what} or leave the episode out"
        )
