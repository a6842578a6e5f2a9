"""The whole of Tocsin as real processes: nats-server with its identities and five services, each to be killed.

Every process keeps its ports over a restart. Used by the integration and chaos tests.
"""

import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import httpx

from tocsin_runtime import Address, Connection
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.identities import IDENTITIES, users
from tocsin_runtime.playbooks import push
from tocsin_schemas import PlaybookRef
from tocsin_testkit.nats import NatsServer
from tocsin_testkit.processes import ServerProcess
from tocsin_testkit.receivers.slack import SlackDouble
from tocsin_testkit.receivers.smtp import SmtpSink
from tocsin_testkit.valkey import ValkeyServer

SERVICES = ("detector", "escalator", "remediator", "notifier", "recorder")
SLACK_TOKEN = "xoxb-test"


class Service(ServerProcess):
    """One service as one process, ready when `/readyz` says so."""

    def __init__(self, folder: Path, service: str, environment: Mapping[str, str]) -> None:
        super().__init__(folder, start_timeout=timedelta(seconds=40), grace=timedelta(seconds=15))
        self.name = folder.name
        self.service = service
        self._environment = environment

    def command(self) -> Sequence[str]:
        given = {**self._environment, "TOCSIN_HTTP_PORT": str(self.port)}
        return [
            *("/usr/bin/env", *(f"{name}={value}" for name, value in given.items())),
            *(sys.executable, "-m", "tocsin", "run", self.service),
        ]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=1, trust_env=False).is_success
        except httpx.HTTPError:
            return False


class System:
    """Everything, started and stopped together; any part can be killed."""

    def __init__(self, folder: Path, *, replicas: int = 1) -> None:
        self.folder = folder
        self._passwords = {name: secrets.token_urlsafe(12) for name in IDENTITIES}
        self.nats = NatsServer(folder / "nats", users=users(self._passwords))
        self.valkey = ValkeyServer(folder / "valkey")
        self.slack = SlackDouble(token=SLACK_TOKEN)
        self.mail = SmtpSink()
        self._replicas = replicas
        self.services: dict[str, Service] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "System":
        for part in (self.nats, self.valkey, self.slack, self.mail):
            self._stack.enter_context(part)
        for service in SERVICES:
            for replica in range(self._replicas):
                name = service if self._replicas == 1 else f"{service}-{replica}"
                process = Service(self.folder / name, service, self._settings(service, name))
                self.services[name] = process
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.services.values():
            process.stop()
        self._stack.close()

    def start_services(self) -> None:
        for process in self.services.values():
            process.start()

    python = sys.executable

    def password(self, identity: str) -> str:
        return self._passwords[identity]

    @property
    def victims(self) -> list[ServerProcess]:
        """What may be killed."""
        return [self.nats, *self.services.values()]

    def first(self, service: str) -> Service:
        return next(process for process in self.services.values() if process.service == service)

    async def connect(self, identity: str = "operator") -> Connection:
        connection = Connection(Address(self.nats.url, identity, self._passwords[identity]), identity)
        await connection.open()
        return connection

    async def push(self, playbook: str) -> PlaybookRef:
        connection = await self.connect()
        try:
            await ensure_streams(connection)
            ref, _ = await push(connection, playbook, source="playbook.yaml")
        finally:
            await connection.close()
        return ref

    def _settings(self, service: str, name: str) -> dict[str, str]:
        return {
            "TOCSIN_NATS_URL": self.nats.url,
            "TOCSIN_NATS_USER": service,
            "TOCSIN_NATS_PASSWORD": self._passwords[service],
            "TOCSIN_NATS_MONITOR_URL": self.nats.monitor_url,
            "TOCSIN_REDIS_URL": self.valkey.url,
            "TOCSIN_DATABASE_URL": f"sqlite+aiosqlite:///{self.folder / name / 'timeline.db'}",
            "TOCSIN_SLACK_TOKEN": SLACK_TOKEN,
            "TOCSIN_LOG_LEVEL": "info",
            "TOCSIN_MAX_ACTIONS_PER_TARGET": "1000",  # every round acts on the same target
        }
