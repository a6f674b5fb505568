"""The card's section: whole names, counts, labels, design, and nothing that tells of a folder, host or password."""

import pytest

from surehand.report import to_card

from .trial_records import HSR, comparison, many


def test_a_card_says_what_was_done_and_how_to_redo_it():
    record = comparison(HSR)
    card = to_card(record)
    assert card.startswith("## Robot trials: grasp\n")
    assert "| pi05\\_baseline\\_80k | 20 | 0 | 0 | 0 | 20 | 4.00 | 20 | 1.00 (0.80–1.0) |" in card
    for pair in record.pairs:
        assert f"| {pair.label} |" in card
    assert f"schedule `{record.schedule}`, fixed before the first trial" in card
    assert "**4** Picked it up." in card and "weighted κ 0.81" in card
    assert "`surehand trials compare trials.csv`" in card and "not randomised &lt;b&gt;" in card
    assert card.endswith("\n") and "\n\n\n" not in card


def test_a_card_has_whole_names():
    names = many(3)
    card = to_card(comparison(names)).replace("\\", "")
    assert all(f"| {name} |" in card for name in names)


def test_a_planned_path_stands_and_an_illustration_does_not():
    record = comparison(HSR)
    card = to_card(record).replace("\\", "")
    for path in record.paths:
        assert (path.sentence in card) is path.planned


def test_labels_under_a_stop_rule_are_the_rules():
    record = comparison(HSR)
    ruled = record.model_copy(update={"pairs": [p.model_copy(update={"fixed": False}) for p in record.pairs]})
    assert "the verdict of the rule to stop" in to_card(ruled) and "robust where both" not in to_card(ruled)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("/home/someone/secret/trials.csv", "`surehand trials compare trials.csv`"),
        ("C:\\lab\\trials.csv", "`surehand trials compare trials.csv`"),
        ("a/one.csv, b/two.csv", "`surehand trials compare one.csv two.csv`"),
        ("postgresql://me:word@host/lab?sslmode=require", "`surehand trials compare lab`"),
        ("postgresql://me:word@host", "`surehand trials compare trials.csv`"),
        ("x`rm`.csv", "`surehand trials compare xrm.csv`"),
        ("", "`surehand trials compare trials.csv`"),
    ],
)
def test_the_source_is_a_file_name(source, shown):
    card = to_card(comparison(HSR, source=source))
    assert shown in card
    assert not any(secret in card for secret in ("someone", "word", "host", "lab\\"))
