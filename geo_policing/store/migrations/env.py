"""Runs the migrations on the connection that Records hands over."""

from alembic import context

from geo_policing.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
