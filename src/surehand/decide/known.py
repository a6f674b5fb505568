"""One entry of the doctor's catalogue."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note", "ok"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note", "ok")


@dataclass(frozen=True)
class Known:
    """One entry of the catalogue: how bad it usually is, what it means, what to do."""

    severity: Severity
    title: str
    next_step: str
