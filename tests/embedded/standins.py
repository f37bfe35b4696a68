"""Stand-ins for `service` and `worker`: packages of these names in a folder of their own, run by the real command."""

from pathlib import Path

# Answers /healthz always and /readyz when the worker is there.
SERVICE = """
import http.server, os, signal, sys
from standin import note, here
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        up = self.path == "/healthz" or (self.path == "/readyz" and here("worker"))
        self.send_response(200 if up else 503)
        self.end_headers()
    def log_message(self, *_): pass
with http.server.HTTPServer(("127.0.0.1", int(os.environ["BACKPROPD_PORT"])), Handler) as server:
    note("service")
    server.serve_forever()
"""
WORKER = """
import os, sys, time
from standin import fail, note
if sys.argv[1] == "migrate":
    fail("migrate")
    note("migrate", stays=False)
else:
    print("broker", os.environ["BACKPROPD_BROKER_URL"])
    note({"run": "worker", "reap": "reaper"}[sys.argv[1]])
    time.sleep(600)
"""
STANDIN = """
import os, pathlib, signal, sys
folder = pathlib.Path(os.environ["BACKPROPD_DATA_DIR"])
redis = pathlib.Path(os.environ["BACKPROPD_BROKER_URL"].removeprefix("redis+socket://"))
def trace(file, what):
    with open(folder / file, "a") as lines: lines.write(f"{what}\\n")
def here(name):
    return (folder / "events").exists() and f"{name} started" in (folder / "events").read_text()
def fail(name):
    if os.environ.get("STANDIN_FAILS") == name: sys.exit(f"{name} fails, as it was told to")
def note(name, stays=True):
    def stop(number, frame):
        trace("events", f"{name} stopped" + (", with Redis there" if redis.exists() else ""))
        sys.exit(0)
    signal.signal(signal.SIGTERM, stop)
    trace("pids", os.getpid())
    trace("events", f"{name} started" + (", with Redis there" if redis.exists() else ""))
"""


def write(folder: Path) -> Path:
    """Write the packages into this folder; a `python -m embedded` that is started there runs them."""
    for package, code in (("service", SERVICE), ("worker", WORKER)):
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
        (folder / package / "__main__.py").write_text(code)
    (folder / "standin.py").write_text(STANDIN)
    return folder
