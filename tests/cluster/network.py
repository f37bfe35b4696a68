"""Hosts on one machine: network namespaces, each with an address of its own, joined by a bridge."""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "bpclu"  # of every namespace and interface; an interface's name has at most 15 characters
BRIDGE = f"{PREFIX}-bridge"
SUBNET = "10.213.77"
LOCK = Path(f"/run/{PREFIX}.lock")
# In a host a program has its own hostname and its own process ids, as on another machine. When `unshare` is killed,
# so is everything below it.
AS_A_MACHINE = ("unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c")


class Network:
    """Hosts by name. The tests run outside the hosts, at the bridge's address."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("address", "add", f"{SUBNET}.1/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")

    def add(self, name: str) -> None:
        """Add a host."""
        number = self._numbers[name] = len(self._numbers) + 11
        namespace, outside = f"{PREFIX}-{name}", f"{PREFIX}-{number}"
        _ip("netns", "add", namespace)
        _ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("link", "set", outside, "master", BRIDGE, "up")
        for command in (("address", "add", f"{SUBNET}.{number}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            _ip("-netns", namespace, *command)
        _ip("-netns", namespace, "link", "set", "lo", "up")

    def address(self, name: str) -> str:
        """The host's address."""
        return f"{SUBNET}.{self._numbers[name]}"

    def inside(self, name: str) -> tuple[str, ...]:
        """What begins the command of a server in this host."""
        return ("ip", "netns", "exec", f"{PREFIX}-{name}")

    def as_machine(self, name: str) -> tuple[str, ...]:
        """What begins the command of a program in this host that looks at its hostname and its processes."""
        return (*self.inside(name), *AS_A_MACHINE, f'hostname {name} && exec "$@"', "sh")

    def cut(self, name: str) -> None:
        """Cut the host off: what it sends is dropped, without an error."""
        _ip("link", "set", f"{PREFIX}-{self._numbers[name]}", "down")

    def join(self, name: str) -> None:
        """Connect the host again."""
        _ip("link", "set", f"{PREFIX}-{self._numbers[name]}", "up")


@contextmanager
def network() -> Iterator[Network]:
    """A network without hosts. Whatever was left by an interrupted run, or is left by this one, is removed."""
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError("another `make cluster-test` runs on this machine: wait until it has ended") from None
        remove_all()
        try:
            yield Network()
        finally:
            remove_all()


def obstacle() -> str | None:
    """Why there can be no hosts here, in one sentence; None if there can."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "setpriv", "cc"))):
        return "make cluster-test needs root on Linux, with ip (iproute2), unshare and setpriv (util-linux), and cc"
    probe = f"{PREFIX}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"make cluster-test needs network namespaces, and this machine makes none: {made.stderr.strip()}"
    _ip("netns", "delete", probe)
    return None


def remove_all() -> None:
    """Kill what runs in the hosts, and remove the hosts and the bridge."""
    names = [line.split()[0] for line in _ip("netns", "list").splitlines() if line.startswith(f"{PREFIX}-")]
    for name in names:
        _kill_all(name)
        _ip("netns", "delete", name)
    links = _ip("-brief", "link", "show").splitlines()
    for link in (line.split()[0].partition("@")[0] for line in links if line.startswith(f"{PREFIX}-")):
        with suppress(AssertionError):  # it went with its host
            _ip("link", "delete", link)


def _kill_all(namespace: str) -> None:
    deadline = time.monotonic() + 10
    while processes := _ip("netns", "pids", namespace).split():
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        assert time.monotonic() < deadline, f"processes in {namespace} do not end: {processes}"
        time.sleep(0.05)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
    return done.stdout
