"""nats-server and single services as processes of their own, and what processor time they have used."""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import psutil

from tocsin_runtime import Address, Connection
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.playbooks import push
from tocsin_schemas import PlaybookRef
from tocsin_testkit.nats import NatsServer
from tocsin_testkit.processes import ServerProcess


class Service(ServerProcess):
    """One service as one process, ready when `/readyz` says so."""

    def __init__(self, folder: Path, service: str, environment: Mapping[str, str]) -> None:
        super().__init__(folder, start_timeout=timedelta(minutes=5), grace=timedelta(seconds=15))
        self.name = folder.name
        self._service = service
        self._environment = environment

    def command(self) -> Sequence[str]:
        given = {**self._environment, "TOCSIN_HTTP_PORT": str(self.port)}
        return [
            *("/usr/bin/env", *(f"{name}={value}" for name, value in given.items())),
            *(sys.executable, "-m", f"tocsin_{self._service}"),
        ]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=1, trust_env=False).is_success
        except httpx.HTTPError:
            return False


class Stage:
    """nats-server, and a connection of ours to it; services are added by name."""

    def __init__(self, folder: Path, *, synced: bool = True) -> None:
        """Without `synced`, no service starts: that is for writing quickly what is to be there."""
        self.folder = folder
        self.nats = NatsServer(folder / "nats", sync_always=synced, start_timeout=timedelta(minutes=2))
        self.services: list[Service] = []
        self._stack = ExitStack()

    def __enter__(self) -> "Stage":
        self._stack.enter_context(self.nats)
        return self

    def __exit__(self, *_: object) -> None:
        for service in self.services:
            service.stop()
        self._stack.close()

    def add(self, service: str, number: int = 0) -> Service:
        """Start one more process of this service; it is ready when this returns."""
        environment = {
            "TOCSIN_NATS_URL": self.nats.url,
            "TOCSIN_NATS_MONITOR_URL": self.nats.monitor_url,
            "TOCSIN_LOG_LEVEL": "warning",
            "TOCSIN_ESCALATOR_INDEX_FOLDER": str(self.folder / "kept"),
        }
        added = Service(self.folder / f"{service}-{number}", service, environment)
        self.services.append(added)
        added.start()
        return added

    @property
    def processes(self) -> tuple[ServerProcess, ...]:
        return (self.nats, *self.services)

    async def connect(self) -> Connection:
        """A connection that may do everything; the streams exist after it."""
        connection = Connection(Address(self.nats.url), "bench")
        await connection.open()
        await ensure_streams(connection)
        return connection

    def push(self, playbook: str) -> PlaybookRef:
        async def once() -> PlaybookRef:
            connection = await self.connect()
            try:
                ref, _ = await push(connection, playbook, source="bench.yaml")
            finally:
                await connection.close()
            return ref

        return asyncio.run(once())


class Count:
    """How many messages of the log have this event, asked of the server: nothing is read."""

    def __init__(self, connection: Connection, slug: str) -> None:
        self._connection = connection
        self._name = f"bench-{slug}"
        self._filter = f"tocsin.incidents.*.escalator.{slug}"

    async def begin(self) -> None:
        config = {
            "name": self._name,
            "deliver_policy": "all",
            "ack_policy": "none",
            "filter_subject": self._filter,
            "mem_storage": True,
            "inactive_threshold": 3_600_000_000_000,
        }
        body = {"stream_name": "INCIDENTS", "config": config}
        answer = await self._connection.request(
            f"$JS.API.CONSUMER.CREATE.INCIDENTS.{self._name}.{self._filter}", _json(body), timeout=60
        )
        if "error" in answer:
            raise RuntimeError(answer["error"])

    async def now(self) -> int:
        answer = await self._connection.request(f"$JS.API.CONSUMER.INFO.INCIDENTS.{self._name}", timeout=60)
        return int(answer["num_pending"])

    async def by_incident(self) -> dict[str, int]:
        """By incident, up to 100,000 of them."""
        answer = await self._connection.request(
            "$JS.API.STREAM.INFO.INCIDENTS", _json({"subjects_filter": self._filter}), timeout=60
        )
        subjects: dict[str, int] = answer["state"].get("subjects") or {}
        return {subject.split(".")[2]: number for subject, number in subjects.items()}


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


def processor_seconds(processes: Iterable[ServerProcess]) -> float:
    """What these have used since they started."""
    times = [psutil.Process(process.pid).cpu_times() for process in processes]
    return float(sum(time.user + time.system for time in times))


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
