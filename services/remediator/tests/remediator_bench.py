"""A real nats-server, a playbook for a real target, and somebody who plays the escalator and the operator."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from remediator_target import Target
from remediator_world import ADA, playbook_text

from tocsin_remediator.app import build
from tocsin_remediator.settings import RemediatorSettings
from tocsin_runtime import Address, Connection, Host
from tocsin_runtime.bus.log import Append, IncidentLog
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.playbooks import push
from tocsin_schemas import Command, Envelope, Event, Labels, PlaybookRef, caused_by
from tocsin_schemas.commands import RunAction
from tocsin_schemas.events import IncidentOpened, IncidentResolved
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import command_subject, service_log_filter
from tocsin_testkit.nats import NatsServer

RESOLVED = IncidentResolved(by=ADA)


def runbook(target: Target, *, extra: str = "", timeout: str = "1s", within: str = "1s", approval: str = "{}") -> str:
    """Two steps: the first clears a cache, the second fails over; `extra` goes into both requests."""
    verify = f'verify: {{http: {{url: "{target.url}/health"}}, within: {within}, every: 50ms}}'
    return f"""
    - name: failing
      when: "true"
      steps:
        - name: clear-cache
          http: {{url: "{target.url}/clear"{extra}}}
          timeout: {timeout}
          approval: {approval}
          {verify}
          on_failure: failover
        - name: failover
          http: {{url: "{target.url}/failover"{extra}}}
          timeout: {timeout}
          {verify}
"""


def probe_of(target: Target) -> str:
    return f', probe: {{url: "{target.url}/executions/{{execution_id}}"}}'


@dataclass
class Bench:
    server: NatsServer
    connection: Connection
    log: IncidentLog
    ref: PlaybookRef | None = None
    hosts: list[Host[RemediatorSettings]] = field(default_factory=list)

    @classmethod
    async def on(cls, server: NatsServer) -> "Bench":
        connection = Connection(Address(server.url), "test")
        await connection.open()
        await ensure_streams(connection)
        return cls(server, connection, IncidentLog(connection))

    async def close(self) -> None:
        for host in tuple(self.hosts):
            await self.stop(host)
        await self.connection.close()

    # --- services -----------------------------------------------------------------------------------------------------

    def settings(self, **settings: Any) -> dict[str, Any]:
        given = {
            "nats_url": self.server.url,
            "nats_monitor_url": self.server.monitor_url,
            "http_port": 0,
            "claim_valid": 0.5,
            "drain_seconds": 0.5,
        }
        return {**given, **settings}

    async def start(self, **settings: Any) -> Host[RemediatorSettings]:
        host = Host(RemediatorSettings(**self.settings(**settings)), build)
        self.hosts.append(host)
        await host.start()
        return host

    async def stop(self, host: Host[RemediatorSettings]) -> None:
        self.hosts.remove(host)
        await host.stop()

    # --- what is said -------------------------------------------------------------------------------------------------

    async def push(self, runbooks: str, **more: str) -> None:
        self.ref, _ = await push(self.connection, playbook_text(runbooks, **more), source="test")

    async def open(self, incident: str = "inc1", severity: str = "P1") -> Envelope[Event]:
        assert self.ref is not None
        opened = IncidentOpened(
            group_key="g",
            episode=0,
            title="checkout fails",
            severity=severity,
            labels=Labels(service="checkout"),
            playbook=self.ref,
            started_at=datetime.now(UTC),
        )
        return await self.tell(opened, incident)

    async def tell(self, event: Event, incident: str = "inc1") -> Envelope[Event]:
        """The escalator states this."""
        known = await self.log.load(incident)
        cause = derive_id("test", incident, type(event).__name__, len(known))
        envelope = caused_by(cause, 0, "escalator", incident, datetime.now(UTC), event)
        own = max((each.sequence for each in known if each.data.OWNER == "escalator"), default=0)
        stored = await self.log.append([Append(incident, (envelope,), own, service_log_filter(incident, "escalator"))])
        return stored[0][0]

    async def ask(self, command: Command, name: str = "command") -> str:
        """An operator asks for this."""
        envelope = caused_by(derive_id("ask", name), 0, "operator", "", datetime.now(UTC), command)
        await self.connection.publish(command_subject(type(command)), envelope)
        return envelope.id

    async def run_by_hand(self, step: str, *, runbook: str = "failing", incident: str = "inc1") -> str:
        return await self.ask(RunAction(incident=incident, by=ADA, runbook=runbook, step=step), f"run {step}")

    # --- what is seen -------------------------------------------------------------------------------------------------

    async def said(self, incident: str = "inc1") -> list[Any]:
        """What the remediator has stated of the incident."""
        return [event.data for event in await self.log.load(incident) if event.data.OWNER == "remediator"]

    async def names(self, incident: str = "inc1") -> list[str]:
        return [type(event).__name__ for event in await self.said(incident)]

    async def wait_for(self, name: str, incident: str = "inc1", *, within: float = 15.0, times: int = 1) -> Any:
        """Until this has been stated; the answer is the last such event."""
        ends = time.monotonic() + within
        while True:
            said = await self.said(incident)
            found = [event for event in said if type(event).__name__ == name]
            if len(found) >= times:
                return found[-1]
            if time.monotonic() > ends:
                raise AssertionError(f"waited for {name}; the log says {[type(event).__name__ for event in said]}")
            await asyncio.sleep(0.02)
