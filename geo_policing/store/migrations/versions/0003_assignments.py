"""The history of an incident also holds which units were assigned."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQL's null, not JSON's: a change of state that leaves the units alone.
    op.add_column("incident_history", sa.Column("units", sa.JSON(none_as_null=True), nullable=True))
