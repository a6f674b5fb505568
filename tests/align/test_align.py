"""Joining by (episode, frame): what is masked, what is refused, and with which words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.align import AlignError, pair
from surehand.exceptions import ShapeError, SpaceError
from surehand.frames import Actions, Predictions, Space, Stats


def recording(lengths: list[int], dims: int = 2, reference: str = "unknown", first: int = 5) -> Actions:
    frame = np.concatenate([np.arange(n) for n in lengths])
    episode = np.repeat(np.arange(len(lengths)) + first, lengths)
    action = (episode * 1000.0 + frame)[:, None] + np.arange(dims) / 10
    return Actions(action, episode, frame, episode % 2, tasks=("a", "b"), space=Space("robot", "", reference))  # type: ignore[arg-type]


def predict(recorded: Actions, rows: np.ndarray, horizon: int = 3, space: Space | None = None) -> Predictions:
    return Predictions(
        prediction=np.zeros((len(rows), 1, horizon, recorded.action.shape[1])),
        episode=recorded.episode[rows],
        frame=recorded.frame[rows],
        length=np.full(len(rows), horizon),
        checkpoint="40k",
        space=space or Space(),
    )


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    horizon=st.integers(1, 5),
    first_step=st.integers(-2, 2),
    skip=st.integers(0, 2),
    seed=st.integers(0, 99),
    in_order=st.booleans(),
)
@settings(deadline=None, max_examples=80)
def test_every_valid_step_is_the_recorded_frame_it_names(
    lengths: list[int], horizon: int, first_step: int, skip: int, seed: int, in_order: bool
) -> None:
    recorded = recording(lengths)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(np.unique(recorded.episode))  # whole episodes, in any order
    recorded = recorded.take(np.concatenate([np.flatnonzero(recorded.episode == e) for e in shuffled]))
    rows = rng.permutation(len(recorded))
    if in_order:  # consecutive frames, perhaps not all of them
        rows = np.arange(*sorted(rng.integers(0, len(recorded) + 1, 2)))
    phase = np.arange(len(recorded)) % 3
    pairs = pair(
        predict(recorded, rows, horizon),
        recorded,
        phase=phase,
        phases=("x", "y", "z"),
        first_step=first_step,
        skip=skip,
    )
    lookup = {(e, f): i for i, (e, f) in enumerate(zip(recorded.episode, recorded.frame, strict=True))}
    for n in range(len(pairs)):
        for h in range(horizon):
            row = lookup.get((pairs.episode[n], pairs.frame[n] + first_step + h))
            assert pairs.valid[n, h] == (row is not None and pairs.frame[n] >= skip)
            if row is not None:
                np.testing.assert_array_equal(pairs.target[n, h], recorded.action[row])
                assert pairs.phase is not None and pairs.phase[n, h] == phase[row]
    assert (pairs.task == pairs.episode % 2).all()


def test_valid_length_masks_the_rest_of_the_chunk() -> None:
    recorded = recording([4])
    predictions = predict(recorded, np.arange(4))
    shorter = Predictions(**{**vars(predictions), "length": np.array([0, 1, 2, 3])})
    assert pair(shorter, recorded).valid.astype(int).tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize("by", ["mean_std", "quantiles", "min_max"])
def test_normalised_predictions_return_to_robot_units(by: str, rng: np.random.Generator) -> None:
    recorded = recording([5])
    stats = Stats(*(rng.normal(size=2) for _ in range(6)), source="made up")  # type: ignore[arg-type]
    predictions = predict(recorded, np.arange(5), space=Space("normalised", by))  # type: ignore[arg-type]
    predictions.prediction[:] = rng.normal(size=predictions.prediction.shape)
    got = pair(predictions, recorded, stats=stats).prediction
    x = predictions.prediction
    expected = {
        "mean_std": lambda: x * stats.std + stats.mean,
        "quantiles": lambda: (x + 1) / 2 * (stats.q99 - stats.q01) + stats.q01,
        "min_max": lambda: (x + 1) / 2 * (stats.max - stats.min) + stats.min,
    }[by]()
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    with pytest.raises(SpaceError, match="give the statistics"):
        pair(predictions, recorded)
    with pytest.raises(ShapeError, match="1 statistics"):
        pair(predictions, recorded, stats=Stats(*(np.ones(1) for _ in range(6))))


def test_what_does_not_match_is_counted_and_named() -> None:
    recorded = recording([4, 4])
    predictions = predict(recorded, np.arange(8))
    moved = Predictions(**{**vars(predictions), "frame": predictions.frame + 2})
    with pytest.raises(AlignError, match=r"4 of 8 .* first is episode 5 frame 4"):
        pair(moved, recorded)
    with pytest.raises(AlignError, match="4 of 4 predicted frames"):
        pair(predictions.take(slice(4, 8)), recorded.take(slice(0, 4)))
    with pytest.raises(AlignError, match="8 of 8"):
        pair(predictions, recorded.take(slice(0, 0)))


def test_sizes_spaces_and_gaps_are_refused() -> None:
    recorded = recording([4], reference="absolute")
    with pytest.raises(ShapeError, match="40k have 3 action dimensions, the recording 2"):
        pair(predict(recording([4], dims=3), np.arange(4)), recorded)
    with pytest.raises(SpaceError, match="delta actions, the recording holds absolute"):
        pair(predict(recorded, np.arange(4), space=Space("robot", "", "delta")), recorded)
    assert pair(predict(recorded, np.arange(4)), recorded).space == Space("robot", "", "absolute")
    normalised = Actions(**{**vars(recorded), "space": Space("normalised", "mean_std")})
    with pytest.raises(SpaceError, match="robot units"):
        pair(predict(recorded, np.arange(4)), normalised)
    with pytest.raises(AlignError, match="frame 3 follows frame 1"):
        pair(predict(recorded, np.arange(2)), recorded.take(np.array([0, 1, 3])))
    two = recording([2, 2])
    with pytest.raises(AlignError, match="2 pieces"):
        pair(predict(two, np.arange(2)), two.take(np.array([0, 2, 3, 1])))
    with pytest.raises(ShapeError, match="3 phase labels for 4"):
        pair(predict(recorded, np.arange(4)), recorded, phase=np.zeros(3, int))
    with pytest.raises(ShapeError, match="run from 0 to 1"):
        pair(predict(recorded, np.arange(4)), recorded, phase=np.array([0, 1, 0, 0]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_named_where_they_count(value: float) -> None:
    recorded = recording([4])
    predictions = predict(recorded, np.arange(4))
    predictions.prediction[3, 0, 2, 1] = value  # past the end: masked
    pair(predictions, recorded)
    predictions.prediction[1, 0, 2, 1] = value
    with pytest.raises(AlignError, match=r"1 NaN or infinite .* prediction, .* episode 5 frame 1 step 2 dim 1"):
        pair(predictions, recorded)
    recorded.action[2, 0] = value
    with pytest.raises(AlignError, match=r"recorded action|prediction"):
        pair(predict(recorded, np.arange(4)), recorded)
