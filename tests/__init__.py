"""The tests: they mirror the packages; `servers.py` starts a real Redis and a real PostgreSQL."""
