"""The wall clocks of hosts, each of which can be set while programs run there."""

import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("shifted_clock.c")


class Clocks:
    """A shift in seconds for each host; compiled with `cc`, because a namespace cannot have a wall clock of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._library = folder / "shifted_clock.so"
        subprocess.run(
            ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE)], check=True
        )

    def shift(self, host: str, seconds: int) -> None:
        """Set a host's clock, relative to the true one."""
        file = self._file(host)
        with file.open("r+b" if file.exists() else "wb") as opened:  # programs have mapped it
            opened.write(struct.pack("l", seconds))

    def environment(self, host: str) -> dict[str, str]:
        """What a program needs in its environment to have this host's clock."""
        if not self._file(host).exists():
            self.shift(host, 0)
        return {"LD_PRELOAD": str(self._library), "SHIFTED_CLOCK_FILE": str(self._file(host))}

    def _file(self, host: str) -> Path:
        return self._folder / f"{host}.clock"
