"""Tables of docs/within-run.md, judged from the committed runs: `make docs` writes them, a test compares."""

from pathlib import Path

from surehand.decide.selectors import Selector
from surehand.decide.within_run import Estimate, Judgement, WithinRun
from surehand.sim.ablate.plan import read_plan
from surehand.sim.ablate.run import judge_cells

RUNS = Path(__file__).parents[1] / "experiments" / "within-run"
PARTS = ("mobile", "desk", "plain")


def results() -> str:
    """Regret of every rule in every part, then what was expected, as Markdown."""
    record = judge_cells(read_plan(RUNS / "plan.json"), RUNS)
    return "\n\n".join([_sentences(record), _rules(record), _expected(record.headline)])


def _sentences(record: WithinRun) -> str:
    parts = [record.headline, *record.others]
    unfinished = [f"- **{warning}**" for warning in record.warnings]
    return "\n".join([*unfinished, *(f"- {part.sentence}" for part in parts)])


def _rules(record: WithinRun) -> str:
    parts = {part.name: part for part in (record.headline, *record.others) if part.runs}
    shown = [name for name in PARTS if name in parts]
    heads = [f"{name} ({len(parts[name].runs)} runs)" for name in shown]
    learners = record.headline.learners
    lines = [
        "| rule | space | " + " | ".join([*heads, "τ, mobile", *(f"mobile, {name}" for name in learners)]) + " |",
        "|---" * (3 + len(shown) + len(learners)) + "|",
    ]
    found = {name: {rule.rule: rule for rule in part.rules} for name, part in parts.items()}
    for rule in sorted(record.headline.rules, key=lambda rule: rule.regret.value):
        selector = Selector.parse(rule.rule)
        cells = [_number(found[name][rule.rule].regret) if rule.rule in found[name] else "" for name in shown]
        cells += [f"{rule.tau.value:.2f}" if rule.tau.runs else ""]
        cells += [_signed(rule.by[name].value) for name in learners]
        lines.append(f"| {selector.label} | {selector.space_label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _expected(part: Judgement) -> str:
    lines = ["| | expected | regret saved | p (Holm) | verdict |", "|---|---|---|---|---|"]
    for found in part.comparisons:
        told = found.hypothesis
        lines.append(
            f"| {told.key} | {told.claim} | {_number(found.difference)} | {found.p_holm:.3f} | {found.verdict} |"
        )
    return "\n".join(lines)


def _number(estimate: Estimate) -> str:
    return f"{_signed(estimate.value)} ({_signed(estimate.low)} to {_signed(estimate.high)})"


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")  # never −0.000
