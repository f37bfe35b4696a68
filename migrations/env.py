"""Alembic's entry: it migrates the connection that `backpropd.store.migrate` hands it."""

from alembic import context

from backpropd.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
