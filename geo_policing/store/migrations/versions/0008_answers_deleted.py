"""Retention of answers: when they were deleted, under which rule, and who asked for it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("searches", "reconstructions"):
        op.add_column(table, sa.Column("deleted_us", sa.BigInteger, nullable=True))
    op.create_table(
        "answers_deleted",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("case_number", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("answers", sa.BigInteger, nullable=False),
        sa.Column("first_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        # No number is given twice, so that one that is missing shows.
        sqlite_autoincrement=True,
    )
