"""Facts for tests of the runtime."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tocsin_runtime import Address, Connection
from tocsin_schemas import Actor, Envelope, caused_by
from tocsin_schemas.events import NoteAdded
from tocsin_testkit.nats import NatsServer
from tocsin_testkit.ports import free_port
from tocsin_testkit.processes import ServerProcess

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Actor.person("ada", "cli")


def note(cause: str, text: str = "noted", position: int = 0, incident: str = "inc1") -> Envelope[NoteAdded]:
    """A note of the escalator about an incident."""
    return caused_by(cause, position, "escalator", incident, NOW, NoteAdded(text=text, by=ADA))


async def connected(server: NatsServer, name: str = "test") -> Connection:
    connection = Connection(Address(server.url), name)
    await connection.open()
    return connection


def playbook(name: str = "small", more: str = "") -> str:
    """A playbook that has no errors."""
    return (
        f"apiVersion: tocsin/v1\nkind: Playbook\nmetadata:\n  name: {name}\nseverities:\n  - name: P1\n"
        f"communicate:\n  channels: [{{name: term, console: {{}}}}]\n{more}"
    )


class ServiceProcess(ServerProcess):
    """A small service as a child process: `source` defines `build` for a Host of `Small`.

    The handler may `leave(name)` a file in the folder, so that a test sees what happened in the process.
    """

    name = "service"

    def __init__(self, folder: Path, source: str, settings: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, port=free_port())
        self._script = folder / "service.py"
        self._script.write_text(_SERVICE.format(source=source))
        self._settings = {
            "TOCSIN_HTTP_PORT": str(self.port),
            **settings,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def command(self) -> Sequence[str]:
        given = [f"{name}={value}" for name, value in self._settings.items()]
        return ["/usr/bin/env", "-i", *given, sys.executable, str(self._script)]

    def is_ready(self) -> bool:
        return True

    def left(self, name: str) -> bool:
        return (self.folder / name).exists()

    def wait(self, seconds: float = 20) -> int:
        """Its exit status, once it has ended."""
        assert self._process is not None
        return self._process.wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        self._running_process().send_signal(number)


_SERVICE = """\
import asyncio
from pathlib import Path
from tocsin_runtime import Host, ServiceSettings, run

class Small(ServiceSettings):
    SERVICE = "notifier"

def leave(name):
    Path(__file__).with_name(name).touch()

{source}

raise SystemExit(run(Small, build))
"""
