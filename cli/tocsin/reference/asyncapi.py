"""The AsyncAPI document, by FastStream, from the tables of events, commands and consumers."""

import json
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from faststream.nats import JStream, NatsBroker, PullSub
from faststream.specification import AsyncAPI

from tocsin_runtime.topology import CONSUMERS, ConsumerSpec
from tocsin_schemas import ALERT_EVENTS, COMMANDS, INCIDENT_EVENTS, Payload, TimerDue
from tocsin_schemas.payload import Command
from tocsin_schemas.subjects import command_subject

__all__ = ["asyncapi_document"]

_DESCRIPTION = "Incident response you can test: what five services say to one another over NATS JetStream."


def asyncapi_document() -> dict[str, Any]:
    """AsyncAPI 3.0 as a JSON document."""
    broker = NatsBroker(logger=None)
    for event in ALERT_EVENTS:
        _publishes(broker, "tocsin.alerts.{shard}", event, f"detector.{event.__name__}")
    for fact in INCIDENT_EVENTS:
        subject = f"tocsin.incidents.{{incident}}.{fact.OWNER}.{fact.SLUG}"
        _publishes(broker, subject, fact, f"{fact.OWNER}.{fact.__name__}")
    for command in COMMANDS.values():
        _publishes(broker, command_subject(command), command, f"operator.{command.__name__}")
    for spec in CONSUMERS:
        _consumes(broker, spec)
    specification = AsyncAPI(
        broker, title="Tocsin", version="1", description=_DESCRIPTION, schema_version="3.0.0"
    ).to_specification()
    document: dict[str, Any] = json.loads(specification.to_json())
    return document


def _publishes(broker: NatsBroker, subject: str, model: type[Payload], title: str) -> None:
    broker.publisher(subject, schema=model, title=title, description=(model.__doc__ or "").strip())


def _consumes(broker: NatsBroker, spec: ConsumerSpec) -> None:
    async def handler(message: Any) -> None: ...

    handler.__annotations__["message"] = reduce(or_, _inputs(spec))
    broker.subscriber(
        spec.filters[0],
        stream=JStream(spec.stream, declare=False),
        durable=spec.name,
        pull_sub=PullSub(),
        title=spec.name,
        description=f"{spec.description}. Subjects: {', '.join(spec.filters)}.",
    )(handler)


def _inputs(spec: ConsumerSpec) -> Sequence[Any]:
    """The types that this consumer is given."""
    if spec.stream == "ALERTS":
        return ALERT_EVENTS
    if spec.stream == "TIMERS":
        return (TimerDue,)
    if spec.stream == "COMMANDS":
        return tuple(c for c in COMMANDS.values() if issubclass(c, Command) and spec.service == c.OWNER)
    owners = {subject.split(".")[3] for subject in spec.filters}
    return tuple(event for event in INCIDENT_EVENTS if event.OWNER in owners)
