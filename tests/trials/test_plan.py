"""Plans: balanced, randomised, sealed, and silent about who is who."""

import json
import random
import stat
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import surehand
from surehand.exceptions import FormatError, SurehandError
from surehand.formats.rubrics import Rubric, read_rubric
from surehand.formats.schedules import Key, Schedule, check_key, save_key
from surehand.trials.plan import Conditions, make_plan

HSR = read_rubric("hsr")
POLICIES = ("pi05_baseline", "pi05_ours", "smolvla")
BENCH = Conditions(("mug", "box"), ("left", "right"), ("ana", "ben"), "pick up the {object}")


def planned(trials: int = 16, seed: int = 1, secret: int | None = None, **wishes):
    chance = None if secret is None else random.Random(secret)
    return make_plan("mugs", POLICIES, BENCH, rubric=HSR, trials=trials, seed=seed, secret=chance, **wishes)


@settings(max_examples=40, deadline=None)
@given(policies=st.integers(2, 5), cells=st.integers(1, 4), trials=st.integers(1, 30), seed=st.integers(0, 2**32 - 1))
def test_every_block_is_complete_and_conditions_are_balanced(policies: int, cells: int, trials: int, seed: int) -> None:
    names = [f"policy number {i}" for i in range(policies)]
    conditions = Conditions(tuple(f"object {i}" for i in range(cells)))
    schedule, _ = make_plan("s", names, conditions, rubric=HSR, trials=trials, seed=seed)
    assert [item.position for item in schedule.items] == list(range(1, policies * trials + 1))
    blocks = [schedule.items[i : i + policies] for i in range(0, len(schedule.items), policies)]
    for block in blocks:
        assert sorted(item.arm for item in block) == sorted(schedule.arms)
        assert len({(item.block, item.object, item.start_pose, item.operator) for item in block}) == 1
    met = Counter(block[0].object for block in blocks)
    assert len({b[0].block for b in blocks}) == trials and max(met.values()) - min(met.get(o, 0) for o in met) <= 1


def test_conditions_are_crossed_and_instructions_filled_in() -> None:
    schedule, _ = planned(8)
    assert {(i.object, i.start_pose, i.operator) for i in schedule.items} == set(product(*_of(BENCH)))
    assert all(item.instruction == f"pick up the {item.object}" for item in schedule.items)


def _of(conditions: Conditions):
    return conditions.objects, conditions.start_poses, conditions.operators


def test_the_seed_gives_the_order_and_not_who_is_who() -> None:
    (first, one), (again, other) = planned(secret=1), planned(secret=2)
    assert first.items == again.items and first.arms == again.arms
    behind = {tuple(planned(secret=s)[1].policies.values()) for s in range(40)}
    assert len(behind) == 6, "every assignment of policies to arms comes up, whatever the seed of the order"
    assert one.commitment != other.commitment


def test_the_order_within_blocks_is_uniform() -> None:
    orders = Counter(
        tuple(schedule.arms.index(item.arm) for item in schedule.items[:3])
        for schedule, _ in (planned(1, seed) for seed in range(600))
    )
    assert len(orders) == 6 and max(abs(n - 100) for n in orders.values()) < 45  # 4.5 standard deviations


def test_a_schedule_names_no_policy_and_its_key_opens_it(tmp_path) -> None:
    schedule, key = planned(codes="trial")
    text = schedule.save(tmp_path / "schedule.json").read_text()
    assert not any(name in text for name in POLICIES)
    assert schedule.surehand == key.surehand == surehand.__version__
    assert len({item.code for item in schedule.items}) == len(schedule.items)
    path = save_key(key, tmp_path / "key.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    opened = check_key(Schedule.load(tmp_path / "schedule.json"), Key.load(path))
    assert sorted(opened.values()) == sorted(POLICIES)
    for item in schedule.items:
        assert key.policy(item.code) == opened[item.arm]
    with pytest.raises(FormatError, match="never overwritten"):
        save_key(key, path)


def test_another_or_a_changed_key_is_refused() -> None:
    schedule, key = planned()
    swapped = dict(zip(key.policies, reversed(key.policies.values()), strict=True))
    for false in (planned()[1], key.model_copy(update={"policies": swapped})):
        with pytest.raises(FormatError, match="does not open study 'mugs'"):
            check_key(schedule, false)
    with pytest.raises(FormatError, match="no code 'ZZZ'"):
        key.policy("ZZZ")


def test_the_hash_covers_all_that_was_fixed_and_nothing_else(tmp_path) -> None:
    schedule, _ = planned(secret=3)
    same = Schedule.load(schedule.save(tmp_path / "s.json"))
    assert same.identity == schedule.identity == schedule.model_copy(update={"created": "later"}).identity
    plain = json.loads(schedule.model_dump_json())
    for change in (
        {"seed": 2},
        {"arms": schedule.arms[::-1]},
        {"void_rules": ["rain"]},
        {"items": [*plain["items"][1:], plain["items"][0]]},
        {"rubric": json.loads(read_rubric("success").model_dump_json())},
        {"commitment": "0"},
    ):
        assert Schedule.model_validate({**plain, **change}).identity != schedule.identity, change


@pytest.mark.parametrize("share", [0, 0.1, 1])
def test_the_share_to_be_scored_twice(share: float) -> None:
    schedule, _ = planned(second=share)
    assert sum(item.second for item in schedule.items) == int(np.ceil(share * 48))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"policies": ("a",)}, "two or more different policies"),
        ({"policies": ("a", "a")}, "two or more different policies"),
        ({"trials": 0}, "1 to 10000 trials"),
        ({"trials": 10**9}, "1 to 10000 trials"),
        ({"second": 1.5}, "between 0 and 1"),
        ({"alpha": 0}, "between 0 and 1"),
        ({"stop": "success", "trials": 501}, "choose --stop score"),
        ({"study": " "}, "needs a name"),
        ({"notes": "is smolvla better?"}, "names the policy 'smolvla'"),
        ({"void_rules": ["two\nlines"]}, "is not one line"),
        ({"policies": ("pi05\n80k", "smolvla")}, "policy .* is not one line"),
        ({"rubric": HSR.model_copy(update={"question": "How far did pi05 get?"})}, "names the policy 'pi05'"),
    ],
)
def test_what_cannot_be_a_plan(change: dict, said: str) -> None:
    wishes = {"study": "s", "policies": ("smolvla", "pi05"), "rubric": HSR, "trials": 5, "seed": 0, **change}
    with pytest.raises(SurehandError, match=said):
        make_plan(wishes.pop("study"), wishes.pop("policies"), **wishes)


def test_conditions_are_different_and_named() -> None:
    with pytest.raises(SurehandError, match="different, named operators"):
        Conditions(operators=("Ann", "ann "))  # the console takes them for one person
    with pytest.raises(SurehandError, match="different, named objects"):
        Conditions(("mug", "mug"))


def test_rubrics_ship_and_bad_ones_are_refused(tmp_path) -> None:
    assert HSR.values == [1, 2, 3, 4] and HSR.succeeded(4) and not HSR.succeeded(3)
    assert read_rubric("success").values == [0, 1]
    with pytest.raises(FormatError, match="no rubric 'hrs'; give hsr or success"):
        read_rubric("hrs")
    good = json.loads(HSR.model_dump_json())
    levels = good["levels"]
    for change, said in (
        ({"levels": levels[:1]}, "two or more levels"),
        ({"levels": levels[::-1]}, "ascending"),
        ({"success": 1}, "one of the levels"),
        ({"levels": [{"value": 1, "words": " "}, *levels[1:]]}, "needs words"),
        ({"sucess": 4}, "sucess"),
    ):
        path = tmp_path / "rubric.json"
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(FormatError, match=said):
            read_rubric(path)
    path.write_text(HSR.model_dump_json())
    assert read_rubric(path) == HSR == Rubric.model_validate(good)
