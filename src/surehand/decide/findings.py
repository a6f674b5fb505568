"""One finding, and the record that holds all findings of an examination."""

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import Field

from surehand.decide.codes import CODES, SEVERITIES, Severity
from surehand.formats.contract import package_version
from surehand.formats.records import Part, Record


class Finding(Part):
    """One observation with its evidence in numbers and the next step in words."""

    code: str
    severity: Severity
    title: str
    evidence: str
    next_step: str
    where: str = ""

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.severity} {self.code}: {self.title}: {self.evidence}{place}. {self.next_step}"


def finding(code: str, evidence: str, where: str = "", *, severity: Severity | None = None) -> Finding:
    """A finding with the catalogue's title and next step; KeyError for a code that the catalogue lacks."""
    known = CODES[code]
    return Finding(
        code=code,
        severity=severity or known.severity,
        title=known.title,
        evidence=evidence,
        next_step=known.next_step,
        where=where,
    )


class DoctorRecord(Record):
    """Everything the doctor found, worst first; warnings count as findings for the exit code."""

    kind: str = "doctor"

    dataset: str
    data_hash: str = ""
    layout: str = ""
    evidence: list[str] = Field(default_factory=list)  # why this layout
    methods: list[str] = Field(default_factory=list)  # what was read, exact or sketched
    findings: list[Finding]
    counts: dict[Severity, int]

    @classmethod
    def of(
        cls,
        dataset: str,
        findings: Iterable[Finding],
        *,
        data_hash: str = "",
        layout: str = "",
        evidence: Sequence[str] = (),
        methods: Sequence[str] = (),
    ) -> "DoctorRecord":
        """The record of these findings, sorted by severity (order of discovery kept within)."""
        ordered = sorted(findings, key=lambda f: SEVERITIES.index(f.severity))
        tally = Counter(f.severity for f in ordered)
        return cls(
            surehand=package_version(),
            dataset=dataset,
            data_hash=data_hash,
            layout=layout,
            evidence=list(evidence),
            methods=list(methods),
            findings=ordered,
            counts={severity: tally[severity] for severity in SEVERITIES},
        )

    @property
    def worst(self) -> Severity:
        """The gravest severity present."""
        return self.findings[0].severity if self.findings else "ok"

    @property
    def exit_code(self) -> int:
        """1 where there is an error or a warning, else 0: notes never fail a build."""
        return int(any(f.severity in ("error", "warning") for f in self.findings))

    def __str__(self) -> str:
        errors, warnings, notes = (self.counts.get(s, 0) for s in ("error", "warning", "note"))
        return f"{self.dataset}: {errors} errors, {warnings} warnings, {notes} notes"
