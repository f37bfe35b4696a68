"""Requests that wait because another program writes to SQLite keep no other request waiting."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from backpropd.config import Settings

pytestmark = pytest.mark.acceptance

WRITERS = 3 * Settings().max_working


def test_reads_are_answered_while_more_requests_than_may_work_wait_to_write(url: str, folder: Path) -> None:
    with (
        closing(sqlite3.connect(folder / "data" / "backpropd.db", isolation_level=None)) as database,
        ThreadPoolExecutor(WRITERS) as threads,
        httpx.Client(base_url=url, timeout=60) as http,
    ):
        database.execute("BEGIN IMMEDIATE")
        writers = [threads.submit(http.delete, "/v1/models/model_0") for _ in range(WRITERS)]
        for _ in range(50):  # the writers come to the lock meanwhile
            assert http.get("/v1/jobs").status_code == 200
            time.sleep(0.02)
        assert not any(each.done() for each in writers)
        database.execute("ROLLBACK")
        assert {each.result().status_code for each in writers} == {404}
