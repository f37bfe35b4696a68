"""Alembic's entry: migrates the connection that `backpropd.store.sql.migrate` passes."""

from alembic import context

from backpropd.store.sql.schema import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
