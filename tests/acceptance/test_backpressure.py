"""A response is sent no faster than its client reads it."""

import os
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.embedded.running import eventually, is_listening, running
from tests.servers import free_port

pytestmark = pytest.mark.acceptance

APP = """
import os
from granian import Granian
from granian.constants import Interfaces
from service.limits.admission import Admission
from service.limits.concurrency_limit import ConcurrencyLimit
from service.limits.fair_slots import FairSlots
from service.server.request_body import MinRate
from service.server.wsgi_bridge import MinRates, WsgiBridge

def app(environ, start):
    def chunks():
        sent = 0
        try:
            for sent in range(10_000):
                yield b"x" * 100_000
        finally:
            print(sent, "chunks were sent", flush=True)
    start("200 OK", [("Content-Type", "text/plain")])
    return chunks()

slots = ConcurrencyLimit("requests", 9, 9, 9)
admission = Admission(slots, FairSlots("requests", 9, 9, 9), slots)
bridge = WsgiBridge(app, admission, MinRates(MinRate(1024, 10), MinRate(1024, 10)), 2, lambda *_: (429, {}, b""))
if __name__ == "__main__":
    Granian("endless:bridge", interface=Interfaces.ASGINL, port=int(os.environ["PORT"]), websockets=False).serve()
"""


def test_a_response_that_its_client_does_not_read_is_not_buffered(tmp_path: Path) -> None:
    app = tmp_path / "endless.py"
    app.write_text(APP)
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}", "PORT": str(port)}
    with running([sys.executable, str(app)], tmp_path, environment) as log:
        eventually(lambda: is_listening(port), 120)
        with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection.recv(10)
            time.sleep(1)
        sent = log.wait_for("chunks were sent").split()[0]
        assert int(sent) < 1000
        log.stop()
