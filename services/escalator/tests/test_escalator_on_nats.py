"""The wired escalator against a real nats-server: on time, once, whatever is redelivered, killed or shared."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from escalator_playbooks import QUICK_TEXT
from escalator_world import ended, fired, person
from structlog.testing import capture_logs

from tocsin_escalator.adapters import index_file
from tocsin_escalator.app import build
from tocsin_escalator.settings import EscalatorSettings
from tocsin_runtime import Address, BusUnavailableError, Connection, Host
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_runtime.playbooks import push
from tocsin_runtime.topology import consumers_of
from tocsin_schemas import Command, Envelope, Event, RunbookOutcome, caused_by
from tocsin_schemas.commands import Acknowledge
from tocsin_schemas.events import AlertFired, AlertResolved, IncidentEscalated, IncidentOpened, RunbookFinished
from tocsin_schemas.ids import derive_id, group_key_digest, incident_id
from tocsin_schemas.subjects import alert_subject, command_subject, incident_subject
from tocsin_testkit.nats import NatsServer


def incident_of(service: str, number: int = 0) -> str:
    return incident_id(group_key_digest((("service", service),), "quick"), number)


INCIDENT = incident_of("checkout")
WHOLE_LIFE = (
    "IncidentOpened", "ResponderPaged", "DeadlineMissed", "IncidentEscalated", "ResponderPaged",
    "AlertCleared", "IncidentMonitoring", "IncidentResolved", "IncidentClosed",
)  # fmt: skip


class Bench:
    """A server, replicas of the escalator, and somebody who publishes and reads."""

    def __init__(self, server: NatsServer, connection: Connection) -> None:
        self.server, self.connection = server, connection
        self.log = IncidentLog(connection)
        self._hosts: list[Host[EscalatorSettings]] = []
        self._count = 0

    async def start(
        self, change: Callable[[Host[EscalatorSettings]], None] | None = None, **settings: Any
    ) -> Host[EscalatorSettings]:
        given = {"nats_url": self.server.url, "nats_monitor_url": self.server.monitor_url, "http_port": 0}
        host = Host(EscalatorSettings(**{**given, **settings}), build)
        if change is not None:
            change(host)
        await host.start()
        self._hosts.append(host)
        return host

    async def stop(self, *hosts: Host[EscalatorSettings]) -> None:
        for host in hosts or tuple(self._hosts):
            self._hosts.remove(host)
            await host.stop()

    # --- what others say ----------------------------------------------------------------------------------------------

    def envelope(self, data: Any, incident: str = "") -> Envelope[Any]:
        self._count += 1
        return caused_by(derive_id("test", self._count), 0, "test", incident, datetime.now(UTC), data)

    async def alert(self, alert: AlertFired | AlertResolved) -> None:
        await self.connection.publish(alert_subject(alert.rule), self.envelope(alert))

    async def command(self, command: Command) -> None:
        await self.connection.publish(command_subject(type(command)), self.envelope(command))

    async def outcome(self, event: Event, incident: str = INCIDENT) -> None:
        await self.connection.publish(incident_subject(incident, type(event)), self.envelope(event, incident))

    # --- what the log and the server say ------------------------------------------------------------------------------

    async def said(self, incident: str = INCIDENT) -> list[str]:
        return [type(envelope.data).__name__ for envelope in await self.log.load(incident)]

    async def wait_for(self, *names: str, incident: str = INCIDENT, within: float = 8.0) -> list[Envelope[Event]]:
        """Until the log holds all of these, in this order with others between them."""
        ends = time.monotonic() + within
        while True:
            said = iter(await self.said(incident))
            if all(name in said for name in names):
                return await self.log.load(incident)
            if time.monotonic() > ends:
                raise AssertionError(f"waited for {names}; the log says {await self.said(incident)}")
            await asyncio.sleep(0.02)

    async def wait_until_all_is_handled(self, within: float = 8.0) -> None:
        ends = time.monotonic() + within
        while left := [spec.name for spec in consumers_of("escalator") if await self._pending(spec.stream, spec.name)]:
            if time.monotonic() > ends:
                raise AssertionError(f"{left} still have something to handle")
            await asyncio.sleep(0.02)

    async def _pending(self, stream: str, consumer: str) -> int:
        info = await self.connection.request(f"$JS.API.CONSUMER.INFO.{stream}.{consumer}")
        return int(info["num_pending"]) + int(info["num_ack_pending"])

    async def dead_letters(self) -> int:
        info = await self.connection.request("$JS.API.STREAM.INFO.DEADLETTERS")
        return int(info["state"]["messages"])

    async def deliver_everything_again(self) -> None:
        """Delete the consumers: whoever starts next is given all inputs from the first on."""
        for spec in consumers_of("escalator"):
            answer = await self.connection.request(f"$JS.API.CONSUMER.DELETE.{spec.stream}.{spec.name}")
            assert answer["success"], json.dumps(answer)


@pytest.fixture
async def bench(nats_server: NatsServer) -> AsyncIterator[Bench]:
    connection = Connection(Address(nats_server.url), "test")
    await connection.open()
    await ensure_streams(connection)
    made = Bench(nats_server, connection)
    try:
        yield made
    finally:
        await made.stop()
        await connection.close()


@pytest.fixture
async def quick(bench: Bench) -> Bench:
    await push(bench.connection, QUICK_TEXT, source="quick.yaml")
    return bench


def alert(severity: str = "P0", episode: str = "e1", **labels: str) -> AlertFired:
    return fired(severity=severity, episode=episode, at=datetime.now(UTC), **labels)


async def live_a_whole_life(bench: Bench) -> list[Envelope[Event]]:
    one = alert()
    await bench.alert(one)
    await bench.wait_for("IncidentOpened", "DeadlineMissed", "IncidentEscalated")
    await bench.alert(ended(one, datetime.now(UTC)))
    return await bench.wait_for(*WHOLE_LIFE)


async def test_an_alert_leads_through_a_whole_incident_and_every_deadline_is_kept(quick: Bench) -> None:
    await quick.start()
    log = await live_a_whole_life(quick)
    opened = log[0].time
    escalated = next(envelope.time for envelope in log if isinstance(envelope.data, IncidentEscalated))
    assert timedelta(milliseconds=400) <= escalated - opened < timedelta(milliseconds=1400)  # never early
    assert [envelope.sequence for envelope in log] == list(range(1, len(log) + 1))
    assert {envelope.source for envelope in log} == {"tocsin/escalator"}


async def test_all_inputs_delivered_again_change_nothing(quick: Bench) -> None:
    await quick.start()
    before = await live_a_whole_life(quick)
    await quick.wait_until_all_is_handled()
    await quick.stop()
    await quick.deliver_everything_again()
    await quick.start()
    await quick.wait_until_all_is_handled()
    assert await quick.log.load(INCIDENT) == before
    assert await quick.said(incident_of("checkout", 1)) == []


async def test_two_replicas_share_the_work_and_open_each_incident_once(quick: Bench) -> None:
    await asyncio.gather(quick.start(), quick.start())
    services = [f"s{number}" for number in range(30)]
    alerts = [alert("P1", service=service, pod=str(pod)) for pod in range(4) for service in services]
    await asyncio.gather(*(quick.alert(one) for one in alerts))
    await quick.wait_until_all_is_handled()
    for service in services:
        said = await quick.said(incident_of(service))
        assert (said.count("IncidentOpened"), said.count("AlertGrouped"), said.count("ResponderPaged")) == (1, 4, 1)
    assert await quick.dead_letters() == 0


async def test_a_replica_that_stops_leaves_its_deadlines_to_the_other(quick: Bench) -> None:
    first = await quick.start()
    await quick.start()
    await quick.alert(alert())
    await quick.wait_for("ResponderPaged")
    await quick.stop(first)
    log = await quick.wait_for("IncidentEscalated")
    assert sum(isinstance(envelope.data, IncidentEscalated) for envelope in log) == 1


async def test_a_crash_between_the_log_and_the_alarm_clocks_loses_no_deadline(quick: Bench) -> None:
    failures = 0

    def broken_clocks(host: Host[EscalatorSettings]) -> None:
        arm = host.timers.arm

        async def arm_at_second_try(incident: str, deadline: str, due_at: datetime) -> None:
            nonlocal failures
            if failures < 3:
                failures += 1
                raise BusUnavailableError("the connection broke")
            await arm(incident, deadline, due_at)

        host.timers.arm = arm_at_second_try  # type: ignore[method-assign]  # where the crash is

    await quick.start(broken_clocks)
    await quick.alert(alert())
    log = await quick.wait_for("IncidentOpened", "IncidentEscalated")
    assert failures == 3
    assert sum(isinstance(envelope.data, IncidentOpened) for envelope in log) == 1
    assert sum(isinstance(envelope.data, IncidentEscalated) for envelope in log) == 1


async def test_a_replica_that_is_killed_in_the_middle_is_taken_over_from(quick: Bench) -> None:
    reached = asyncio.Event()

    def stuck_clocks(host: Host[EscalatorSettings]) -> None:
        async def never(incident: str, deadline: str, due_at: datetime) -> None:
            reached.set()
            await asyncio.Event().wait()

        host.timers.arm = never  # type: ignore[method-assign]  # where it is killed

    victim = await quick.start(stuck_clocks, drain_seconds=0.01)
    await quick.alert(alert("P0"))
    await asyncio.wait_for(reached.wait(), 5)
    before = await quick.said()
    assert before[0] == "IncidentOpened"
    await quick.stop(victim)  # its handler is cancelled: the alert was never acknowledged
    await quick.start()
    await quick.wait_for("IncidentEscalated", within=15)
    assert (await quick.said())[: len(before)] == before


async def test_the_audit_finds_a_deadline_whose_clock_was_lost(quick: Bench) -> None:
    def no_clocks(host: Host[EscalatorSettings]) -> None:
        async def lost(incident: str, deadline: str, due_at: datetime) -> None:
            return

        host.timers.arm = lost  # type: ignore[method-assign]  # the alarm clocks that never ring

    await quick.start(no_clocks, audit_seconds=0.3)
    await quick.alert(alert())
    log = await quick.wait_for("IncidentOpened", "IncidentEscalated")
    assert sum(isinstance(envelope.data, IncidentEscalated) for envelope in log) == 1


async def test_incidents_go_on_after_the_server_was_killed(quick: Bench) -> None:
    await quick.start()
    await quick.alert(alert())
    await quick.wait_for("ResponderPaged")
    quick.server.kill()
    await asyncio.to_thread(quick.server.start)
    await quick.wait_for("IncidentEscalated", within=20)
    assert (await quick.said()).count("IncidentEscalated") == 1


async def test_commands_and_outcomes_reach_their_incident(quick: Bench) -> None:
    await quick.start()
    await quick.alert(alert("P1"))
    await quick.wait_for("ResponderPaged")
    await quick.outcome(RunbookFinished(runbook="r", outcome=RunbookOutcome.EXHAUSTED))
    await quick.wait_for("IncidentEscalated")
    await quick.command(Acknowledge(incident=INCIDENT, by=person("ada")))
    await quick.wait_for("IncidentAcknowledged")
    await quick.wait_until_all_is_handled()
    assert (await quick.said()).count("ResponderPaged") == 2


async def test_without_a_playbook_it_is_not_ready_and_the_alert_waits_for_one(bench: Bench) -> None:
    host = await bench.start()
    assert host.problems() == {"playbook": "no playbook has been published"}
    await bench.alert(alert())
    await asyncio.sleep(0.2)
    await push(bench.connection, QUICK_TEXT, source="quick.yaml")
    await bench.wait_for("IncidentOpened")
    assert host.problems() == {}


async def test_an_end_that_is_published_before_its_beginning_ends_it(quick: Bench) -> None:
    await quick.start()
    one = alert("P1")
    await quick.alert(ended(one, datetime.now(UTC)))
    await asyncio.sleep(0.1)
    await quick.alert(one)
    await quick.wait_for("IncidentOpened", "AlertCleared", "IncidentMonitoring", "IncidentResolved")


async def test_a_replica_that_comes_up_reads_what_came_after_the_index_that_was_kept(
    quick: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_file, "_WORTH_KEEPING", 1)
    monkeypatch.setattr(index_file, "_LOOK_EVERY", 0.05)
    host = await quick.start(index_folder=tmp_path / "index")
    await quick.alert(alert())
    await quick.wait_for("IncidentOpened", "ResponderPaged", "IncidentEscalated")
    while not (tmp_path / "index" / "escalator.index").exists():
        await asyncio.sleep(0.02)
    await quick.stop(host)
    with capture_logs() as said:
        await quick.start(index_folder=tmp_path / "index")
    (taken_up,) = (each for each in said if each["event"] == "the index is taken up")
    assert taken_up["incidents"] == 1
    assert taken_up["after"] > 0
    await quick.alert(ended(alert(), datetime.now(UTC)))
    await quick.wait_for("AlertCleared", "IncidentMonitoring")
