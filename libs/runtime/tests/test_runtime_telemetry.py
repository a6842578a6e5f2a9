"""Traces and metrics: the incident is the trace, and no id makes a series of its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_trace_id
from prometheus_client import REGISTRY
from runtime_builders import note

from tocsin_runtime import Address, Connection, Delivery
from tocsin_runtime.bus.consume import Consumer
from tocsin_runtime.telemetry import Telemetry, subject_template
from tocsin_runtime.topology import CONSUMERS, ConsumerSpec
from tocsin_schemas import Payload
from tocsin_schemas.commands import Acknowledge
from tocsin_schemas.ids import trace_id
from tocsin_schemas.subjects import (
    alert_subject,
    command_subject,
    deadletter_subject,
    incident_subject,
    metrics_subject,
    playbook_subject,
    timer_at_subject,
    timer_due_subject,
)
from tocsin_testkit.nats import NatsServer
from tocsin_testkit.ports import free_port

ONE_BY_ONE = next(spec for spec in CONSUMERS if spec.name == "notifier-incidents")
BATCHED = replace(ONE_BY_ONE, name="test-batched", workers=0, batch=100)
TEMPLATE = "tocsin.incidents.{incident}.escalator.note_added"


def subject(incident: str) -> str:
    return incident_subject(incident, type(note("x").data))


@asynccontextmanager
async def consuming(server: NatsServer, telemetry: Telemetry, spec: ConsumerSpec) -> AsyncIterator[Connection]:
    """A consumer that handles everything at once, traced."""

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        if any(getattr(delivery.envelope.data, "text", "") == "bug" for delivery in batch):
            raise RuntimeError("bug")

    connection = Connection(Address(server.url), "traced", middlewares=telemetry.middlewares)
    await connection.open()
    consumer = Consumer(connection, spec, handle)
    await consumer.start()
    try:
        yield connection
    finally:
        await consumer.stop()
        await connection.close()


async def until_handled(connection: Connection, spec: ConsumerSpec, floor: int) -> None:
    async with asyncio.timeout(20):
        while True:
            info = await connection.request(f"$JS.API.CONSUMER.INFO.{spec.stream}.{spec.name}")
            if info["ack_floor"]["stream_seq"] >= floor:
                return
            await asyncio.sleep(0.02)


def text_of(span: ReadableSpan) -> str:
    return f"{span.name} {dict(span.attributes or {})}"


async def spans_of(nats_server: NatsServer, connection: Connection, spec: ConsumerSpec) -> list[ReadableSpan]:
    for cause in ("a", "b"):
        await connection.publish(subject("k3v7q2m5x2ab"), note(cause, incident="k3v7q2m5x2ab"))
    await connection.publish(subject("inc2"), note("c", incident="inc2"))
    exporter = InMemorySpanExporter()
    telemetry = Telemetry("notifier", None, exporter=exporter)
    async with consuming(nats_server, telemetry, spec) as traced:
        await until_handled(traced, spec, 3)
    telemetry.close()
    return list(exporter.get_finished_spans())


@pytest.mark.parametrize("spec", [ONE_BY_ONE, BATCHED], ids=["one by one", "batched"])
async def test_a_handled_message_is_linked_to_the_trace_of_its_incident(
    connection: Connection, nats_server: NatsServer, spec: ConsumerSpec
) -> None:
    spans = await spans_of(nats_server, connection, spec)
    linked = {format_trace_id(link.context.trace_id) for span in spans for link in span.links}
    own = {format_trace_id(span.context.trace_id) for span in spans if span.context}
    assert {trace_id("k3v7q2m5x2ab"), trace_id("inc2")} <= linked | own


async def test_no_id_is_in_a_spans_name_or_destination(connection: Connection, nats_server: NatsServer) -> None:
    spans = await spans_of(nats_server, connection, ONE_BY_ONE)
    assert spans
    for span in spans:
        assert TEMPLATE in span.name
        assert "k3v7q2m5x2ab" not in text_of(span)
        assert span.resource.attributes["service.name"] == "tocsin-notifier"
    assert {span.kind for span in spans} <= {SpanKind.CONSUMER, SpanKind.INTERNAL}


async def test_a_handler_that_fails_is_seen_in_its_span(connection: Connection, nats_server: NatsServer) -> None:
    exporter = InMemorySpanExporter()
    telemetry = Telemetry("notifier", None, exporter=exporter)
    await connection.publish(subject("inc1"), note("a", "bug"))
    async with consuming(nats_server, telemetry, replace(ONE_BY_ONE, max_failures=1)) as traced:
        await until_handled(traced, ONE_BY_ONE, 1)
    telemetry.close()
    assert any(not span.status.is_ok for span in exporter.get_finished_spans())


async def test_without_an_endpoint_nothing_is_made() -> None:
    telemetry = Telemetry("notifier", None)
    assert telemetry.middlewares == ()
    telemetry.close()


async def test_an_endpoint_that_nobody_listens_on_hinders_nothing(
    connection: Connection, nats_server: NatsServer
) -> None:
    telemetry = Telemetry("notifier", f"http://127.0.0.1:{free_port()}/")
    assert telemetry.middlewares
    await connection.publish(subject("inc1"), note("a"))
    async with consuming(nats_server, telemetry, ONE_BY_ONE) as traced:
        await until_handled(traced, ONE_BY_ONE, 1)
    async with asyncio.timeout(8):  # less than the ten seconds after which a container is killed
        await asyncio.to_thread(telemetry.close)


async def test_what_was_handled_is_counted(connection: Connection, nats_server: NatsServer) -> None:
    def handled() -> float:
        return REGISTRY.get_sample_value("tocsin_messages_handled_total", {"consumer": BATCHED.name}) or 0.0

    before = handled()
    for cause in "abc":
        await connection.publish(subject("inc1"), note(cause))
    async with consuming(nats_server, Telemetry("notifier", None), BATCHED) as counted:
        await until_handled(counted, BATCHED, 3)
    assert handled() - before == 3


@pytest.mark.parametrize(
    ("full", "template"),
    [
        (subject("inc1"), TEMPLATE),
        (alert_subject("CheckoutErrors"), "tocsin.alerts.{shard}"),
        (timer_at_subject("escalator", "inc1", "ack"), "tocsin.timers.at.escalator.{deadline}"),
        (timer_due_subject("escalator", "inc1", "ack"), "tocsin.timers.due.escalator.{deadline}"),
        (metrics_subject("shop"), "tocsin.metrics.{name}"),
        (playbook_subject("shop"), "tocsin.playbooks.{name}"),
        (deadletter_subject("escalator"), "tocsin.deadletters.escalator"),
        ("_INBOX.abc.def", "{other}"),
        ("", "{other}"),
    ],
)
def test_a_template_has_no_ids(full: str, template: str) -> None:
    assert subject_template(full) == template


def test_commands_are_their_own_template() -> None:
    assert subject_template(command_subject(Acknowledge)) == "tocsin.commands.escalator.acknowledge"
