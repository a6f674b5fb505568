"""`surehand trials status | close | export | import`: a study from its plan to its card, by the commands alone."""

import json
import signal
import sys
from pathlib import Path

import pytest

from surehand.cli import main
from surehand.formats.schedules import Schedule
from surehand.formats.trials import read_trials, write_trials
from surehand.trials.entries import Entry
from surehand.trials.store import open_store

POLICIES = ("older", "newer")


class Shell:
    """The command line inside this process, in one folder."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, said: pytest.CaptureFixture[str]) -> None:
        self.folder, self._patch, self._said = folder, patch, said
        patch.chdir(folder)
        patch.setattr(signal, "signal", lambda *_: None)  # pytest's own handlers stay

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self._patch.setattr(sys, "argv", ["surehand", "trials", *arguments])
        self._said.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._said.readouterr()
        return int(ended.value.code or 0), out, err

    def fine(self, *arguments: str) -> str:
        """What it prints, where it succeeds."""
        code, out, err = self.run(*arguments)
        assert code == 0, err
        return out

    def refused(self, *arguments: str) -> str:
        """Its one line on stderr, where the input is at fault."""
        code, _, err = self.run(*arguments)
        assert code == 2 and err.count("\n") == 1, err
        return err


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capsys)


@pytest.fixture
def study(shell: Shell) -> Shell:
    """A folder with a planned study of eight trials, of which six are in the store."""
    named = [word for policy in POLICIES for word in ("--policy", policy)]
    more = ("--trials", "4", "--study", "mugs", "--void-rule", "robot fault", "--operator", "ann", "--operator", "bo")
    shell.fine("plan", *named, *more, "--seed", "3", "--out", ".")
    schedule = Schedule.load(shell.folder / "schedule.json")
    with open_store(shell.folder / "trials.db", create=True) as store:
        store.add_study(schedule)
        for item in schedule.items[:6]:
            store.add("mugs", Entry(kind="trial", position=item.position, score=item.position % 3 + 2, operator="ann"))
        store.add("mugs", Entry(kind="void", position=7, void_rule="robot fault", operator="bo"))
    return shell


def finish(folder: Path) -> None:
    with open_store(folder / "trials.db") as store:
        for position in (7, 8):
            store.add("mugs", Entry(kind="trial", position=position, score=4, operator="bo"))


def test_status_tells_progress_and_nothing_of_who_does_better(study: Shell) -> None:
    shown = study.fine("status", "trials.db")
    assert "mugs: 6 of 8 trials done, open" in shown and "ann" in shown
    facts = json.loads(study.fine("status", "trials.db", "--json"))[0]
    assert facts["done"] == 6 and facts["void"] == 1 and facts["missing"] == 2
    schedule = Schedule.load(study.folder / "schedule.json")
    for word in (*schedule.arms, *POLICIES):
        assert word not in shown and word not in json.dumps(facts)
    assert "no such store" in study.refused("status", "none.db")
    said = study.refused("status", "trials.db", "--study", "cups")
    assert "no study 'cups' in it; give --study with one of mugs" in said


def test_export_hides_the_policies_until_the_study_is_closed(study: Shell) -> None:
    said = study.fine("export", "trials.db", "--out", "blind.csv")
    assert "policies by code: the study is open" in said
    text = (study.folder / "blind.csv").read_text()
    assert not any(policy in text for policy in POLICIES)
    assert len(read_trials(study.folder / "blind.csv")) == 7
    assert "still open; a card names policies" in study.refused("export", "trials.db", "-o", "x.csv", "--card", "x.md")
    assert not (study.folder / "x.csv").exists()
    assert "still open" in study.refused("compare", "trials.db")


def test_from_plan_to_card(study: Shell) -> None:
    said = study.refused("close", "trials.db", "--key", "key.json", "--who", "lead")
    assert "positions 7, 8 of 8 without a result" in said
    finish(study.folder)
    assert "mugs is closed: complete" in study.fine("close", "trials.db", "--key", "key.json", "--who", "lead")
    for name in ("open.csv", "open.parquet"):
        study.fine("export", "trials.db", "--out", name)
        trials = read_trials(study.folder / name)
        assert set(trials.policies) == set(POLICIES) and len(trials.counted) == 8 and len(trials) == 9
    assert read_trials(study.folder / "open.parquet").metadata["study"] == "mugs"
    study.fine("export", "trials.db", "--out", "again.csv", "--card", "card.md")
    assert all(policy in (study.folder / "card.md").read_text() for policy in POLICIES)
    said = study.refused("export", "trials.db", "--out", "open.csv")
    assert "exists; choose another name" in said and "ask" not in said, "there is nobody to ask"


def test_whatever_leaves_a_closed_study_compares_as_the_store_does(shell: Shell) -> None:
    named = [word for policy in POLICIES for word in ("--policy", policy)]
    shell.fine("plan", *named, "-n", "6", "--study", "mugs", "--stop", "success", "--seed", "3", "--out", ".")
    schedule = Schedule.load(shell.folder / "schedule.json")
    with open_store(shell.folder / "trials.db", create=True) as store:
        store.add_study(schedule)
        for item in schedule.items:  # levels 1 and 3 are never seen, so the rubric matters
            store.add(
                "mugs", Entry(kind="trial", position=item.position, score=2 + item.position % 2 * 2, operator="a")
            )
    assert "compare it with --schedule" in shell.fine("export", "trials.db", "--out", "open.csv"), "a rule stays behind"
    shell.fine("close", "trials.db", "--key", "key.json")
    said = {name: shell.fine("export", "trials.db", "--out", name) for name in ("t.csv", "t.parquet")}
    assert "compare it with --schedule" in said["t.csv"] and "--schedule" not in said["t.parquet"]
    sources = (["trials.db"], ["t.parquet"], ["t.csv", "--schedule", "schedule.json"])
    kept, *others = [json.loads(shell.fine("compare", *source, "--json")) for source in sources]
    assert kept["study"] == "mugs" and kept["rubric"] == [1, 2, 3, 4] and kept["paths"][0]["planned"]
    for other in others:
        assert {key for key in kept if other[key] != kept[key]} <= {"source", "created"}
    shell.fine("import", "t.parquet", "--to", "lab.db", "--study", "copy")
    again = json.loads(shell.fine("compare", "lab.db", "--json"))
    assert {key for key in kept if again[key] != kept[key]} <= {"source", "created"}


def test_nothing_that_leaves_an_open_study_holds_the_seed(study: Shell) -> None:
    study.fine("export", "trials.db", "--out", "open.parquet")
    assert not read_trials(study.folder / "open.parquet").metadata["seeds"], "the order of the arms follows from it"
    finish(study.folder)
    study.fine("close", "trials.db", "--key", "key.json")
    study.fine("export", "trials.db", "--out", "closed.parquet")
    assert read_trials(study.folder / "closed.parquet").metadata["seeds"] == [3]


def test_who_gives_the_schedule_is_told_where_the_trials_are(study: Shell) -> None:
    for command in (["status"], ["export", "-o", "x.csv"], ["close", "--key", "key.json"], ["compare"]):
        said = study.refused(*command, "schedule.json")
        assert "schedule.json: a JSON file, and trials are kept in a store; give trials.db" in said
    assert "give the file of the store, such as" in study.refused("status", ".")
    study.fine("plan", "--policy", "a", "--policy", "b", "-n", "2", "--out", "next")
    assert "make one with `surehand trials serve next/schedule.json`" in study.refused("status", "next/schedule.json")


def test_closing_unfinished_is_said_and_written_down(study: Shell) -> None:
    said = study.fine("close", "trials.db", "--key", "key.json", "--unfinished")
    assert "unfinished: positions 7, 8 without a result" in said


def test_another_studys_key_does_not_open_this_one(study: Shell) -> None:
    named = [word for policy in POLICIES for word in ("--policy", policy)]
    study.fine("plan", *named, "--trials", "4", "--study", "mugs", "--out", "other")
    said = study.refused("close", "trials.db", "--key", "other/key.json", "--unfinished")
    assert "this key does not open study 'mugs'" in said
    assert not any(policy in said for policy in POLICIES)


def test_a_sheet_is_imported_once(study: Shell, shared: Path) -> None:
    sheet = shared / "hsr_trials" / "robot_trials.csv"
    bring = ("import", str(sheet), "--to", "lab.db", "--study", "hsr", "--who", "lead")
    assert "60 trials added" in study.fine(*bring)
    assert "these 60 trials were there already" in study.fine(*bring)
    assert "hsr: 60 trials, imported from" in study.fine("status", "lab.db")
    study.fine("export", "lab.db", "--out", "hsr.csv")
    assert read_trials(study.folder / "hsr.csv").rows == read_trials(sheet).rows


def test_the_card_of_imported_trials_has_their_name_and_rubric(study: Shell, shared: Path) -> None:
    sheet = shared / "hsr_trials" / "robot_trials.csv"
    study.fine("import", str(sheet), "--to", "lab.db", "--study", "hsr")
    study.fine("export", "lab.db", "--out", "hsr.csv", "--card", "hsr.md", "--rubric", "hsr")
    card = (study.folder / "hsr.md").read_text()
    assert (
        card.startswith("## Robot trials: hsr\n") and "**4** Picked it up" in card and "no rubric was given" not in card
    )


def test_a_card_that_cannot_be_written_leaves_no_sheet_behind(study: Shell) -> None:
    (study.folder / "one.csv").write_text("policy,trial,score\na,1,4\na,2,3\n")
    study.fine("import", "one.csv", "--to", "lab.db", "--study", "one")
    assert "trials of two or more policies" in study.refused("export", "lab.db", "--out", "x.csv", "--card", "x.md")
    assert not (study.folder / "x.csv").exists()


def test_half_a_sheet_leaves_no_study(study: Shell) -> None:
    (study.folder / "short.csv").write_text("policy,trial,score\na,1,4\na\n")
    said = study.refused("import", "short.csv", "--to", "lab.db", "--study", "half")
    assert "short.csv line 3: 1 cells, the headings have 3 (nothing for 'trial', 'score')" in said
    (study.folder / "half.csv").write_text("policy,trial,score\na,1,4\na,2,\n")
    assert "half.csv line 3" in study.refused("import", "half.csv", "--to", "lab.db", "--study", "half")
    assert not (study.folder / "lab.db").exists()


def test_a_closed_study_and_its_export_tell_the_same(study: Shell) -> None:
    finish(study.folder)
    study.fine("close", "trials.db", "--key", "key.json")
    with open_store(study.folder / "trials.db") as store:
        trials = store.trials("mugs")
    path = write_trials(study.folder / "a.csv", trials)
    study.fine("export", "trials.db", "--out", "b.csv")
    assert path.read_bytes() == (study.folder / "b.csv").read_bytes()
