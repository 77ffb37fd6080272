"""Reconstructions of suspects' tracks: who asked for them in which case and why, and what came out."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reconstructions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("case_number", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("question", sa.JSON, nullable=False),
        sa.Column("problem", sa.Text, nullable=True),
        sa.Column("ended_us", sa.BigInteger, nullable=True),
        sa.Column("answer", sa.LargeBinary, nullable=True),
    )
    op.create_index("reconstructions_by_case", "reconstructions", ["case_number", "created_us", "id"])
