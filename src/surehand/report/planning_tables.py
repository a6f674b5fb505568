"""Tables of a plan: what so many trials achieve, what each prior makes of it, the pilots, the smallest difference."""

from surehand.decide.planning_record import Planning
from surehand.report.tables import Row, Table
from surehand.report.text import count, number, percent, short_names


def planning_tables(record: Planning) -> list[Table]:
    """Every table of the record that has rows."""
    makers = (curve_table, pilots_table, priors_table, detectable_table)
    return [table for table in (make(record) for make in makers) if table.rows]


def labels(record: Planning, width: int = 22) -> dict[str, str]:
    """A short label per pilot, still distinct."""
    return short_names([p.policy for p in record.pilots], width)


def trials(needed: int | None, most: int) -> str:
    """`31`, or that more than were looked at would be needed."""
    return f"more than {most:,}, or never" if needed is None else f"{needed:,}"


def curve_table(record: Planning) -> Table:
    """Power and assurance by trials per policy."""
    rows: tuple[Row, ...] = tuple((str(p.trials), p.assurance, p.plug_in, p.wrong, p.method) for p in record.curve)
    columns = ("trials per policy", "assurance", "plug-in power", "wrong way", "method")
    note = (
        "Assurance: averaged over what the pilots leave open, plan on this one; plug-in power: were the pilots' "
        f"shares the truth; wrong way: in favour of the other. Prior: Dirichlet({record.prior:g})"
    )
    return Table("power", "What so many trials achieve", columns, rows, note=note)


def pilots_table(record: Planning) -> Table:
    """The pilots' trials per level."""
    columns = ("pilot", *(f"{level:g}" for level in record.levels), "mean")
    rows: tuple[Row, ...] = tuple((p.policy, *p.counts, p.mean) for p in record.pilots)
    return Table("pilots", "The pilots", columns, rows, note="Trials per score", short=labels(record))


def priors_table(record: Planning) -> Table:
    """What each prior weight makes of the plan."""
    rows: tuple[Row, ...] = tuple((f"{p.prior:g}", trials(p.needed, record.most), p.limit) for p in record.priors)
    note = f"Trials per policy until assurance stays at {percent(record.target)}; limit: with ever more trials"
    return Table("priors", "Prior sweep", ("prior", "trials needed", "limit of assurance"), rows, note=note)


def detectable_table(record: Planning) -> Table:
    """The smallest difference that the asked number of trials finds."""
    d = record.detectable
    if d is None:
        return Table("detectable", "Smallest difference found", ("reference",), ())
    shares = ", ".join(f"{level:g}: {percent(share)}" for level, share in zip(record.levels, d.shares, strict=False))
    rows: tuple[Row, ...] = ((d.reference, count(d.trials, "trial"), d.levels, d.win_rate, shares, d.method),)
    columns = ("reference", "per policy", "levels lower", "win rate", "scores of the worse", "method")
    note = f"With power {number(record.target, 2)}; levels lower: by which every trial falls on average"
    return Table("detectable", "Smallest difference found", columns, rows, note=note, short=labels(record))
