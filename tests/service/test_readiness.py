"""Readiness: a component that hangs is reported in time, and does not hang further questions."""

import socket
import threading
import time
from pathlib import Path

from backpropd.config import Settings
from service.readiness import CHECK_SECONDS
from tests.service.requests import at_once, open_app


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
            assert threading.active_count() <= threads + 5  # one for each check
