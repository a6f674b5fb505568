"""Records become text, tables, figures and pages; nothing is computed here."""

from surehand.report.card import to_card
from surehand.report.index import write_index
from surehand.report.page import render_page
from surehand.report.terminal import print_choice, print_doctor, print_errors, print_within_run
from surehand.report.write import write_report

__all__ = [
    "print_choice",
    "print_doctor",
    "print_errors",
    "print_within_run",
    "render_page",
    "to_card",
    "write_index",
    "write_report",
]
