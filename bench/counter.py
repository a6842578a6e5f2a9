"""A webhook receiver that counts of how many groups Alertmanager has told it.

`python -m bench.counter GROUPS` prints its own port, and when (monotonic) it was told of the last group.
"""

import asyncio
import re
import sys
import time

_GROUP = re.compile(rb'"groupLabels":\{"service":"([^"]+)"\}')
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def _count(groups: int) -> None:
    told: set[bytes] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                body = await reader.readexactly(int(length.split(b":")[1]))
            except (asyncio.IncompleteReadError, ConnectionResetError):  # Alertmanager has been stopped
                return
            whole = len(told) == groups
            told.update(_GROUP.findall(body))
            if len(told) == groups and not whole:
                print(time.monotonic(), flush=True)
            writer.write(_ANSWER)

    server = await asyncio.start_server(take, "127.0.0.1", 0, limit=2**24)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_count(int(sys.argv[1])))
