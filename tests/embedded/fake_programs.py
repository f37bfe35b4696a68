"""Fake packages `service` and `worker`, which `python -m embedded` runs if it is started in their folder."""

from pathlib import Path

# Answers 200 to /healthz, and to /readyz when the worker has started.
SERVICE = """
import http.server, os, signal, sys
from fake import record_start, started
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        up = self.path == "/healthz" or (self.path == "/readyz" and started("worker"))
        self.send_response(200 if up else 503)
        self.end_headers()
    def log_message(self, *_): pass
with http.server.HTTPServer(("127.0.0.1", int(os.environ["BACKPROPD_PORT"])), Handler) as server:
    record_start("service")
    server.serve_forever()
"""
WORKER = """
import os, sys, time
from fake import fail_if_requested, record_start
if sys.argv[1] == "migrate":
    fail_if_requested("migrate")
    record_start("migrate")
else:
    print("broker", os.environ["BACKPROPD_BROKER_URL"])
    record_start({"run": "worker", "reap": "reaper"}[sys.argv[1]])
    time.sleep(600)
"""
FAKE = """
import os, pathlib, signal, sys
folder = pathlib.Path(os.environ["BACKPROPD_DATA_DIR"])
redis = pathlib.Path(os.environ["BACKPROPD_BROKER_URL"].removeprefix("redis+socket://"))
def record(file, line):
    with open(folder / file, "a") as lines: lines.write(f"{line}\\n")
def started(name):
    return (folder / "events").exists() and f"{name} started" in (folder / "events").read_text()
def fail_if_requested(name):
    if os.environ.get("FAILING_PROGRAM") == name: sys.exit(f"{name} fails on request")
def record_start(name):
    def stop(number, frame):
        record("events", f"{name} stopped" + (", with Redis there" if redis.exists() else ""))
        sys.exit(0)
    signal.signal(signal.SIGTERM, stop)
    record("pids", os.getpid())
    record("events", f"{name} started" + (", with Redis there" if redis.exists() else ""))
"""


def write(folder: Path) -> Path:
    """Write the packages into this folder."""
    for package, code in (("service", SERVICE), ("worker", WORKER)):
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
        (folder / package / "__main__.py").write_text(code)
    (folder / "fake.py").write_text(FAKE)
    return folder
