"""`surehand trials plan`: a blinded, randomised, blocked schedule, fixed and hashed, and the key that opens it."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def plan(
    policies: Annotated[list[str], typer.Option("--policy", help="A policy to try; repeat. Only the key names it.")],
    study: Annotated[str, typer.Option(help="Name of the study.")] = "study",
    trials: Annotated[int, typer.Option("--trials", "-n", min=1, help="Trials of each policy.")] = 20,
    objects: Annotated[list[str], typer.Option("--object", help="Object to handle; repeat.")] = [],  # noqa: B006
    poses: Annotated[list[str], typer.Option("--pose", help="Start pose; repeat.")] = [],  # noqa: B006
    operators: Annotated[list[str], typer.Option("--operator", help="Who runs trials; repeat.")] = [],  # noqa: B006
    instruction: Annotated[str, typer.Option(help='What the policy is told, e.g. "pick up the {object}".')] = "",
    rubric: Annotated[str, typer.Option(help="hsr, success, or a JSON file (`surehand trials rubric`).")] = "hsr",
    void_rules: Annotated[
        list[str], typer.Option("--void-rule", help="A reason for which a trial may not count; repeat.")
    ] = [],  # noqa: B006
    second: Annotated[float, typer.Option(min=0, max=1, help="Share to be scored by a second person, blind.")] = 0.1,
    codes: Annotated[
        Literal["policy", "trial"], typer.Option(help="One code per policy, or a new one for every trial.")
    ] = "policy",
    stop: Annotated[
        Literal["", "success", "score"],
        typer.Option(help="May end early: exact design on success, or e-process on scores.", show_default=False),
    ] = "",
    alpha: Annotated[float, typer.Option(min=0, max=1, help="Error rate of the stop rule, over all pairs.")] = 0.05,
    notes: Annotated[str, typer.Option(help="Anything else that operators should read.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the order; drawn where none is given.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for schedule.json and key.json; both must be new.")] = Path("study"),
) -> None:
    """Plan robot trials: blinded, randomised, blocked; fixed and hashed before the first one.

    `schedule.json` names no policy, though with --codes trial it says which codes belong together. `key.json` says
    which policy is behind which code: give it to whoever starts the policies, and keep it from those who run and
    score. Then: `surehand trials serve`.
    """
    import secrets

    from rich.console import Console

    from surehand.decide.planning import detectable
    from surehand.exceptions import SurehandError
    from surehand.formats.rubrics import read_rubric
    from surehand.formats.schedules import save_key
    from surehand.report.terminal import say
    from surehand.trials.plan import Conditions, make_plan

    for path in (out / "schedule.json", out / "key.json"):
        if path.exists():
            raise SurehandError(f"{path} exists, and a schedule is fixed once written; choose another --out")
    schedule, key = make_plan(
        study,
        policies,
        Conditions(tuple(objects) or ("",), tuple(poses) or ("",), tuple(operators) or ("",), instruction),
        rubric=read_rubric(rubric),
        trials=trials,
        seed=secrets.randbelow(2**53) if seed is None else seed,
        second=second,
        void_rules=void_rules,
        codes=codes,
        stop=stop,
        alpha=alpha,
        notes=notes,
    )
    sealed = save_key(key, out / "key.json")
    written = schedule.save(out / "schedule.json")
    pairs = len(policies) * (len(policies) - 1) // 2
    print(f"{len(schedule.items)} trials: {len(policies)} policies × {trials}, in blocks of {len(policies)}")
    print(f"schedule  {written}  sha256 {schedule.identity}")
    print(f"key       {sealed}  for whoever starts the policies, not for those who score")
    say(Console(highlight=False), detectable(schedule.rubric.values, trials, alpha=alpha, pairs=pairs))
    print(f"next: surehand trials serve {written}")
