"""Figures: drawn offline in three formats, with the words and numbers of the record."""

import html
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surehand.errors.record import Value
from surehand.report.drawing import log_scale
from surehand.report.figures import figures
from surehand.report.looks import OTHERS, looks

ALL = {"error_by_group", "group_shares", "skill", "horizon", "worst_traces", "selection_sets"}


def test_every_figure_in_every_format(make_errors, rng):
    for figure in figures(make_errors(rng, ("40k", "80k"), horizon=4)):
        svg = figure.drawing
        assert svg.startswith("<svg") and svg.count("<text") > 5
        assert figure.png().startswith(b"\x89PNG") and figure.pdf().startswith(b"%PDF")
        assert "14" in figure.caption or figure.key == "worst_traces"
        assert not re.search(r'(href|src)="http', svg)


def test_words_of_the_record_are_in_the_drawing(make_errors, names, rng):
    record = make_errors(rng, names["steps"])
    svg = {f.key: html.unescape(f.drawing) for f in figures(record)}
    assert svg.keys() == ALL
    for word in ("arm", "gripper", "head", "base", "10k", "70k", "hold last action"):
        assert f">{word}<" in svg["error_by_group"] or word in svg["error_by_group"]
        assert word in svg["group_shares"]
    assert "other checkpoints" in svg["horizon"] and "recorded" in svg["worst_traces"]
    assert "cannot be told apart" in svg["selection_sets"] and "group:arm" in svg["selection_sets"]


def test_hostile_names_do_not_break_the_drawing(make_errors, names, rng):
    for figure in figures(make_errors(rng, names["hostile"])):
        assert "<script" not in figure.inline()


def test_inlined_figures_share_no_ids(make_errors, rng):
    found = [set(re.findall(r'\bid="([^"]+)"', f.inline())) for f in figures(make_errors(rng, ("40k", "80k")))]
    together = [name for ids in found for name in ids]
    assert len(together) == len(set(together)) > 0


def test_a_zero_error_is_written_not_drawn(make_errors, rng):
    record = make_errors(rng, ("40k", "80k"))
    for p in record.policies:
        p.errors["arm"] = Value(value=0.0) if p.name == "40k" else Value(value=0.01, low=0.0, high=0.02)
    svg = next(f.drawing for f in figures(record) if f.key == "error_by_group")
    assert svg.count("exactly 0") >= 1 and "NaN" not in svg


def test_record_without_numbers_draws_nothing(make_errors, rng):
    record = make_errors(rng, ("40k",), rivals=(), extras=False, chosen=False)
    for p in record.policies:
        p.errors = {g: Value(value=math.nan) for g in p.errors}
        p.horizon, p.shares, p.skill, p.traces = {}, {}, {}, []
    assert figures(record) == []


def test_few_checkpoints_have_colours_many_share_grey(make_errors, names, rng):
    few = looks(make_errors(rng, names["steps"][:4])).values()
    assert OTHERS not in {look.legend for look in few}
    many = list(looks(make_errors(rng, names["many"])).values())
    assert sum(look.legend == OTHERS for look in many) >= 9
    assert sum(look.role == "pick" for look in many) == 1


@given(st.lists(st.floats(1e-12, 1e6), min_size=1, max_size=8))
def test_log_axis_holds_its_values_and_has_ticks(values):
    (low, high), ticks = log_scale(values)
    assert low < min(values) and high > max(values)
    assert 1 <= len(ticks) <= 8 and all(low <= t <= high for t in ticks) and ticks == sorted(ticks)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(0, 3), st.booleans(), st.booleans(), st.integers(1, 5))
def test_any_record_can_be_drawn(make_errors, seed, checkpoints, rivals, intervals, extras, horizon):
    given_rivals = ("hold last action", "state as action", "per-task mean")[:rivals]
    names = [f"run/{10 * k}k" for k in range(1, checkpoints + 1)]
    rng = np.random.default_rng(seed)
    record = make_errors(
        rng, names, rivals=given_rivals, intervals=intervals, extras=extras, horizon=horizon, episodes=3
    )
    for figure in figures(record):
        assert figure.drawing.startswith("<svg")


def test_a_broken_specification_is_not_passed_over(make_errors, rng):
    figure = figures(make_errors(rng, ("40k", "80k")))[0]
    figure.spec["concat"] = "nonsense"
    with pytest.raises(ValueError, match=r"."):
        assert figure.drawing
