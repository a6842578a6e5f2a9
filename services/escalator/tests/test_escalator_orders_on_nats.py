"""Silences and overrides with the wired escalator on a real nats-server: once, with two replicas and after kills."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from escalator_world import person
from test_escalator_on_nats import INCIDENT, Bench, alert, bench, incident_of, quick

from tocsin_escalator.orders import OrderHandlers
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.orders import Orders
from tocsin_runtime.playbooks import push
from tocsin_schemas import Command, Event
from tocsin_schemas.commands import LiftSilence, OverrideOnCall, Silence
from tocsin_schemas.events import IncidentMuted, IncidentUnmuted, OverrideSet, ResponderPaged, SilenceLifted, SilenceSet

__all__ = ["bench", "quick"]  # fixtures

ADA = person("ada")


def silence(*match: str) -> Silence:
    until = datetime.now(UTC) + timedelta(hours=1)
    return Silence(match=match or ('service="checkout"',), until=until, because="an upgrade", by=ADA)


async def ordered(bench: Bench, count: int) -> list[Event]:
    """All orders, once there are so many."""

    def follower(*given: object) -> Follower:
        return Follower(bench.connection, *given, service="test")  # type: ignore[arg-type]  # as `Orders` gives them

    orders = Orders(follower)
    await orders.start()
    try:
        async with asyncio.timeout(8):
            while len(orders.history()) < count:
                await asyncio.sleep(0.02)
        return [each.data for each in orders.history()]
    finally:
        await orders.stop()


async def order(bench: Bench, command: Command) -> Event:
    """Give the next order; the answer."""
    before = await bench.connection.last_sequence("ORDERS")
    await bench.command(command)
    return (await ordered(bench, before + 1))[-1]


async def test_under_a_silence_nobody_is_paged_and_when_it_is_lifted_somebody_is_at_once(quick: Bench) -> None:
    await quick.start()
    set_ = await order(quick, silence())
    assert isinstance(set_, SilenceSet)
    await quick.alert(alert("P1"))
    await quick.wait_for("IncidentMuted")
    await quick.wait_until_all_is_handled()
    assert "ResponderPaged" not in await quick.said()
    assert isinstance(await order(quick, LiftSilence(silence=set_.silence, by=ADA)), SilenceLifted)
    await quick.wait_for("IncidentUnmuted", "ResponderPaged")


async def test_a_silence_stops_an_escalation_that_is_under_way(quick: Bench) -> None:
    await quick.start()
    await quick.alert(alert("P1"))
    await quick.wait_for("ResponderPaged")
    await order(quick, silence())
    log = await quick.wait_for("ResponderPaged", "IncidentMuted")
    assert isinstance(log[-2].data, IncidentMuted)


async def test_two_replicas_carry_out_each_order_once(quick: Bench) -> None:
    await asyncio.gather(quick.start(), quick.start())
    services = [f"s{number}" for number in range(12)]
    await asyncio.gather(*(quick.alert(alert("P1", service=service)) for service in services))
    await quick.wait_until_all_is_handled()
    await asyncio.gather(*(quick.command(silence(f'service="{service}"')) for service in services))
    said = await ordered(quick, len(services))
    assert [type(each) for each in said] == [SilenceSet] * len(services)
    assert len({each.silence for each in said if isinstance(each, SilenceSet)}) == len(services)
    for service in services:
        await quick.wait_for("IncidentMuted", incident=incident_of(service))
    await quick.wait_until_all_is_handled()
    for service in services:
        assert (await quick.said(incident_of(service))).count("IncidentMuted") == 1
    assert await quick.dead_letters() == 0


async def test_a_replica_that_is_killed_between_the_answer_and_the_mutes_is_taken_over_from(
    quick: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def never(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    victim = await quick.start(drain_seconds=0.01)
    await quick.alert(alert("P1"))
    await quick.wait_for("ResponderPaged")
    with monkeypatch.context() as stuck:
        stuck.setattr(OrderHandlers, "_look_again", never)
        await quick.command(silence())
        await asyncio.wait_for(reached.wait(), 5)
        await quick.stop(victim)  # its handler is cancelled: the command was never acknowledged
    assert "IncidentMuted" not in await quick.said()
    await quick.start()
    await quick.wait_for("IncidentMuted", within=15)
    assert [type(each) for each in await ordered(quick, 1)] == [SilenceSet]


async def test_a_replica_that_comes_up_knows_the_orders_that_stand(quick: Bench) -> None:
    first = await quick.start()
    until = datetime.now(UTC) + timedelta(hours=1)
    playbook = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: quick}
severities: [{name: P1}]
group: {by: [service]}
oncall:
  people:
    - {name: ada, access: commander, contacts: [{channel: terminal, address: ada}]}
    - {name: bob, contacts: [{channel: terminal, address: bob}]}
  schedules: [{name: primary, layers: [{people: [ada], starts: 2026-01-01}]}]
communicate: {channels: [{name: terminal, console: {}}]}
escalate: [{severities: [P1], levels: [{after: 0s, notify: ["schedule:primary"]}]}]
"""
    await push(quick.connection, playbook, source="quick.yaml")
    assert isinstance(
        await order(quick, OverrideOnCall(schedule="primary", person="bob", until=until, by=ADA)), OverrideSet
    )
    await quick.stop(first)
    await quick.start()
    await quick.alert(alert("P1"))
    log = await quick.wait_for("ResponderPaged")
    assert [each.data.target for each in log if isinstance(each.data, ResponderPaged)] == ["person:bob"]


async def test_the_audit_mutes_when_a_silence_begins_later(quick: Bench) -> None:
    await quick.start(audit_seconds=0.2)
    await quick.alert(alert("P1"))
    await quick.wait_for("ResponderPaged")
    now = datetime.now(UTC)
    later = silence().model_copy(update={"begins_at": now + timedelta(seconds=0.6)})
    await order(quick, later)
    log = await quick.wait_for("IncidentMuted")
    muted = next(each for each in log if isinstance(each.data, IncidentMuted))
    assert muted.time >= now + timedelta(seconds=0.6)
    await quick.wait_until_all_is_handled()
    assert not [each for each in await quick.log.load(INCIDENT) if isinstance(each.data, IncidentUnmuted)]
