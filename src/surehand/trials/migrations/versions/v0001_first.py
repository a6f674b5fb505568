"""The first tables, and the triggers that let nobody change or delete what was acknowledged."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# table -> columns that name a row
KEPT = {
    "studies": ("name",),
    "rows": ("study", "number"),
    "imported": ("study", "number"),
    "photos": ("sha256",),
    "keys": ("study",),
}


def upgrade() -> None:
    """Nothing; the database has the tables."""
    op.create_table(
        "studies",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("schedule", sa.Text, nullable=True),
        sa.Column("created", sa.String(50), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("header", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_studies"),
    )
    op.create_table(
        "rows",
        sa.Column("study", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("position", sa.Integer, nullable=True),
        sa.Column("corrects", sa.String(64), nullable=True),
        sa.Column("score", sa.Double, nullable=True),
        sa.Column("void_rule", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("started", sa.String(50), nullable=True),
        sa.Column("ended", sa.String(50), nullable=True),
        sa.Column("seconds", sa.Double, nullable=True),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("photo", sa.String(64), nullable=False),
        sa.Column("received", sa.String(50), nullable=False),
        sa.PrimaryKeyConstraint("study", "number", name="pk_rows"),
        sa.UniqueConstraint("study", "id", name="uq_rows_study_id"),
        sa.ForeignKeyConstraint(["study"], ["studies.name"], name="fk_rows_study"),
    )
    op.create_index("ix_rows_study_position", "rows", ["study", "position"])
    op.create_table(
        "imported",
        sa.Column("study", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("trial", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("study", "number", name="pk_imported"),
        sa.ForeignKeyConstraint(["study"], ["studies.name"], name="fk_imported_study"),
    )
    op.create_table(
        "photos",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("study", sa.String(200), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("received", sa.String(50), nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_photos"),
        sa.ForeignKeyConstraint(["study"], ["studies.name"], name="fk_photos_study"),
    )
    op.create_table(
        "keys",
        sa.Column("study", sa.String(200), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("closed", sa.String(50), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("study", name="pk_keys"),
        sa.ForeignKeyConstraint(["study"], ["studies.name"], name="fk_keys_study"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgresql()


def _sqlite() -> None:
    for table, columns in KEPT.items():
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN "
                f"SELECT RAISE(ABORT, '{table} are only ever added: {verb} refused'); END"
            )
        # INSERT OR REPLACE deletes the old row without asking the trigger on DELETE.
        same = " AND ".join(f"{column} = NEW.{column}" for column in columns)
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) BEGIN "
            f"SELECT RAISE(ABORT, '{table} are only ever added: REPLACE refused'); END"
        )
    op.execute(
        "CREATE TRIGGER rows_in_order BEFORE INSERT ON rows "
        "WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM rows WHERE study = NEW.study) "
        "OR EXISTS (SELECT 1 FROM rows WHERE study = NEW.study AND id = NEW.id) BEGIN "
        "SELECT RAISE(ABORT, 'rows are numbered 1, 2, 3, ... and each id comes once'); END"
    )


def _postgresql() -> None:
    op.execute(
        "CREATE FUNCTION surehand_only_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '% are only ever added: % refused', TG_TABLE_NAME, TG_OP; END $$"
    )
    op.execute(
        "CREATE FUNCTION surehand_in_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM rows WHERE study = NEW.study) THEN "
        "RAISE EXCEPTION 'rows are numbered 1, 2, 3, ...'; END IF; RETURN NEW; END $$"
    )
    for table in KEPT:
        op.execute(
            f"CREATE TRIGGER {table}_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION surehand_only_added()"
        )
    op.execute("CREATE TRIGGER rows_in_order BEFORE INSERT ON rows FOR EACH ROW EXECUTE FUNCTION surehand_in_order()")
