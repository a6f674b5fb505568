"""What stands where on the page of an agreement record, and the lines below its verdict."""

import math

from surehand.decide.agreement import AgreementRecord
from surehand.report.agreement_tables import labels, units
from surehand.report.text import count, names_note, number, shorten

# Sections in reading order: key, title, what stands in it.
PLAN = (
    ("agreement", "Which number predicts the robot", ("figure offline_robot", "metrics", "figure tau")),
    ("clock", "The clock", ("clock",)),
    ("runs", "Within training runs", ("figure regret", "figure agreement", "within_run")),
    ("values", "What was compared", ("values",)),
)
FOLDED = ("coefficients",)
SMALL = 0.05  # a smallest p above it leaves nothing to claim


def title(record: AgreementRecord) -> str:
    """The page's title."""
    return f"Offline numbers and the robot: {len(record.policies)} policies, {count(record.selected_from, 'metric')}"


def lead(record: AgreementRecord) -> str:
    """The verdict, with names as people read them."""
    return shorten(str(record), labels(record))


def methods(record: AgreementRecord) -> dict[str, str]:
    """The methods block: what the record says, its sources, which label stands for which name."""
    rest = {
        "Offline numbers": record.source,
        "Trials": record.trials,
        "Seed": "" if record.seed is None else str(record.seed),
        "Names": names_note(labels(record)),
    }
    return {**record.methods, **{k: v for k, v in rest.items() if v and k not in record.methods}}


def below(record: AgreementRecord) -> list[str]:
    """One line each: what was compared, and how little so few policies can prove."""
    trials = sum(record.robot_trials.values())
    what = "mean scores" if record.outcome == "score" else "success rates"
    best = f" {record.best} comes closest." if record.best else ""
    over = f"over {count(trials, 'robot trial')}" if trials else "as published, without their trials"
    lines = [f"{what.capitalize()} of {len(record.policies)} policies {over}.{best}"]
    smallest = [c.p_smallest for m in record.metrics for c in m.coefficients if c.name == "tau_b"]
    least = min((p for p in smallest if math.isfinite(p)), default=math.nan)
    if math.isfinite(least):
        hopeless = ", so no order can be established" if least > SMALL else ""
        lines.append(f"The smallest one-sided p that {units(record)} can reach is {number(least, 2)}{hopeless}.")
    return lines
