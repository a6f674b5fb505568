"""Pages, reports and the index as text: complete, escaped, without a single outside reference."""

import json
import re
from html.parser import HTMLParser

import pytest

from surehand.decide.findings import DoctorRecord, finding
from surehand.errors.record import ErrorsRecord
from surehand.exceptions import FormatError, SurehandError
from surehand.formats.records import Record
from surehand.report import render_page, write_index, write_report

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Structure(HTMLParser):
    """Tags in balance, ids, references and visible text of a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.outside, self.headings = [], [], [], [], []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.outside += [
            v for k, v in found.items() if k in ("src", "href", "xlink:href", "data") and not v.startswith("#")
        ]
        assert not any(name.startswith("on") for name in found)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("h2", "summary"):
            self.headings.append(data)


@pytest.fixture
def hostile(make_errors, names, rng) -> tuple[ErrorsRecord, str]:
    record = make_errors(rng, names["hostile"])
    record.dataset = '"><img src=x onerror=alert(1)>'
    record.methods.split = "</dl><script>alert(2)</script>"
    return record, render_page(record)


def test_names_are_escaped_and_nothing_is_loaded(hostile):
    record, text = hostile
    page = Structure(text)
    assert "script" not in page.tags and "img" not in page.tags and "link" not in page.tags
    assert page.outside == []
    assert not re.search(r"url\((?!['\"]?#)|@import|https?://", text)
    assert '<script>alert("x")</script>' in page.text and record.dataset in page.text


def test_ids_are_unique_and_the_contents_lead_somewhere(make_errors, rng):
    text = render_page(make_errors(rng, ("40k", "80k")))
    page = Structure(text)
    assert len(page.ids) == len(set(page.ids))
    assert set(re.findall(r'<a href="#([^"]+)"', text)) <= set(page.ids)


def test_verdict_first_methods_last(make_errors, rng):
    record = make_errors(rng, ("40k", "80k"))
    page = Structure(render_page(record))
    assert page.headings[:3] == ["Warnings", "Errors", "Selection"] and page.headings[-1] == "Methods"
    assert page.headings.index("Phases") < page.headings.index("Gripper")
    order = [
        record.choice.sentence,
        record.choice.masking[0].sentence,
        "Mean squared error by group",
        record.methods.split,
    ]
    places = [page.text.index(line) for line in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "field", ["split", "seed", "space", "normalisation", "weighting", "chosen", "intervals", "phases"]
)
def test_the_methods_block_says_how(field, make_errors, rng):
    record = make_errors(rng, ("40k", "80k"), extras=False)
    methods = Structure(render_page(record)).text.partition("Methods")[2]
    assert str(getattr(record.methods, field)) in methods


def test_the_page_of_a_choice_says_how_too(make_choice, rng):
    choice = make_choice(rng, ("40k", "80k"), ["arm", "base"]).model_copy(update={"source": "t.csv", "seed": 11})
    methods = Structure(render_page(choice)).text.partition("Methods")[2]
    for said in ("t.csv", "11", f"selected from {choice.selected_from}", "normalisation", "weighting", choice.unit):
        assert said in methods


def test_warnings_of_the_choice_reach_the_page(make_errors, rng):
    record = make_errors(rng, ("40k", "80k"))
    record.choice.warnings = ["a and b have equal errors", *record.warnings]
    page = Structure(render_page(record)).text
    assert page.count("a and b have equal errors") == page.count("14 episodes: intervals below 20") == 1


def test_a_single_checkpoint_claims_no_choice(make_errors, names, rng):
    page = Structure(render_page(make_errors(rng, names["one"])))
    assert "Nothing was chosen" in page.text and "Selection" not in page.headings


def test_doctor_page_lists_findings_with_next_steps():
    record = DoctorRecord.of("demo", [finding("data.dead_dims", "dims 3, 4 <b>"), finding("names.ok", "11 names")])
    text = Structure(render_page(record)).text
    assert "dims 3, 4 <b>" in text and "Next: Declare them pad(n)" in text and "demo: 0 errors, 1 warning" in text


def test_an_unknown_record_is_refused():
    with pytest.raises(SurehandError, match="expected an errors, choice, doctor or within-run record"):
        render_page(Record(kind="certificate"))


def test_report_writes_every_format_and_the_record_reads_back(make_errors, rng, tmp_path):
    record = make_errors(rng, ("40k", "80k"), horizon=4, extras=False)
    paths = write_report(record, tmp_path / "out", formats=("html", "svg", "png", "pdf", "csv", "md", "json"))
    assert all(path.stat().st_size > 0 for path in paths) and len(paths) == len(set(paths))
    names = {path.relative_to(tmp_path / "out").as_posix() for path in paths}
    assert names >= {
        "errors.html",
        "errors.json",
        "errors.md",
        "tables/errors.csv",
        "figures/skill.pdf",
        "figures/captions.md",
    }
    assert (
        render_page(ErrorsRecord.load(tmp_path / "out" / "errors.json"))
        == (tmp_path / "out" / "errors.html").read_text()
    )


def test_an_unknown_format_or_folder_writes_nothing(make_choice, rng, tmp_path):
    choice = make_choice(rng, ("a", "b"), ["arm"])
    with pytest.raises(SurehandError, match="unknown format 'gif'; choose from html"):
        write_report(choice, tmp_path / "out", formats=("html", "gif"))
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(FormatError, match="cannot write"):
        write_report(choice, tmp_path / "file", formats=("json",))


def test_the_index_is_rebuilt_from_the_records(make_errors, make_choice, rng, tmp_path):
    write_report(make_errors(rng, ("40k", "80k"), extras=False), tmp_path / "a", formats=("json",))
    choice = make_choice(rng, ("<i>a</i>", "b"), ["arm"])
    write_report(choice, tmp_path / "b", formats=("json", "html"))
    (tmp_path / "b" / "info.json").write_text(json.dumps({"fps": 30}))
    (tmp_path / "b" / "broken.json").write_text("{")
    text = write_index(tmp_path).read_text()
    page = Structure(text)
    assert "2 results" in page.text and choice.sentence in page.text and "broken.json line 1: not JSON" in page.text
    assert sorted(page.outside) == ["a/errors.json", "b/choice.html", "b/choice.json"]
    assert write_index(tmp_path).read_text() == text


def test_an_empty_folder_has_no_index(tmp_path):
    with pytest.raises(SurehandError, match="found none; run surehand errors first"):
        write_index(tmp_path)
    assert list(tmp_path.iterdir()) == []
