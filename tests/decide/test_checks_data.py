"""Checks on names, values, commands, episodes and time: each fault planted is found, sound data pass."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from surehand.decide.checks import commands, episodes, names, values
from surehand.decide.checks.moments import CrossMoments, RowSample
from surehand.decide.findings import Finding
from surehand.frames import Actions, Stats
from surehand.layout import Layout


def codes(found: list[Finding]) -> list[str]:
    return [one.code for one in found]


@pytest.fixture
def sound(worlds: Any, rng: np.random.Generator) -> Actions:
    recorded: Actions = worlds.recording(rng)
    return recorded


# names


def test_names_that_fit() -> None:
    assert names.check_names(("a", "b"), 2) == [] == names.check_names(None, 30)


def test_names_against_shape_say_both_counts() -> None:
    (one,) = names.check_names([f"j{i}" for i in range(28)], 30)
    assert one.code == "names.count" and "28" in one.evidence and "30" in one.evidence


def test_names_twice() -> None:
    assert codes(names.check_names(("a", "b", "a"), 3)) == ["names.duplicate"]


def test_layout_of_another_size() -> None:
    assert codes(names.check_layout_size(Layout.parse("arm(a b)"), 3)) == ["names.layout"]
    assert names.check_layout_size(Layout.parse("arm(a b)"), 2) == []


def test_right_first_is_a_warning_on_aloha_and_a_note_elsewhere() -> None:
    aloha = [f"{side}_{joint}" for side in ("right", "left") for joint in ("waist", "forearm_roll", "gripper")]
    (one,) = names.check_right_first(aloha, None)
    assert (one.code, one.severity) == ("names.right_first", "warning")
    assert names.check_right_first(aloha[3:] + aloha[:3], "aloha") == []
    (other,) = names.check_right_first(("right_a", "left_a"), "mine")
    assert other.severity == "note"
    assert names.check_right_first(("lift", "roll"), None) == []


def test_names_that_contradict_their_columns(worlds: Any, sound: Actions) -> None:
    correlation = worlds.facts_of(sound).against_state.correlation
    swapped = worlds.names[7:] + worlds.names[:7]
    assert codes(names.check_names_against_state(swapped, worlds.names, correlation)) == ["names.contradict_data"]
    assert names.check_names_against_state(worlds.names, worlds.names, correlation) == []
    # Names and columns moved together: nothing is wrong.
    order = np.r_[7:14, 0:7]
    assert names.check_names_against_state(swapped, worlds.names, correlation[order]) == []


# values


def test_sound_values(worlds: Any, sound: Actions) -> None:
    facts = worlds.facts_of(sound)
    assert codes(values.check_finite(facts)) == []
    assert codes(values.check_dead(facts.stats)) == []
    assert codes(values.check_quantised(facts.sample)) == []
    assert codes(values.check_outliers(facts)) == []
    assert codes(values.check_wrap(facts.full_turns, facts.stats, worlds.layout)) == []
    assert codes(values.check_units(facts.stats, worlds.layout)) == []
    assert codes(values.check_looks_normalised(facts.stats)) == []
    assert codes(values.check_idle_side(facts.std_within, worlds.layout)) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nonfinite_is_named(worlds: Any, sound: Actions, value: float) -> None:
    action = sound.action.copy()
    row = int(np.flatnonzero((sound.episode == 3) & (sound.frame == 17))[0])
    action[row, 4] = value
    facts = worlds.facts_of(worlds.with_action(sound, action))
    (one,) = values.check_finite(facts, worlds.names)
    assert one.code == "data.nonfinite" and one.where == "episode 3, frame 17, dim 4 (left_l4)"
    assert np.isfinite(facts.stats.mean).all(), "one bad frame must not poison the statistics"


def test_dead_dims_are_listed_unless_declared_padding(worlds: Any, sound: Actions) -> None:
    action = sound.action.copy()
    action[:, [3, 4, 5, 12]] = [0.1, 0.0, 1e6, -2.0]
    (one,) = values.check_dead(worlds.facts_of(worlds.with_action(sound, action)).stats)
    assert one.code == "data.dead_dims" and "4 of 14" in one.evidence and "3–5, 12" in one.evidence
    stats = Stats(min=np.array([0.0, 0.0]), max=np.array([1.0, 0.0]))
    assert values.check_dead(stats, Layout.parse("arm pad(1)")) == []
    assert codes(values.check_dead(stats, Layout.parse("arm b"))) == ["data.dead_dims"]
    assert codes(values.check_dead(Stats(mean=np.zeros(2), std=np.array([1.0, 0.0])))) == ["data.dead_dims"]


def test_idle_side(worlds: Any, sound: Actions) -> None:
    action = sound.action.copy()
    for episode in range(12):
        rows = sound.episode == episode
        mean = action[rows, :6].mean(0)
        action[rows, :6] = mean + 0.03 * (action[rows, :6] - mean)
    facts = worlds.facts_of(worlds.with_action(sound, action))
    (one,) = values.check_idle_side(facts.std_within, worlds.layout)
    assert one.code == "data.idle_side" and one.where == "left_arm"


def test_quantised(worlds: Any, sound: Actions) -> None:
    action = sound.action.copy()
    action[:, 2] = np.round(action[:, 2] * 4) / 4
    (one,) = values.check_quantised(worlds.facts_of(worlds.with_action(sound, action)).sample)
    assert one.code == "data.quantised" and "0.25" in one.evidence


def test_outliers(worlds: Any, sound: Actions) -> None:
    for value in (1e3, -1e3):
        action = sound.action.copy()
        action[500, 9] = value
        (one,) = values.check_outliers(worlds.facts_of(worlds.with_action(sound, action)))
        assert one.code == "data.outliers" and "dim 9" in one.evidence
        assert one.where == f"episode {sound.episode[500]}"


def test_wrap(worlds: Any, sound: Actions) -> None:
    action = sound.action.copy()
    action[:, 1] = (8 * action[:, 1] + np.pi) % (2 * np.pi) - np.pi
    facts = worlds.facts_of(worlds.with_action(sound, action))
    (one,) = values.check_wrap(facts.full_turns, facts.stats, worlds.layout)
    assert one.code == "data.wrap" and "dim 1" in one.evidence
    continuous = Layout.parse("a:revolute[rad] b:continuous[rad] " + " ".join(f"c{i}" for i in range(12)))
    assert values.check_wrap(facts.full_turns, facts.stats, continuous) == []


def test_units(worlds: Any, sound: Actions) -> None:
    degrees = worlds.facts_of(worlds.with_action(sound, np.degrees(sound.action))).stats
    assert codes(values.check_units(degrees, worlds.layout)) == ["data.units"]
    claims_degrees = Layout.parse("arm(a b c):revolute[deg]")
    small = Stats(min=np.full(3, -1.5), max=np.full(3, 1.5))
    assert codes(values.check_units(small, claims_degrees)) == ["data.units"]
    assert values.check_units(Stats(min=np.full(3, -90.0), max=np.full(3, 90.0)), claims_degrees) == []


def test_looks_normalised(worlds: Any, sound: Actions) -> None:
    action = (sound.action - sound.action.mean(0)) / sound.action.std(0)
    found = values.check_looks_normalised(worlds.facts_of(worlds.with_action(sound, action)).stats)
    assert codes(found) == ["data.looks_normalised"]


# commands


def test_sound_commands(worlds: Any, sound: Actions) -> None:
    facts = worlds.facts_of(sound)
    assert commands.check_reference(facts.against_state, facts.against_step) == []
    assert commands.check_next_state(facts.next_state_gap, facts.live) == []
    assert commands.check_sides(facts.against_state, worlds.layout, "data.sides_swapped") == []
    assert commands.check_gripper_polarity(facts.against_state, np.array([6, 13])) == []
    assert (commands.reference_of(facts.against_state, facts.against_step)[[0, 1, 2, 7]] == 1).all()


def test_gripper_ranges_are_told(worlds: Any, sound: Actions) -> None:
    grippers = commands.gripper_columns(worlds.layout, None, 14)
    assert grippers.tolist() == [6, 13] == commands.gripper_columns(None, worlds.names, 14).tolist()
    (one,) = commands.check_gripper(sound.action, grippers)
    assert one.code == "data.gripper_range" and "6, 13 are 0..1" in one.evidence
    for scale, offset, label in ((2, -1, "−1..1"), (100, 0, "0..100"), (0.08, 0, "other")):
        assert commands.range_label(offset + scale * sound.action[:, 6]) == label


def test_gripper_state_that_runs_backwards(worlds: Any, sound: Actions) -> None:
    state = sound.state.copy()
    state[:, 6] = 1 - state[:, 6]
    facts = worlds.facts_of(replace(sound, state=state))
    (one,) = commands.check_gripper_polarity(facts.against_state, np.array([6, 13]))
    assert one.code == "data.gripper_polarity" and "dim 6" in one.evidence and "dim 13" not in one.evidence


def test_delta_and_mixed_actions(worlds: Any, sound: Actions) -> None:
    state = sound.state.astype(float)
    delta = np.zeros_like(state)
    delta[:-1] = np.diff(state, axis=0)
    delta[np.flatnonzero(np.diff(sound.episode))] = 0
    facts = worlds.facts_of(worlds.with_action(sound, delta))
    assert codes(commands.check_reference(facts.against_state, facts.against_step)) == ["data.delta_actions"]
    mixed = delta.copy()
    mixed[:, [6, 13]] = sound.action[:, [6, 13]]
    facts = worlds.facts_of(worlds.with_action(sound, mixed))
    assert codes(commands.check_reference(facts.against_state, facts.against_step)) == ["data.mixed_reference"]


def test_action_is_the_next_state(worlds: Any, sound: Actions) -> None:
    action = np.roll(sound.state, -1, axis=0)
    facts = worlds.facts_of(worlds.with_action(sound, action))
    assert codes(commands.check_next_state(facts.next_state_gap, facts.live)) == ["data.action_is_next_state"]


def test_sides_swapped_between_action_and_state(worlds: Any, sound: Actions) -> None:
    swapped = replace(sound, state=sound.state[:, np.r_[7:14, 0:7]])
    found = commands.check_sides(worlds.facts_of(swapped).against_state, worlds.layout, "data.sides_swapped")
    assert set(codes(found)) == {"data.sides_swapped"}


# episodes and time


def test_sound_episodes(worlds: Any, sound: Actions) -> None:
    facts = worlds.facts_of(sound)
    counts = dict(zip(facts.episode.tolist(), facts.rows.tolist(), strict=True))
    assert episodes.check_lengths(facts.episode, facts.rows, counts) == []
    assert episodes.check_duplicates(facts.episode, facts.content) == []
    assert episodes.check_still(facts) == []
    assert episodes.check_frame_index(facts.episode, facts.frame_breaks) == []
    assert episodes.check_time(facts.episode, facts.timing, 30, has_time=True) == []


def test_lengths() -> None:
    found = episodes.check_lengths(np.arange(3), np.array([5, 0, 7]), {0: 5, 2: 6})
    assert codes(found) == ["episode.empty", "episode.length"]
    assert found[0].where == "episodes 1" and "metadata 7 frames, data 6" in found[1].evidence


def test_duplicates(worlds: Any, sound: Actions) -> None:
    copy = replace(sound.take(sound.episode == 2), episode=np.full((sound.episode == 2).sum(), 12))
    facts = worlds.facts_of(worlds.join([sound, copy]))
    (one,) = episodes.check_duplicates(facts.episode, facts.content)
    assert one.code == "episode.duplicate" and "2=12" in one.evidence


def test_still(worlds: Any, sound: Actions) -> None:
    action = sound.action.copy()
    action[sound.episode == 5] = action[0]
    (one,) = episodes.check_still(worlds.facts_of(worlds.with_action(sound, action)))
    assert (one.code, one.where) == ("episode.still", "episodes 5")


def test_frame_index_gap(worlds: Any, sound: Actions) -> None:
    keep = ~((sound.episode == 4) & (sound.frame == 30))
    facts = worlds.facts_of(sound.take(keep))
    (one,) = episodes.check_frame_index(facts.episode, facts.frame_breaks)
    assert one.code == "episode.frame_index" and "episode 4" in one.where


def time_faults(worlds: Any, recorded: Actions, timestamp: np.ndarray, fps: float = 30) -> list[Finding]:
    facts = worlds.facts_of(replace(recorded, timestamp=timestamp))
    return episodes.check_time(facts.episode, facts.timing, fps, has_time=True)


def test_time(worlds: Any, sound: Actions) -> None:
    wrong_rate = time_faults(worlds, sound, sound.timestamp * 2)
    assert codes(wrong_rate) == ["time.rate"] and "15 per second" in wrong_rate[0].evidence
    gap = sound.timestamp + 0.5 * ((sound.episode == 6) & (sound.frame >= 40))
    (one,) = time_faults(worlds, sound, gap)
    assert one.code == "time.gap" and one.where == "first in episode 6 before frame 40"
    back = sound.timestamp.copy()
    back[10] = back[8]
    assert codes(time_faults(worlds, sound, back)) == ["time.not_increasing", "time.gap"]
    assert codes(episodes.check_time(np.arange(0), worlds.facts_of(sound).timing, 0, has_time=True)) == ["time.fps"]
    assert codes(episodes.check_time(np.arange(0), worlds.facts_of(sound).timing, 30, has_time=False)) == [
        "time.unknown"
    ]


def test_float32_timestamps_of_a_long_episode_are_no_gap() -> None:
    n = 200_000  # two hours: float32 steps are off by a quarter of a millisecond
    timestamp = (np.arange(n) / 30).astype(np.float32)
    from surehand.decide.checks.digest import _timing

    median, _, backward, gaps, _ = _timing(timestamp, np.arange(n), 30)
    assert (backward, gaps) == (0, 0) and abs(median * 30 - 1) < 0.05


# sums


def test_cross_moments_merge_as_numpy_computes(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((500, 3)) + 1e4, rng.standard_normal((500, 2))
    y[:, 0] += x[:, 1]
    moments = CrossMoments(3, 2)
    for part in np.split(np.arange(500), [7, 8, 300]):
        moments.update(x[part], y[part])
    np.testing.assert_allclose(moments.correlation, np.corrcoef(x.T, y.T)[:3, 3:], atol=1e-9)
    np.testing.assert_allclose(moments.x_std, x.std(0), rtol=1e-9)
    np.testing.assert_allclose(moments.square_gap[2, 1], ((x[:, 2] - y[:, 1]) ** 2).mean(), rtol=1e-9)


def test_row_sample_is_exact_then_uniform(rng: np.random.Generator) -> None:
    rows = np.arange(1000.0)[:, None]
    small, large = RowSample(1, rng, 1000), RowSample(1, rng, 100)
    for sample in (small, large):
        for start in range(0, 1000, 37):
            sample.update(rows[start : start + 37], np.arange(start, min(start + 37, 1000)))
    assert small.exact and sorted(small.read()[0][:, 0]) == rows[:, 0].tolist()
    held, label = large.read()
    assert not large.exact and len(held) == 100 and (held[:, 0] == label).all()


def test_row_sample_keeps_every_row_equally_often() -> None:
    counts = np.zeros(200)
    for seed in range(400):
        sample = RowSample(1, np.random.default_rng(seed), 20)
        for start in range(0, 200, 10):
            sample.update(np.arange(start, start + 10.0)[:, None], np.arange(start, start + 10))
        counts[sample.read()[1]] += 1
    # 400 draws at 1 in 10: 40 ± 6 each.
    assert 15 < counts.min() and counts.max() < 70 and abs(counts[:100].mean() - 40) < 1


def test_digest_agrees_with_numpy_in_batches(worlds: SimpleNamespace, sound: Actions) -> None:
    stats = worlds.facts_of(sound).stats
    action = sound.action.astype(float)
    for name, expected in (
        ("mean", action.mean(0)),
        ("std", action.std(0)),
        ("min", action.min(0)),
        ("max", action.max(0)),
        ("q01", np.quantile(action, 0.01, axis=0)),
        ("q99", np.quantile(action, 0.99, axis=0)),
    ):
        np.testing.assert_allclose(getattr(stats, name), expected, rtol=1e-9, atol=1e-12)
