"""A real Redis and a real PostgreSQL for tests."""

from tests.servers.postgres import Postgres, connect, fresh_database, postgres_with_jit, running_postgres
from tests.servers.redis import Redis, running_redis
from tests.servers.s3 import S3
from tests.servers.server import free_port

__all__ = [
    "S3",
    "Postgres",
    "Redis",
    "connect",
    "free_port",
    "fresh_database",
    "postgres_with_jit",
    "running_postgres",
    "running_redis",
]
