"""What is kept: SQL rows and blobs. The only place that knows SQLAlchemy.

Functions take a `Session` and never commit: the caller opens the transaction (`Database.write`, `Database.read`) and
sees where it ends.
"""
