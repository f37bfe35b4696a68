"""A TCP proxy as a program: it hands each connection to the next of several servers, and can delay what passes.

`python -m tests.cluster.proxy ADDRESS PORT DELAY_FILE HOST:PORT…`: the file has the seconds by which everything that
passes is delayed, in both directions; it is read again each time.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

CHUNK_BYTES = 64 * 1024
CONNECT_SECONDS = 1.0  # for a server to accept; then the next one is tried


class Proxy:
    """Hands connections to servers in turns; one that does not accept is passed over."""

    def __init__(self, delay_file: Path, servers: Sequence[str]) -> None:
        self._delay_file, self._servers, self._turn = delay_file, servers, count()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on a connection until both sides have closed it."""
        first = next(self._turn)
        for number in range(len(self._servers)):
            host, _, port = self._servers[(first + number) % len(self._servers)].rpartition(":")
            with suppress(OSError, TimeoutError):
                answers, requests = await asyncio.wait_for(asyncio.open_connection(host, int(port)), CONNECT_SECONDS)
                await asyncio.gather(self._pass(reader, requests), self._pass(answers, writer))
                return
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await asyncio.sleep(float(self._delay_file.read_text() or 0))
                writer.write(chunk)
                await writer.drain()
        writer.close()


async def serve(address: str, port: str, delay_file: str, *servers: str) -> None:
    """Serve until the process is killed."""
    listener = await asyncio.start_server(Proxy(Path(delay_file), servers).handle, address, int(port))
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
