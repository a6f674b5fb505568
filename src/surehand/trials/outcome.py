"""What leaves a study: rows of the trials contract, and outcomes for the stop rule."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from surehand.formats.schedules import Key, Schedule
from surehand.formats.trial_rows import Trial
from surehand.formats.trials import Trials
from surehand.trials.entries import Row
from surehand.trials.places import Attempt, Place, Standing, same_person
from surehand.trials.standing import standing

WITHDRAWN, CONFLICT = "withdrawn", "conflict"  # void rules of the export, for what no rule of the schedule names


def to_trials(schedule: Schedule, rows: Iterable[Row], key: Key | None = None) -> Trials:
    """The study as rows of the contract, in the order of the schedule; `trial` is the number of the store's row.

    `policy` is the code, and with the key the policy. Whatever was run is there: void trials with their rule, corrected
    ones with the correction after them, a trial that was taken back replaced by the next one at its position (or void,
    rule "withdrawn", where nobody ran it again), and the later of two trials of one position void, rule "conflict", so
    long as nobody has taken one back. Corrections that were taken back, or contradict another one, change no result and
    stay in the store alone. What counts is exactly what counts in `standing`.
    """
    found: list[Trial] = []
    for place in standing(schedule, rows).places:
        policy = key.policy(place.item.code) if key else place.item.code
        found.extend(_place(place, policy, schedule))
    planned = Counter(item.arm for item in schedule.items)
    header = {
        "layout": "",
        "data_identity": schedule.identity,
        "seeds": [schedule.seed] if key else [],  # the order of the arms follows from it
        "study": schedule.study,
        "planned": max(planned.values(), default=0),
        "rubric": schedule.rubric.model_dump(mode="json"),
        "stop": schedule.stop.model_dump(mode="json") if schedule.stop else None,
    }
    return Trials(tuple(found), header, f"study {schedule.study!r}")


def _place(place: Place, policy: str, schedule: Schedule) -> Iterator[Trial]:
    """The rows of one position: every attempt, each followed by its corrections."""
    gone = [Attempt((row,)) for row in place.withdrawn if row.kind in ("trial", "void")]
    kept = [a for a in (place.counting, *place.conflicts, *place.voids) if a]
    attempts = sorted((*gone, *kept), key=lambda attempt: attempt.root.number)
    for i, attempt in enumerate(attempts):
        before = attempts[i - 1].root.number if i and attempts[i - 1] in gone else None
        last = i + 1 == len(attempts)
        for row in attempt.chain:
            void = row.void_rule
            if attempt in gone and last:
                void = WITHDRAWN
            elif attempt in place.conflicts:
                void = CONFLICT
            yield _trial(place, attempt, row, policy, schedule, void=void, corrects=before)
            before = row.number


def _trial(
    place: Place, attempt: Attempt, row: Row, policy: str, schedule: Schedule, *, void: str, corrects: int | None
) -> Trial:
    item, root = place.item, attempt.root
    second = place.second if attempt is place.counting and row is attempt.head else None
    return Trial(
        trial=row.number,
        policy=policy,
        position=item.position,
        block=item.block,
        object=item.object,
        start_pose=item.start_pose,
        operator=root.operator,
        instruction=item.instruction,
        score=row.score,
        success=None if row.score is None else schedule.rubric.succeeded(row.score),
        void=bool(void),
        void_rule=void,
        started=root.started,
        ended=root.ended,
        notes=row.notes,
        corrects=corrects,
        scorer="" if same_person(row.operator) == same_person(root.operator) else row.operator,
        second_score=second.score if second else None,
        second_scorer=second.head.operator if second else "",
        recorded=row.received,
    )


def outcomes_by_arm(schedule: Schedule, at: Standing) -> Mapping[str, list[float | None]]:
    """arm -> its outcome in every block, in the schedule's order of blocks; None where none counts yet.

    The outcome is what the stop rule looks at: 1.0 or 0.0 for success, or the score; the score without a rule.
    """
    blocks = list(dict.fromkeys(item.block for item in schedule.items))
    success = schedule.stop is not None and schedule.stop.outcome == "success"
    found: dict[tuple[str, str], float] = {}
    for place in at.places:
        score = place.counting.score if place.counting else None
        if score is not None:
            value = float(schedule.rubric.succeeded(score)) if success else score
            found.setdefault((place.item.arm, place.item.block), value)
    return {arm: [found.get((arm, block)) for block in blocks] for arm in schedule.arms}
