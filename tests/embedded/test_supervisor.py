"""The supervisor over tiny real programs: order, prefixes, deaths, signals, and nothing left over."""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.running import Running, eventually, left_over, running, traced

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[2]
SERVE = "ready()\ntime.sleep(600)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE
SLOW_TO_STOP = (
    """
def slowly(number, frame):
    time.sleep(0.3)
    stop(number, frame)
signal.signal(signal.SIGTERM, slowly)
"""
    + SERVE
)
# A child in the same session that outlives its parent unless somebody ends the group, and tells if it got a SIGTERM.
WITH_CHILD = """
if os.fork() == 0:
    trace("pids", os.getpid())
    signal.signal(signal.SIGTERM, lambda *_: trace("events", "child got SIGTERM"))
    (folder / "child.ready").touch()
    while True: time.sleep(600)
while not (folder / "child.ready").exists(): time.sleep(0.01)
"""


def part(name: str, code: str = SERVE, **settings: Any) -> dict[str, Any]:
    return {"name": name, "code": code, **settings}


@contextmanager
def supervising(folder: Path, *parts: dict[str, Any], until: str = "all ready") -> Iterator[Running]:
    (folder / "parts.json").write_text(json.dumps(parts))
    with running([sys.executable, "-m", "tests.embedded.little_stack", str(folder)], ROOT) as stack:
        stack.wait_for(until)
        yield stack


def test_parts_start_in_order_each_behind_its_readiness_and_stop_in_the_reverse_order(tmp_path: Path) -> None:
    slow = "time.sleep(0.3)\n" + SERVE
    with supervising(tmp_path, part("a", slow), part("b", slow), part("c", slow)) as stack:
        assert stack.stop() == 0
    began = ["a started", "a ready", "b started", "b ready", "c started", "c ready"]
    assert traced(tmp_path, "events") == [*began, "c stopped", "b stopped", "a stopped"]


def test_a_part_beside_another_does_not_wait_for_it_and_the_next_one_waits_for_both(tmp_path: Path) -> None:
    waits = "while not (folder / 'b.ready').exists(): time.sleep(0.01)\n" + SERVE
    with supervising(tmp_path, part("a", waits), part("b", beside=True), part("c")) as stack:
        assert stack.stop() == 0
    events = traced(tmp_path, "events")
    assert set(events[:4]) == {"a started", "b started", "b ready", "a ready"}
    assert events[4:] == ["c started", "c ready", "c stopped", "b stopped", "a stopped"]


def test_a_part_is_stopped_only_when_the_one_after_it_has_ended(tmp_path: Path) -> None:
    with supervising(tmp_path, part("broker"), part("worker", SLOW_TO_STOP)) as stack:
        stack.stop()
    assert traced(tmp_path, "events")[-2:] == ["worker stopped", "broker stopped"]


def test_a_part_without_a_readiness_check_ends_before_the_next_one_starts(tmp_path: Path) -> None:
    migrate = part("migrate", "time.sleep(0.3)\ntrace('events', 'migrate done')", once=True)
    with supervising(tmp_path, migrate, part("api")) as stack:
        stack.stop()
    assert traced(tmp_path, "events")[:3] == ["migrate started", "migrate done", "api started"]


def test_a_part_that_has_to_succeed_first_and_fails_ends_the_stack_before_anything_else_starts(tmp_path: Path) -> None:
    migrate = part("migrate", "print('no such table')\nsys.exit(3)", once=True)
    with supervising(tmp_path, migrate, part("api"), until="migrate ended with status 3") as stack:
        assert stack.end() == 1
    assert traced(tmp_path, "events") == ["migrate started"]
    assert "    no such table" in stack.lines


def test_each_line_carries_the_name_of_its_part_and_no_colour_in_a_pipe(tmp_path: Path) -> None:
    talk = "print('one\\ntwo', flush=True)\nprint('three', file=sys.stderr, flush=True)\n" + SERVE
    with supervising(tmp_path, part("api", talk), part("reaper", "sys.stdout.write('no newline')\n" + SERVE)) as stack:
        stack.stop()
    assert stack.lines == [
        "api    | one",
        "api    | two",
        "api    | three",
        "all ready",
        "stack  | stopping; a second signal stops at once",
        "reaper | no newline",
    ]


def test_a_part_that_dies_is_started_again(tmp_path: Path) -> None:
    dies_once = "if not (folder / 'been').exists():\n    (folder / 'been').touch()\n    ready(); sys.exit(7)\n" + SERVE
    with supervising(tmp_path, part("api", dies_once), part("worker")) as stack:
        eventually(lambda: traced(tmp_path, "events").count("api started") == 2)
        assert "it starts again" in stack.wait_for("api ended with status 7")
        assert stack.stop() == 0
    assert traced(tmp_path, "events").count("worker started") == 1


def test_a_part_that_can_start_starts_again_however_often_it_is_killed(tmp_path: Path) -> None:
    with supervising(tmp_path, part("api", "ready()\ntime.sleep(0.6)\nos.kill(os.getpid(), signal.SIGKILL)")) as stack:
        eventually(lambda: traced(tmp_path, "events").count("api started") == 5)
        assert stack.stop() == 0


def test_a_part_that_keeps_dying_ends_the_stack_with_its_name_its_status_and_its_last_lines(tmp_path: Path) -> None:
    dies = "ready()\nprint('the cable is out')\nsys.exit(9)"
    with supervising(tmp_path, part("redis"), part("api", dies), until="died 3 times") as stack:
        assert stack.end() == 1
    message = "api died 3 times in a row and last ended with status 9. Its last lines:"
    assert stack.lines[stack.lines.index(message) + 1] == "    the cable is out"
    assert stack.lines[-1] == "(advice about api)"
    assert traced(tmp_path, "events")[-1] == "redis stopped"
    assert left_over(tmp_path) == []


def test_a_part_that_never_becomes_ready_ends_the_stack(tmp_path: Path) -> None:
    never = part("api", "time.sleep(600)", ready_within=0.3)
    with supervising(tmp_path, part("redis"), never, until="api was not ready within 0.3 s") as stack:
        assert stack.end() == 1
    assert left_over(tmp_path) == []


def test_what_a_killed_part_leaves_behind_is_gone_before_it_starts_again(tmp_path: Path) -> None:
    with supervising(tmp_path, part("worker", WITH_CHILD + SERVE)) as stack:
        main, child = map(int, traced(tmp_path, "pids"))
        os.kill(main, signal.SIGKILL)
        assert "was killed by SIGKILL" in stack.wait_for("starts again")
        eventually(lambda: child not in left_over(tmp_path))
        stack.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_everything_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with supervising(tmp_path, part("redis"), part("worker", WITH_CHILD + SERVE)) as stack:
        assert len(left_over(tmp_path)) == 3
        stack.send(number)
        assert stack.end() == 0
    assert left_over(tmp_path) == []


def test_a_signal_while_a_part_is_not_ready_yet_ends_everything(tmp_path: Path) -> None:
    waiting = "print('loading', flush=True)\ntime.sleep(600)"
    with supervising(tmp_path, part("redis"), part("api", waiting), until="loading") as stack:
        assert stack.stop() == 0
    assert traced(tmp_path, "events")[-2:] == ["api stopped", "redis stopped"]


def test_the_main_process_alone_is_asked_to_stop(tmp_path: Path) -> None:
    with supervising(tmp_path, part("worker", WITH_CHILD + SLOW_TO_STOP)) as stack:
        stack.stop()
    assert traced(tmp_path, "events")[-1] == "worker stopped"
    assert "child got SIGTERM" not in traced(tmp_path, "events")
    assert left_over(tmp_path) == []


def test_a_part_that_ignores_the_request_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    with supervising(tmp_path, part("redis"), part("worker", STUBBORN, grace=0.3)) as stack:
        assert stack.stop() == 0
    assert traced(tmp_path, "events")[-1] == "redis stopped"
    assert left_over(tmp_path) == []


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    with supervising(tmp_path, part("redis"), part("worker", STUBBORN, grace=600)) as stack:
        stack.send(signal.SIGINT)
        stack.wait_for("stopping")
        time.sleep(0.6)
        stack.send(signal.SIGINT)
        assert stack.end() == 0
    assert left_over(tmp_path) == []


def test_a_signal_that_comes_twice_at_the_same_moment_is_one_request(tmp_path: Path) -> None:
    with supervising(tmp_path, part("worker", SLOW_TO_STOP)) as stack:
        stack.send(signal.SIGTERM)
        stack.wait_for("stopping")
        stack.send(signal.SIGTERM)
        assert stack.end() == 0
    assert traced(tmp_path, "events")[-1] == "worker stopped"


def test_a_supervisor_killed_outright_leaves_no_process_and_its_parts_end_in_order(tmp_path: Path) -> None:
    stubborn = part("reaper", STUBBORN, grace=0.3)
    with supervising(tmp_path, part("redis"), part("worker", WITH_CHILD + SLOW_TO_STOP), stubborn) as stack:
        stack.send(signal.SIGKILL)
        stack.process.wait()
        eventually(lambda: left_over(tmp_path) == [])
    assert traced(tmp_path, "events")[-2:] == ["worker stopped", "redis stopped"]


def test_the_data_folder_stays_taken_until_the_parts_of_a_killed_supervisor_have_ended(tmp_path: Path) -> None:
    with supervising(tmp_path, part("redis", SLOW_TO_STOP)) as stack, open(tmp_path / "stack.lock") as lock:
        stack.send(signal.SIGKILL)
        stack.process.wait()
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert left_over(tmp_path) == []


def test_a_reader_that_leaves_does_not_end_the_stack(tmp_path: Path) -> None:
    chatter = "ready()\nfor _ in range(100000):\n    print('still here', flush=True)\n    time.sleep(0.01)"
    (tmp_path / "parts.json").write_text(json.dumps([part("api", chatter)]))
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "tests.embedded.little_stack", str(tmp_path)]
    pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    eventually(lambda: "api ready" in traced(tmp_path, "events"))
    time.sleep(0.2)
    os.kill(pid, signal.SIGTERM)
    assert os.waitpid(pid, 0)[1] == 0
    assert traced(tmp_path, "events")[-1] == "api stopped"
