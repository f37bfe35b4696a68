"""Which host changed which job's rows, and when: noted by triggers of the database, which know every connection."""

from datetime import datetime
from typing import NamedTuple

import psycopg
from sqlalchemy import make_url

from backpropd.store.sql.schema import Checkpoint, Epoch, Job, Model
from tests.servers import connect

NOTE = """
CREATE SCHEMA test;
CREATE TABLE test.written (
    at timestamptz DEFAULT clock_timestamp(), address inet DEFAULT inet_client_addr(), kind text, job text
);
CREATE FUNCTION test.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format(
        'INSERT INTO test.written (kind, job) SELECT DISTINCT %L, jobs.id FROM changed JOIN jobs ON %s',
        TG_TABLE_NAME, TG_ARGV[0]
    );
    RETURN NULL;
END $$;
"""
TRIGGER = """
CREATE TRIGGER note_{event} AFTER {event} ON {table} REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION test.note('{condition}')
"""
CONDITIONS = {
    Job.__tablename__: "changed.number = jobs.number",
    Epoch.__tablename__: "changed.job_number = jobs.number",
    Checkpoint.__tablename__: "changed.job_number = jobs.number",
    Model.__tablename__: "changed.job_id = jobs.id",
}


class Write(NamedTuple):
    """A statement that changed rows of a job: when, from which address, and of which table."""

    at: datetime
    address: str
    table: str


class WrittenRows:
    """The statements that have changed rows of jobs since this was made."""

    def __init__(self, url: str) -> None:
        self._url = url
        with self._connect() as connection:
            connection.execute(NOTE)
            for table, condition in CONDITIONS.items():
                for event in ("INSERT", "UPDATE"):
                    connection.execute(TRIGGER.format(event=event, table=table, condition=condition).encode())

    def of(self, job_id: str) -> list[Write]:
        """Those of a job, in their order."""
        with self._connect() as connection:
            query = "SELECT at, host(address), kind FROM test.written WHERE job = %s ORDER BY at"
            return [Write(*row) for row in connection.execute(query, [job_id])]

    def _connect(self) -> psycopg.Connection:
        return connect(make_url(self._url))
