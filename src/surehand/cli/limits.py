"""`surehand limits`: what counts as a violation, given what experts do."""

from pathlib import Path
from typing import Annotated, Any

import typer

from surehand.cli import EXIT_FINDINGS, options


def limits(
    experts: Annotated[
        Path,
        typer.Argument(help="Expert episodes: a LeRobot dataset's folder, or a file of rounds.", metavar="EXPERTS"),
    ],
    signal: Annotated[
        list[str],
        typer.Option("--signal", "-s", help="Column or trace with a maximum: force, torque[2], torque[wrist]; repeat."),
    ] = [],  # noqa: B006  (typer reads it as the default)
    absolute: Annotated[list[str], typer.Option(help="The same for its size, whatever its sign; repeat.")] = [],  # noqa: B006
    lower: Annotated[list[str], typer.Option(help="The same for a minimum, such as a proximity; repeat.")] = [],  # noqa: B006
    phase: Annotated[
        str, typer.Option(help="none, distance:NAME:LIMIT, speed:NAME:LIMIT or column:NAME; known before each step.")
    ] = "none",
    task: Annotated[
        list[str],
        typer.Option("--task", help="Instructions that share limits, NAME=PATTERN, e.g. 'pick=pick up *'; repeat."),
    ] = [],  # noqa: B006
    episodes: Annotated[str, typer.Option(help="Only these episodes, e.g. 0..299; calibrate on others.")] = "",
    content: Annotated[float, typer.Option(help="Share of expert episodes that each limit must hold.")] = 0.99,
    confidence: Annotated[float, typer.Option(help="With this confidence, over all limits at once.")] = 0.95,
    each: Annotated[bool, typer.Option("--each", help="The confidence is each limit's own, not the family's.")] = False,
    few: Annotated[
        str, typer.Option(help="Limits with too few episodes: lognormal, normal or margin:FACTOR; none by default.")
    ] = "",
    propose: Annotated[
        list[str],
        typer.Option(help="A limit for all tasks, SIGNAL=VALUE: what share of what experts do would it flag? Repeat."),
    ] = [],  # noqa: B006
    check: Annotated[Path | None, typer.Option(help="Count shares on these other expert episodes.")] = None,
    out: options.Out = None,
    as_json: options.AsJson = False,
    as_csv: options.AsCsv = False,
    as_markdown: options.AsMarkdown = False,
) -> None:
    """Violation limits per task, phase and signal from what experts do, as tolerance limits.

    The unit is the worst value of one expert episode. A limit that 99 % of episodes keep with 95 % confidence takes 299
    episodes; several limits at once take more. Exit code 1 where some limits have too few episodes.
    """
    from surehand.cli.inputs import check_writable
    from surehand.cli.output import show
    from surehand.decide.limits import find_limits
    from surehand.decide.limits_data import Ask, read_experts
    from surehand.splits import parse_episodes

    check_writable(out)
    named = [(name, "upper") for name in signal] + [(name, "absolute") for name in absolute]
    named += [(name, "lower") for name in lower]
    chosen = parse_episodes(episodes) if episodes else None
    asked: Any = tuple(named)
    record = find_limits(
        read_experts(experts, Ask(asked, phase, chosen)),
        content=content,
        confidence=confidence,
        simultaneous=not each,
        few=few,
        tasks=_pairs(task, "--task", "NAME=PATTERN"),
        propose={name: _number(name, text) for name, text in _pairs(propose, "--propose", "SIGNAL=VALUE").items()},
        check=read_experts(check, Ask(asked, phase)) if check else None,
    )
    show(record, out, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown)
    if any(limit.method == "none" for limit in record.limits):
        raise typer.Exit(EXIT_FINDINGS)


def _pairs(texts: list[str], option: str, form: str) -> dict[str, str]:
    """Left -> right of what was given as LEFT=RIGHT, each left once."""
    from surehand.exceptions import SurehandError

    found: dict[str, str] = {}
    for text in texts:
        left, equals, right = (part.strip() for part in text.partition("="))
        if not equals or not left or not right or left in found:
            raise SurehandError(f"cannot read {option} {text!r}; expected {form}, each name once")
        found[left] = right
    return found


def _number(name: str, text: str) -> float:
    from surehand.exceptions import SurehandError

    try:
        return float(text)
    except ValueError:
        raise SurehandError(f"--propose {name}={text}: expected a number in the signal's own unit") from None
