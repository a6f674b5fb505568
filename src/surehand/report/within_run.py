"""What stands where on the page of a within-run record, and the lines below its verdict."""

from collections.abc import Sequence

from surehand.decide.within_run import Judgement, WithinRun
from surehand.report.text import count, interval, number

# Sections in reading order: key, title, what stands in it.
HEADLINE = (
    ("regret", "What the pick loses", ("figure regret", "rules")),
    ("expected", "What was expected", ("figure hypotheses", "hypotheses")),
    ("agreement", "Rank agreement", ("figure agreement",)),
    ("curves", "Runs", ("figure curves", "regret_by_kind")),
)


def plan(record: WithinRun) -> list[tuple[str, str, Sequence[str]]]:
    """The headline's sections, then one for each other part, whose blocks carry its name."""
    blocks = ("figure regret", "rules", "hypotheses", "regret_by_kind")
    others = [(o.name, f"Repeated: {o.title}", [f"{b}_{o.name}" for b in blocks]) for o in record.others]
    return [*HEADLINE, *others]


def folded(record: WithinRun) -> list[str]:
    """Tables that open on a click."""
    return ["runs", *(f"runs_{other.name}" for other in record.others)]


def below(record: WithinRun) -> list[str]:
    """One line each: what the runs were, how much there was to lose, what the other parts say."""
    lines = [_sample(record, record.headline), _room(record, record.headline)]
    for other in record.others:
        lines += [other.sentence, _room(record, other)]
    return lines


def _sample(record: WithinRun, judgement: Judgement) -> str:
    sizes = " or ".join(map(str, judgement.sizes))
    return (
        f"Runs of {', '.join(judgement.learners)} on {sizes} demonstrations of {' and '.join(record.tasks)}, "
        f"{count(len(judgement.runs[0].step), 'checkpoint')} each; plan {record.plan_hash}."
    )


def _room(record: WithinRun, judgement: Judgement) -> str:
    """How much a choice could matter at all: nothing is lost where every checkpoint is as good."""
    room = judgement.room
    lost = [run.regret["random checkpoint"] for run in judgement.runs]
    mattered = sum(value >= record.margin for value in lost)
    limits = interval(room.low, room.high)
    title = f"{judgement.title[:1].upper()}{judgement.title[1:]}"
    return (
        f"{title}: a checkpoint picked at random loses {number(room.value, 2)}"
        f"{f' ({limits})' if limits else ''} of success; the choice matters (by {record.margin:g} or more) in "
        f"{mattered} of {count(len(lost), 'run')}."
    )
