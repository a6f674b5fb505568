"""Words that name signals and phases: whatever is typed is read, or refused in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surehand.decide.limits_signals import find_column, find_signals, parse_phase
from surehand.decide.limits_words import percent
from surehand.exceptions import SurehandError

KNOWN = {"force": 1, "torque": 3, "observation.effort": 2, "odd[0]": 1}
TEXT = st.one_of(
    st.text(max_size=30),
    st.builds("{}[{}]".format, st.sampled_from([*KNOWN, ""]), st.text(max_size=5)),
    st.builds(
        "{}:{}:{}".format, st.sampled_from(["speed", "distance", "column", "none"]), st.text(max_size=5), st.floats()
    ),
)


@given(TEXT)
def test_signals_are_read_or_refused(text: str) -> None:
    try:
        column, index = find_column(text, KNOWN)
    except SurehandError as error:
        assert str(error)
    else:
        assert column in KNOWN and (index is None or 0 <= index < KNOWN[column])


@given(TEXT)
def test_phases_are_read_or_refused(text: str) -> None:
    try:
        kind, name, limit = parse_phase(text)
    except SurehandError as error:
        assert str(error)
    else:
        assert (kind == "none") == (not name) and (kind in ("none", "column") or limit > 0)


def test_names_of_signals() -> None:
    found = find_signals(
        (("force", "upper"), ("torque", "absolute"), ("odd[0]", "lower"), ("torque[2]", "upper")), KNOWN
    )
    names = ["force", "|torque[0]|", "|torque[1]|", "|torque[2]|", "min odd[0]", "torque[2]"]
    assert [s.name for s in found] == names and found[3].index == 2 and found[4].index is None
    with pytest.raises(SurehandError, match="named twice"):
        find_signals((("torque", "upper"), ("torque[1]", "upper")), KNOWN)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.99, "99 %"), (0.9999, "99.99 %"), (0.99996, "99.99 %"), (0.0031, "0.31 %")],
)
def test_shares_never_round_to_certainty(share: float, text: str) -> None:
    assert percent(share) == text
