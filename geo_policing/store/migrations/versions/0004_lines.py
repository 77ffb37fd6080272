"""Which device speaks on a line that names none; incidents are found by their state."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lines",
        sa.Column("line", sa.Text, primary_key=True),
        sa.Column("device_id", sa.Text, sa.ForeignKey("devices.id"), nullable=False),
    )
    op.create_index("incidents_by_state", "incidents", ["state", "occurred_us", "id"])
