"""`surehand trials status`: how far a study is, per operator and block, without a word about who does better."""

import json
from typing import TYPE_CHECKING, Any

from surehand.cli import options
from surehand.cli.trials.stores import Study, Target

if TYPE_CHECKING:
    from surehand.report.tables import Table
    from surehand.trials.store import Store, StudyInfo


def status(target: Target, study: Study = "", as_json: options.AsJson = False) -> None:
    """How far each study is: trials done, void and missing, contradictions, second scores, and whether it may stop.

    Shows no score and no code, so whoever runs or scores trials may read it.
    """
    from surehand.trials.store import open_store

    with open_store(target) as store:
        known = store.studies()
        names = [store.pick(study)] if study or len(known) == 1 else [info.name for info in known]
        facts = [_facts(store, info) for info in known if info.name in names]
        name = store.name
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    if not facts:
        print(f"{name}: no study yet; add one with `surehand trials serve SCHEDULE`")
    for about in facts:
        _print(about, details=len(facts) == 1)


def _facts(store: "Store", info: "StudyInfo") -> dict[str, Any]:
    """What may be said of one study, as plain values."""
    from dataclasses import asdict

    from surehand.trials.closing import may_stop
    from surehand.trials.standing import standing

    about: dict[str, Any] = {"study": info.name, "state": "closed" if info.closed else "open", "rows": info.rows}
    schedule = store.schedule(info.name)
    if schedule is None:
        return about | {"state": "imported", "source": info.source}
    at = standing(schedule, store.rows(info.name))
    about |= {"identity": schedule.identity, **asdict(at.progress), "missing": at.progress.open}
    about["contradicted"] = [place.position for place in at.conflicts]
    about["may_stop"] = may_stop(schedule, at) if schedule.stop else None
    about["operators"] = {name: asdict(part) for name, part in at.by("operator").items()}
    about["blocks"] = {name: asdict(part) for name, part in at.by("block").items()}
    return about


def _print(about: dict[str, Any], details: bool) -> None:
    from rich.console import Console

    from surehand.report.columns import print_table
    from surehand.report.terminal import say

    console = Console(highlight=False)
    if about["state"] == "imported":
        say(console, f"{about['study']}: {about['rows']} trials, imported from {about['source']}", style="bold")
        return
    say(console, f"{about['study']}: {about['done']} of {about['planned']} trials done, {about['state']}", style="bold")
    for line in _lines(about):
        say(console, line)
    if details:
        console.print()
        print_table(_table("operator", about["operators"]), console)
        unfinished = {name: part for name, part in about["blocks"].items() if part["done"] < part["planned"]}
        if unfinished:
            print_table(_table("block", unfinished), console)


def _lines(about: dict[str, Any]) -> list[str]:
    lines = [f"schedule {about['identity'][:12]}…, {about['rows']} rows"]
    if about["contradicted"]:
        places = ", ".join(map(str, about["contradicted"]))
        lines.append(f"contradicted: {places}; the first entry counts until one is taken back (undo)")
    if about["seconds_missing"]:
        lines.append(f"second scores missing: {about['seconds_missing']}")
    if about["may_stop"] is not None and about["state"] == "open" and about["missing"]:
        lines.append("you may stop: the rule is met" if about["may_stop"] else "the stop rule is not met: go on")
    return lines


def _table(what: str, parts: dict[str, Any]) -> "Table":
    from surehand.report.tables import Table

    columns = ("planned", "done", "running", "void", "conflicts", "seconds_missing")
    rows = tuple((name or "any", *(str(part[column]) for column in columns)) for name, part in parts.items())
    title = "Per operator" if what == "operator" else "Blocks that are not complete"
    return Table(f"status-{what}", title, (what, *columns[:-1], "second missing"), rows, labels=7)
