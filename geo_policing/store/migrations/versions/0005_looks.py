"""Who asked where something was or what had happened: added to, never changed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "looks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=True),
        sa.Column("start_us", sa.BigInteger, nullable=True),
        sa.Column("end_us", sa.BigInteger, nullable=True),
        sa.Column("rows", sa.BigInteger, nullable=False),
        # No number is given twice, so that one that is missing shows.
        sqlite_autoincrement=True,
    )
    op.create_index("looks_by_time", "looks", ["at_us", "id"])
    op.create_index("looks_by_account", "looks", ["account", "id"])
