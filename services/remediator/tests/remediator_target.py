"""A small system to act upon, that counts what it carries out by Idempotency-Key and refuses all else."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Target:
    """`on` says how an action is answered: a status, or what goes wrong. Everything unexpected fails the test."""

    healthy: Callable[["Target"], bool] = lambda target: True
    on: dict[str, str | int] = field(default_factory=dict)
    remembers: bool = False
    """Whether it can be asked about executions at /executions/<key>."""
    executions: Counter[str] = field(default_factory=Counter)
    actions: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    asked: int = 0
    port: int = 0
    meanwhile: Callable[["Target"], Awaitable[None]] | None = None
    """What happens in the world between an action's coming and its answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Target"]:
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
        assert self.surprises == []

    @property
    def most_executions(self) -> int:
        """How often the execution that was carried out most often was carried out."""
        return max(self.executions.values(), default=0)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in head[1:] if line)}
            await reader.readexactly(int(headers.get("content-length", "0")))
            await self._answer(method, path, headers, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # who asked is gone
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        if path == "/health":
            self.asked += 1
            return _respond(writer, 200 if self.healthy(self) else 503)
        if path.startswith("/executions/") and self.remembers:
            return _respond(writer, 200 if self.executions[path.removeprefix("/executions/")] else 404)
        if method != "POST" or "idempotency-key" not in headers or path.startswith("/executions/"):
            self.surprises.append(f"{method} {path}")
            return _respond(writer, 500)
        self.headers.append(headers)
        how = self.on.get(path, 200)
        if self.meanwhile is not None:
            await self.meanwhile(self)
        if how == "cut unseen":
            return writer.transport.abort()
        if how != "refuse" and not (isinstance(how, int) and how >= 400):
            key = headers["idempotency-key"]
            if not (self.remembers and self.executions[key]):
                self.executions[key] += 1
                self.actions.append(path)
        if how == "cut":
            return writer.transport.abort()
        if how == "hang":
            await asyncio.sleep(30)
        return _respond(writer, how if isinstance(how, int) else 403 if how == "refuse" else 200)


def _respond(writer: asyncio.StreamWriter, status: int) -> None:
    body = b"{}"
    writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
