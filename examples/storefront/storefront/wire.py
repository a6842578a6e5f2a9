"""A small HTTP client: keep-alive requests to one plain `http://` address, of which only the status matters.

A load generator must not be what its own measurements are about: at 200 requests a second a general client took a
whole core where this takes a tenth of one, and it loads in no time when the shop starts.
"""

import asyncio
import json
from urllib.parse import urlsplit

WORTH_READING = 1024 * 1024
"""Bodies up to this many bytes are read to keep their connection; above, both are dropped."""


class NoAnswerError(Exception):
    """The server could not be reached, or hung up, or said what is not HTTP. `kind` is one word for counting."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"no answer: {cause!r}")
        self.kind = type(cause).__name__


class Client:
    """Raises ValueError if the address is not `http://host[:port]`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"the address must look like http://host:port, not {url!r}")
        self._host, self._port = parts.hostname, parts.port or 80
        self._prefix = parts.path.rstrip("/")
        self._authority = parts.netloc
        self._idle: list[Connection] = []

    async def ask(self, method: str, path: str, body: object = None) -> int:
        """Sends one request and returns the status of its answer. Raises NoAnswerError if there is none."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {self._prefix}{path} HTTP/1.1\r\nHost: {self._authority}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        try:
            connection = await self._connection()
            try:
                status = await connection.exchange(head.encode() + content)
            except BaseException:  # also when cancelled: what is half read can carry no other request
                connection.drop()
                raise
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise NoAnswerError(error) from error
        if connection.is_open():
            self._idle.append(connection)
        return status

    def close(self) -> None:
        for connection in self._idle:
            connection.drop()
        self._idle.clear()

    async def _connection(self) -> "Connection":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open():
                return connection
            connection.drop()
        return Connection(*await asyncio.open_connection(self._host, self._port))


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def exchange(self, request: bytes) -> int:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        status = int(status_line.split(" ")[1]) if status_line.startswith("HTTP/1.1 ") else _refuse(status_line)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", WORTH_READING + 1))
        if length <= WORTH_READING:
            await self._reader.readexactly(length)
        if length > WORTH_READING or headers.get("connection", "").lower() == "close":
            self.drop()
        return status

    def is_open(self) -> bool:
        return not self._reader.at_eof() and not self._writer.is_closing()

    def drop(self) -> None:
        self._writer.transport.abort()


def _refuse(status_line: str) -> int:
    raise ValueError(f"not HTTP/1.1: {status_line[:40]!r}")
