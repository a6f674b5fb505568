"""Numbers and names as people read them."""

import math

from hypothesis import given
from hypothesis import strategies as st

from surehand.report.text import clean, common_power, number, short_names, shorten

finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)


@given(finite, st.integers(1, 6))
def test_a_printed_number_reads_back_to_its_digits(value, digits):
    read = float(number(value, digits).replace("−", "-"))
    assert math.isclose(read, value, rel_tol=0.5001 * 10.0 ** (1 - digits))


def test_numbers_that_are_none():
    assert [number(v) for v in (math.nan, math.inf, -math.inf)] == ["–", "∞", "−∞"]


@given(st.lists(st.text(min_size=0, max_size=80), unique=True, max_size=12), st.integers(8, 30))
def test_short_names_stay_distinct_and_short(names, width):
    labels = short_names(names, width)
    assert list(labels) == names
    assert len(set(labels.values())) == len(names)
    assert all(len(label) <= width and label == clean(label) for label in labels.values())


def test_folders_shared_by_all_checkpoints_go():
    names = [f"out/train/{k}/pretrained_model" for k in ("005000", "010000")]
    assert list(short_names([*names, "hold last action"]).values()) == ["005000", "010000", "hold last action"]


def test_shorten_prefers_the_longest_name():
    assert shorten("a/4 and a/40", {"a/4": "four", "a/40": "forty"}) == "four and forty"


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=9))
def test_the_middle_value_is_readable_after_the_common_power(values):
    middle = sorted(values)[len(values) // 2] if len(values) % 2 else None
    if middle is not None:
        assert 0.0999 <= middle * 10.0 ** -common_power(values) < 1000


def test_clean_removes_what_acts_on_a_terminal():
    assert clean("a\x1b[31mb\n\u202ec\u200b") == "a[31mb c"
