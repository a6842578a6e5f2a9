"""Serve an ASGI app over HTTP on loopback from its own thread: uvicorn's protocol without uvicorn's process."""

import asyncio
import socket
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from tocsin_testkit.loops import LoopThread, reset_connection
from tocsin_testkit.ports import LOOPBACK
from tocsin_testkit.receivers.failures import RESET

__all__ = ["AppServer"]


class AppServer:
    """Start and stop an app; a second start listens on the same port again."""

    def __init__(self, app: ASGIApp, *, name: str, port: int | None = None) -> None:
        self._app = app
        self._name = name
        self.port = port or 0
        self._thread: LoopThread | None = None
        self._listener: asyncio.Server | None = None
        self._state = ServerState()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        self._thread = LoopThread(self._name)
        self._thread.start()
        try:
            self._thread.run(self._listen())
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Refuse new connections and drop the open ones. Nothing happens if it does not serve."""
        if self._thread is None:
            return
        self._thread.run(self._close())
        self._thread.stop()
        self._thread = None

    async def _listen(self) -> None:
        config = Config(self._app, lifespan="off", log_config=None, access_log=False, ws="none")
        config.load()
        self._state = ServerState()
        self._listener = await asyncio.get_running_loop().create_server(
            partial(_Protocol, config=config, server_state=self._state, app_state={}),
            host=LOOPBACK,
            port=self.port,
            family=socket.AF_INET,
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)


class _Protocol(H11Protocol):
    """Hands the app a way to reset its connection, for answers that are lost."""

    def __init__(self, **settings: Any) -> None:  # Any: uvicorn's own arguments, passed through
        super().__init__(**settings)
        self.app = self._resettable(self.app)

    def _resettable(self, app: Any) -> ASGIApp:  # Any: uvicorn's ASGI types and starlette's differ in name only
        async def resettable(scope: Scope, receive: Receive, send: Send) -> None:
            scope[RESET] = partial(reset_connection, self.transport)
            await app(scope, receive, send)

        return resettable
