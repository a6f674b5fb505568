"""A study before its first trial: what is run under which conditions, in random order, under random codes, sealed."""

import math
import random
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from surehand import __version__
from surehand.exceptions import SurehandError
from surehand.formats.rubrics import Rubric
from surehand.formats.schedules import Item, Key, Schedule, StopRule
from surehand.measure.sequential import MOST_PAIRS
from surehand.trials.places import same_person

ALPHABET = "ACDEFHJKLMNPRTUVWXY34679"  # no letter that a glance takes for another one
MOST = 20_000  # trials in one study
LONGEST = 200  # characters of a text that an operator is to read


@dataclass(frozen=True)
class Conditions:
    """What every policy meets equally often. One empty text each where the study does not vary it."""

    objects: tuple[str, ...] = ("",)
    start_poses: tuple[str, ...] = ("",)
    operators: tuple[str, ...] = ("",)
    instruction: str = ""  # {object} and {pose} stand for those of the trial

    def __post_init__(self) -> None:
        for what, values in (("object", self.objects), ("pose", self.start_poses), ("operator", self.operators)):
            told_apart = set(map(same_person, values)) if what == "operator" else set(values)
            if not values or len(told_apart) < len(values) or (len(values) > 1 and "" in told_apart):
                raise SurehandError(f"expected different, named {what}s, got {list(values)}; give each once")

    @property
    def cells(self) -> list[tuple[str, str, str]]:
        """Every (object, start pose, operator)."""
        return list(product(self.objects, self.start_poses, self.operators))

    def instructed(self, thing: str, pose: str) -> str:
        """The instruction of one trial."""
        return self.instruction.replace("{object}", thing).replace("{pose}", pose)


def make_plan(
    study: str,
    policies: Sequence[str],
    conditions: Conditions | None = None,
    *,
    rubric: Rubric,
    trials: int,
    seed: int,
    second: float = 0.1,
    void_rules: Sequence[str] = (),
    codes: Literal["policy", "trial"] = "policy",
    stop: Literal["", "success", "score"] = "",
    alpha: float = 0.05,
    notes: str = "",
    secret: random.Random | None = None,
) -> tuple[Schedule, Key]:
    """The schedule to run and the key to lock away: `trials` of each policy in randomised complete blocks.

    A block holds every policy once, in random order, under one condition, one after the other, so that conditions and
    the time of day weigh on all alike. Conditions come equally often; what is left over is drawn without replacement.
    `second`: share of trials to be scored a second time. `codes`: one per policy, or a new one for every trial, so that
    nobody learns to expect anything of a code. The order follows from `seed`, which is in the schedule; who is behind
    which arm is drawn from `secret` (the system's randomness), which is nowhere.
    Raises SurehandError for fewer than two policies, texts that name one, and shares outside 0 to 1.
    """
    conditions = conditions or Conditions()
    _check(study, policies, conditions, trials, second, alpha, [*void_rules, notes], rubric)
    if stop == "success" and trials > MOST_PAIRS:
        raise SurehandError(
            f"the exact design on success reaches {MOST_PAIRS} trials per policy, not {trials}; choose --stop score"
        )
    rng = np.random.default_rng(seed)
    secret = secret or secrets.SystemRandom()
    arms = _codes(rng, len(policies), 3, policies)
    hidden = secret.sample(list(policies), len(policies))
    items = _items(rng, arms, conditions, trials)
    own = _codes(rng, len(items), 4, policies) if codes == "trial" else [item.arm for item in items]
    again = set(rng.permutation(len(items))[: math.ceil(second * len(items))].tolist())
    items = [
        item.model_copy(update={"position": i + 1, "code": own[i], "second": i in again})
        for i, item in enumerate(items)
    ]
    key = Key(
        surehand=__version__,
        study=study,
        policies=dict(zip(arms, hidden, strict=True)),
        codes={item.code: item.arm for item in items} if codes == "trial" else {},
        nonce=secret.randbytes(16).hex(),
    )
    schedule = Schedule(
        surehand=__version__,
        study=study,
        rubric=rubric,
        arms=arms,
        items=items,
        void_rules=list(void_rules),
        seed=seed,
        commitment=key.commitment,
        stop=StopRule(outcome=stop, alpha=alpha, pairs=trials) if stop else None,
        notes=notes,
    )
    return schedule, key


def _items(rng: np.random.Generator, arms: Sequence[str], conditions: Conditions, trials: int) -> list[Item]:
    """Blocks in the order to be run; positions and codes are still to come."""
    cells = conditions.cells
    rounds = [rng.permutation(len(cells)) for _ in range(math.ceil(trials / len(cells)))]  # each holds every condition
    order = np.concatenate(rounds)[:trials]
    items = []
    for block, cell in enumerate(order.tolist(), start=1):
        thing, pose, operator = cells[cell]
        shared = {"object": thing, "start_pose": pose, "operator": operator}
        told = conditions.instructed(thing, pose)
        for arm in rng.permutation(len(arms)).tolist():
            items.append(Item(position=1, block=f"{block}", arm=arms[arm], code=arms[arm], instruction=told, **shared))
    return items


def _codes(rng: np.random.Generator, count: int, letters: int, policies: Sequence[str]) -> list[str]:
    """Different codes; none is part of a policy's name."""
    taken = " ".join(policies).upper()
    found: dict[str, None] = {}
    while len(found) < count:
        code = "".join(ALPHABET[i] for i in rng.integers(len(ALPHABET), size=letters))
        if code not in taken:
            found[code] = None
    return list(found)


def _check(
    study: str,
    policies: Sequence[str],
    conditions: Conditions,
    trials: int,
    second: float,
    alpha: float,
    texts: Sequence[str],
    rubric: Rubric,
) -> None:
    if len(policies) < 2 or len(set(policies)) < len(policies) or not all(name.strip() for name in policies):
        raise SurehandError(f"a comparison needs two or more different policies, got {list(policies)}; name each once")
    for name in policies:
        if len(name) > LONGEST or not name.isprintable():
            raise SurehandError(f"policy {name[:40]!r} is not one line of at most {LONGEST} characters; shorten it")
    if not study.strip():
        raise SurehandError("a study needs a name; give --study")
    if trials < 1 or trials * len(policies) > MOST:
        raise SurehandError(f"expected 1 to {MOST // len(policies)} trials per policy, got {trials}")
    if not 0 <= second <= 1 or not 0 < alpha < 1:
        raise SurehandError(f"expected shares between 0 and 1, got {second} to be scored twice and alpha {alpha}")
    shown = [study, *conditions.objects, *conditions.start_poses, *conditions.operators, conditions.instruction, *texts]
    for text in shown:
        if len(text) > LONGEST or not text.isprintable():
            raise SurehandError(f"{text[:40]!r} is not one line of at most {LONGEST} characters; shorten it")
    for text in [*shown, rubric.question, *(level.words for level in rubric.levels)]:
        named = next((name for name in policies if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.I)), None)
        if named is not None:
            raise SurehandError(f"{text!r} names the policy {named!r}, and operators would read it; use other words")
