"""The store's tables, the same in SQLite and PostgreSQL; loaded with the store, never before."""

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# Times are text: ISO 8601 with the offset they came with, which neither dialect's own type keeps. The store's own
# (`received`, `created`, `closed`) are all UTC to the microsecond, so that they sort as text.
STUDIES = Table(
    "studies",
    METADATA,
    Column("name", String(200), primary_key=True),
    Column("identity", String(64), nullable=False),  # SHA-256 of the schedule, or of the sheet that was imported
    Column("schedule", Text, nullable=True),  # JSON; null where trials came from elsewhere
    Column("created", String(50), nullable=False),
    Column("who", String(200), nullable=False),
    Column("source", Text, nullable=False),  # of imported trials
    Column("header", Text, nullable=False),  # of imported trials: JSON
)

ROWS = Table(
    "rows",
    METADATA,
    Column("study", String(200), ForeignKey("studies.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", String(64), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("position", Integer, nullable=True),
    Column("corrects", String(64), nullable=True),
    Column("score", Double, nullable=True),
    Column("void_rule", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("started", String(50), nullable=True),
    Column("ended", String(50), nullable=True),
    Column("seconds", Double, nullable=True),
    Column("notes", Text, nullable=False),
    Column("photo", String(64), nullable=False),
    Column("received", String(50), nullable=False),
    UniqueConstraint("study", "id"),
    Index(None, "study", "position"),
)

IMPORTED = Table(
    "imported",
    METADATA,
    Column("study", String(200), ForeignKey("studies.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("trial", Text, nullable=False),  # a row of the contract, as JSON
)

PHOTOS = Table(
    "photos",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("study", String(200), ForeignKey("studies.name"), nullable=False),
    Column("media_type", String(100), nullable=False),
    Column("received", String(50), nullable=False),
    Column("bytes", LargeBinary, nullable=False),
)

KEYS = Table(
    "keys",
    METADATA,
    Column("study", String(200), ForeignKey("studies.name"), primary_key=True),
    Column("key", Text, nullable=False),  # JSON
    Column("closed", String(50), nullable=False),
    Column("who", String(200), nullable=False),
    Column("why", Text, nullable=False),  # complete, by the rule, or unfinished; and what was missing
)
