"""Persistence: SQL rows and blobs. The only package that imports SQLAlchemy's tables.

A module for each resource; `sql` is below them, `scheduling` (the work queue) above. Functions take a `Session` and
never commit: the caller opens the transaction with `Database.write` or `Database.read`.
"""
