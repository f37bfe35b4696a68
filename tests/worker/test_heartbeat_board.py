"""The page that a worker's parent and children share, with real children."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

from tests.worker.conftest import wait_until
from worker.heartbeat_board import HeartbeatBoard
from worker.process_identity import identity, lives, machine


def sleep(board: HeartbeatBoard, place: int, busy: bool) -> None:
    board.enter(place)
    if busy:
        board.beat()
    time.sleep(600)


def child(board: HeartbeatBoard, place: int, *, busy: bool = False) -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=sleep, args=(board, place, busy), daemon=True)
    process.start()
    wait_until(lambda: board.pids()[place] == process.pid)
    return process


def test_the_parent_sees_a_child_die_and_another_take_its_place() -> None:
    board = HeartbeatBoard(2)
    first, second = child(board, 0), child(board, 1)
    assert not board.somebody_died()
    first.kill()
    first.join()
    assert board.somebody_died()
    assert not board.somebody_died()
    first = child(board, 0)
    assert not board.somebody_died()
    second.kill()
    second.join()
    second = child(board, 1)
    assert board.somebody_died()
    for process in (first, second):
        process.kill()


def test_a_child_that_has_a_job_and_gives_no_sign_of_life_hangs_and_an_idle_one_does_not() -> None:
    board = HeartbeatBoard(2)
    busy, idle = child(board, 0, busy=True), child(board, 1)
    board.somebody_died()
    assert board.hung(60) == []
    wait_until(lambda: board.hung(0.2) == [busy.pid])
    for process in (busy, idle):
        process.kill()


def test_a_child_that_died_with_a_job_does_not_hang_for_its_pid_may_be_anybodys() -> None:
    board = HeartbeatBoard(1)
    busy = child(board, 0, busy=True)
    board.somebody_died()
    wait_until(lambda: board.hung(0.0) == [busy.pid])
    busy.kill()
    busy.join()
    assert board.somebody_died()
    assert board.hung(0.0) == []


def test_a_child_whose_parent_is_gone_stops() -> None:
    reader, writer = multiprocessing.Pipe(duplex=False)
    parent = os.fork()
    if parent == 0:
        board = HeartbeatBoard(1)
        if os.fork() == 0:
            board.enter(0)
            writer.send(board.stopping())
            wait_until(board.stopping)
            writer.send(True)
        else:
            time.sleep(0.3)
        os._exit(0)
    assert not reader.recv()
    assert reader.recv()
    os.waitpid(parent, 0)


def test_the_order_to_stop_reaches_every_child() -> None:
    board = HeartbeatBoard(1)
    reader, writer = multiprocessing.Pipe(duplex=False)

    def tell() -> None:
        wait_until(board.stopping)
        writer.send(True)

    process = multiprocessing.get_context("fork").Process(target=tell, daemon=True)
    process.start()
    board.stop()
    assert reader.recv()


def test_a_process_of_this_machine_lives_while_it_is_there_and_one_of_another_machine_may_always() -> None:
    assert lives(identity(1))
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    wait_until(lambda: not lives(f"{machine()}/1/{pid}"))  # although its parent has not buried it yet
    os.waitpid(pid, 0)
    assert not lives(f"{machine()}/1/{pid}")
    assert lives(f"another/1/{pid}")
