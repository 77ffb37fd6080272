"""The tables of the records, as the newest migration leaves them. Times are microseconds of UTC."""

import sqlalchemy as sa

metadata = sa.MetaData()

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
)

lines = sa.Table(
    "lines",
    metadata,
    # RECEIVER/HOST of a line that names no device, as the registry of ingest writes it.
    sa.Column("line", sa.Text, primary_key=True),
    sa.Column("device_id", sa.Text, sa.ForeignKey("devices.id"), nullable=False),
)

units = sa.Table(
    "units",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("call_sign", sa.Text, nullable=False),
    sa.Column("device_id", sa.Text, sa.ForeignKey("devices.id"), nullable=True),
    sa.Column("station", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
)

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("occurred_us", sa.BigInteger, nullable=False),
    sa.Column("lon", sa.Double, nullable=False),
    sa.Column("lat", sa.Double, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    # Ids of units as the source names them, in order; an imported record may name units we do not have.
    sa.Column("units", sa.JSON, nullable=False),
    sa.Index("incidents_by_time", "occurred_us", "id"),
    sa.Index("incidents_by_state", "state", "occurred_us", "id"),
)

incident_history = sa.Table(
    "incident_history",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("incident_id", sa.Text, sa.ForeignKey("incidents.id"), nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    # Which units are assigned from then on; null where only the state changed.
    sa.Column("units", sa.JSON(none_as_null=True), nullable=True),
    sa.Index("incident_history_by_incident", "incident_id", "id"),
)

accounts = sa.Table(
    "accounts",
    metadata,
    # The name without case and compatibility forms: what makes it unique.
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("disabled_us", sa.BigInteger, nullable=True),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.key"), nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
    sa.Column("last_used_us", sa.BigInteger, nullable=False),
    sa.Index("sessions_by_account", "account"),
    sa.Index("sessions_by_end", "expires_us"),
)

looks = sa.Table(
    "looks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    # No foreign key: what was looked at stays known, whatever becomes of accounts and devices.
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=True),
    sa.Column("start_us", sa.BigInteger, nullable=True),
    sa.Column("end_us", sa.BigInteger, nullable=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Index("looks_by_time", "at_us", "id"),
    sa.Index("looks_by_account", "account", "id"),
    sqlite_autoincrement=True,
)

reconstructions = sa.Table(
    "reconstructions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("case_number", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("question", sa.JSON, nullable=False),
    sa.Column("problem", sa.Text, nullable=True),
    sa.Column("ended_us", sa.BigInteger, nullable=True),
    # JSON, compressed; null until it is done, and when it was deleted.
    sa.Column("answer", sa.LargeBinary, nullable=True),
    sa.Column("deleted_us", sa.BigInteger, nullable=True),
    sa.Index("reconstructions_by_case", "case_number", "created_us", "id"),
)

searches = sa.Table(
    "searches",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("case_number", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    # No foreign key: who asked stays known, whatever becomes of the account.
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("asked_us", sa.BigInteger, nullable=False),
    sa.Column("search", sa.Text, nullable=False),
    sa.Column("question", sa.JSON, nullable=False),
    sa.Column("found", sa.BigInteger, nullable=False),
    sa.Column("told", sa.BigInteger, nullable=False),
    # Why it was refused; null where it was answered.
    sa.Column("problem", sa.Text, nullable=True),
    # JSON, compressed; null where it was refused, and when it was deleted.
    sa.Column("answer", sa.LargeBinary, nullable=True),
    sa.Column("deleted_us", sa.BigInteger, nullable=True),
    sa.Index("searches_by_case", "case_number", "asked_us", "id"),
)

answers_deleted = sa.Table(
    "answers_deleted",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    # The table whose answers they were.
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("case_number", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("answers", sa.BigInteger, nullable=False),
    sa.Column("first_us", sa.BigInteger, nullable=False),
    sa.Column("last_us", sa.BigInteger, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
