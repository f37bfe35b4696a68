"""Readiness: what is wrong with each component, and one that hangs is reported in time."""

import socket
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from backpropd.config import Settings
from service.app import create_app
from service.readiness import CHECK_SECONDS
from tests.service.requests import at_once, open_app, sample


def test_a_broker_that_hangs_is_not_ready_and_the_rest_is_still_reported(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        settings = Settings(data_dir=tmp_path, broker_url=f"redis+socket://{tmp_path}/silent.sock").with_defaults()
        with open_app(settings) as app:
            http, threads = app.test_client(), threading.active_count()
            began = time.monotonic()
            answers = at_once(lambda _: app.test_client().get("/readyz"), range(20))
            assert {answer.status_code for answer in answers} == {503}
            assert time.monotonic() - began < 3 * CHECK_SECONDS
            answer = http.get("/readyz").json
            assert answer["broker"] == {"ready": False, "detail": f"does not answer within {CHECK_SECONDS:g} seconds"}
            assert answer["database"]["ready"]
            assert threading.active_count() <= threads + 6  # one for each check


def test_a_broker_that_is_not_set_is_reported(settings: Settings) -> None:
    with open_app(settings, broker_url="") as app:
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.json["broker"]["ready"]) == (503, False)


def test_a_disk_with_little_room_and_a_missing_reaper_are_reported(settings: Settings) -> None:
    with open_app(settings, min_free_bytes=2**60) as app:
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.json["status"], answer.json["disk"]["ready"]) == (503, "not_ready", False)
        assert "delete something" in answer.json["disk"]["detail"]
        assert "no recent heartbeat" in answer.json["reaper"]["detail"]
        assert answer.json["database"]["ready"]


def test_a_newer_schema_is_reported(settings: Settings) -> None:
    with open_app(settings) as app:
        with app.extensions["backpropd"].database.write() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        database = app.test_client().get("/readyz").json["database"]
        assert not database["ready"]
        assert "newer backpropd" in database["detail"]


def test_a_damaged_database_is_reported(settings: Settings) -> None:
    with open_app(settings) as app:
        for _ in range(30):
            sample(app.test_client(), "iris")
    file = settings.data_dir / "backpropd.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = bytearray(file.read_bytes())
    for start in range(4096 * 20, len(pages), 4096):
        pages[start : start + 8] = b"\xff" * 8  # the header of a page
    file.write_bytes(pages)
    app = create_app(settings)
    try:
        assert not app.test_client().get("/readyz").json["database"]["ready"]
    finally:
        app.extensions["backpropd"].database.dispose()
