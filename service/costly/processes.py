"""The costly process and its template, as processes: forked before the front has threads, and ended with it."""

import ctypes
import os
import select
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.util import Finalize
from typing import BinaryIO

from backpropd import errors, session_priority

NICENESS = 5  # the front and the sandbox go first when all need one
PR_SET_PDEATHSIG = 1
PAUSE_SECONDS = 0.1  # before a costly process that died is replaced
ENDED = "the process that answers costly requests has ended: try again"

Answer = Callable[[socket.socket, BinaryIO], None]


class CostlyProcess:
    """The front's end of the control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    @property
    def is_running(self) -> bool:
        """Whether it or its template is there."""
        hang_up = select.poll()  # one for each call: threads must not share it
        hang_up.register(self._control, 0)
        return not hang_up.poll(0)

    def connect(self, body: BinaryIO) -> socket.socket:
        """A connection for a request with the body in this file. Raises `errors.Unavailable`."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [b"."], [theirs.fileno(), body.fileno()])
            except OSError as error:
                ours.close()
                raise errors.Unavailable(ENDED) from error
        return ours


def start(answer: Answer, prepare: Callable[[int], None]) -> CostlyProcess:
    """Fork the template, which must find one thread here.

    The costly process calls `prepare` with the front's process id, and then `answer` with the connection and the body
    of each request, in threads.
    """
    front = os.getpid()
    ours, theirs = socket.socketpair()
    if template := os.fork():
        theirs.close()
        Finalize(None, _end, (ours, template), exitpriority=0)  # `atexit` does not run in a web server's process
        return CostlyProcess(ours)
    try:
        _leave_front(theirs)
        _fork_again_and_again(theirs, lambda: _serve(theirs, answer, lambda: prepare(front)))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _end(control: socket.socket, template: int) -> None:
    """End the template, which ends the costly process, and wait for it: nothing is left of a front that stopped."""
    control.close()
    with suppress(ChildProcessError):
        os.waitpid(template, 0)


def _leave_front(control: socket.socket) -> None:
    """Keep no signal handler and no file of the front: a client must not find a port open that nobody serves."""
    signal.set_wakeup_fd(-1)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # the front receives them too, and waits for its answers
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.closerange(3, control.fileno())
    os.closerange(control.fileno() + 1, os.sysconf("SC_OPEN_MAX"))


def _fork_again_and_again(control: socket.socket, serve: Callable[[], None]) -> None:
    while not _is_closed(control):
        if not (child := os.fork()):
            serve()
            return
        os.waitpid(child, 0)
        time.sleep(PAUSE_SECONDS)


def _is_closed(control: socket.socket) -> bool:
    """Whether the front has ended."""
    with suppress(BlockingIOError):
        return not control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    return False


def _serve(control: socket.socket, answer: Answer, prepare: Callable[[], None]) -> None:
    """Answer requests until the front ends."""
    os.setsid()  # a session of its own, whose priority is lower, too
    _end_with_template()
    session_priority.lower(NICENESS)
    os.nice(NICENESS)
    prepare()
    while descriptors := socket.recv_fds(control, 1, 2)[1]:
        threading.Thread(target=_answer, args=(answer, *descriptors), daemon=True).start()


def _end_with_template() -> None:
    """Have Linux kill this process when the template is killed: it is not in the group of the API any more."""
    with suppress(AttributeError):  # macOS
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _answer(answer: Answer, connection: int, body: int) -> None:
    with socket.socket(fileno=connection) as opened, os.fdopen(body, "rb") as file:
        answer(opened, file)
