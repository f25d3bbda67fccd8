"""Alembic's entry: runs the steps on the connection, and within the transaction, that `store/schema.py` hands over."""

from alembic import context

from graftport_dagster.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
