"""Splits against a walk through the episodes, one at a time, and lists that must be refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surehand.exceptions import NotEnoughData, SurehandError
from surehand.splits import check_episodes, lerobot_split, listed_split, parse_episodes, random_split

TASKS = st.lists(st.sampled_from(["pick", "place", ""]), min_size=1, max_size=40)


@given(TASKS, st.integers(0, 63))
def test_lerobot_split_holds_out_the_last_of_each_task(tasks: list[str], eighths: int) -> None:
    fraction = Fraction(eighths, 64)  # exact in binary, so that the count below owes nothing to rounding
    expected = set()
    for task in set(tasks):
        members = [episode for episode, name in enumerate(tasks) if name == task]
        count = 0
        while count < len(members) * fraction:
            count += 1
        expected |= set(members[::-1][:count])
    if len(expected) == len(tasks):
        with pytest.raises(NotEnoughData, match="leaves none"):
            lerobot_split(dict(enumerate(tasks)), float(fraction))
        return
    split = lerobot_split(dict(enumerate(tasks)), float(fraction))
    assert set(split.held_out) == expected
    assert sorted(split.train + split.held_out) == list(range(len(tasks)))


def test_the_order_of_the_episodes_is_that_of_the_list_lerobot_was_given() -> None:
    assert lerobot_split({3: "pick", 2: "pick", 1: "pick", 0: "pick"}, 0.25).held_out == (0,)


def test_ceil_is_of_the_floating_product_as_in_lerobot() -> None:
    # 0.07 * 100 is 7.000000000000001 in floating point, so lerobot holds out eight.
    assert len(lerobot_split(dict.fromkeys(range(100), "pick"), 0.07).held_out) == 8
    assert len(lerobot_split(dict.fromkeys(range(30), "pick"), 0.1).held_out) == 3


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_fractions_out_of_range_are_refused(fraction: float) -> None:
    with pytest.raises(SurehandError, match="at least 0 and below 1"):
        lerobot_split({0: "pick"}, fraction)


def test_no_fraction_holds_out_nothing() -> None:
    assert lerobot_split({0: "a", 1: "a"}, 0.0).held_out == ()


@given(st.sets(st.integers(0, 60), min_size=1))
def test_a_printed_list_is_read_back(wanted: set[int]) -> None:
    text = ",".join(map(str, sorted(wanted)))
    split = listed_split(range(61), text)
    assert set(split.held_out) == wanted and set(split.train) == set(range(61)) - wanted


def test_ranges_include_both_ends() -> None:
    assert parse_episodes(" 7, 2..4,3") == (7, 2, 3, 4)


def test_lerobot_s_own_lists_are_read() -> None:
    assert parse_episodes("[3, 5]") == parse_episodes("3,5") == (3, 5)


@pytest.mark.parametrize("text", ["", "3,,4", "3-5", "a", "5..3", "..4", "1..99999999999", "-1"])
def test_lists_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(SurehandError):
        parse_episodes(text)


def test_episodes_outside_the_dataset_are_counted_and_the_first_is_named() -> None:
    with pytest.raises(
        SurehandError, match=r"2 of 3 episodes are not in the dataset, the first is 9; it has 5, 0 to 4"
    ):
        listed_split(range(5), "1,9,12")


def test_an_episode_listed_twice_is_refused() -> None:
    with pytest.raises(SurehandError, match="episode 2 is listed twice"):
        check_episodes([1, 2, 3, 2], range(5))


@given(st.integers(2, 200), st.floats(0.01, 0.99), st.integers(0, 5))
def test_random_splits_are_the_seed_s_and_cover_everything(n: int, ratio: float, seed: int) -> None:
    if max(1, round(n * ratio)) >= n:
        with pytest.raises(NotEnoughData):
            random_split(range(n), ratio, seed)
        return
    split = random_split(range(n), ratio, seed)
    assert split == random_split(reversed(range(n)), ratio, seed)
    assert sorted(split.train + split.held_out) == list(range(n))
    assert len(split.held_out) == max(1, round(n * ratio))


def test_another_seed_draws_other_episodes() -> None:
    assert random_split(range(100), 0.2, 0).held_out != random_split(range(100), 0.2, 1).held_out
