"""OpenTelemetry: traces and metrics over OTLP/HTTP when an endpoint is set, nothing when not.

The incident is the trace: every message carries a `traceparent` derived from its incident's id, so a span made
while handling it belongs to the incident's trace, in whatever process and however much later.
Span names and attributes use the subject's template, never the subject: ids would make unbounded series.
"""

from collections.abc import Sequence
from typing import Any

from faststream.nats.opentelemetry.provider import (
    NatsBatchTelemetrySettingsProvider,
    telemetry_attributes_provider_factory,
)
from faststream.opentelemetry.consts import MESSAGING_DESTINATION_PUBLISH_NAME
from faststream.opentelemetry.middleware import TelemetryMiddleware
from nats.aio.msg import Msg
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

__all__ = ["Telemetry", "subject_template"]

_PATIENCE = 2.0
"""Seconds, retries included, for one export: a collector that is gone must not hold up the end of a service."""


def subject_template(subject: str) -> str:
    """The subject with its ids taken out: `tocsin.incidents.{incident}.escalator.opened`."""
    match subject.split("."):
        case ["tocsin", "incidents", _, service, event]:
            return f"tocsin.incidents.{{incident}}.{service}.{event}"
        case ["tocsin", "alerts", _]:
            return "tocsin.alerts.{shard}"
        case ["tocsin", "timers", state, service, *_]:
            return f"tocsin.timers.{state}.{service}.{{deadline}}"
        case ["tocsin", ("metrics" | "playbooks") as kind, *_]:
            return f"tocsin.{kind}.{{name}}"
        case ["tocsin", *_]:
            return subject
        case _:
            return "{other}"


class _TemplatedBatch(NatsBatchTelemetrySettingsProvider):
    __slots__ = ()

    def get_consume_attrs_from_message(
        self, msg: Any
    ) -> dict[str, Any]:  # FastStream's own annotation is a StreamMessage
        attributes = super().get_consume_attrs_from_message(msg)
        attributes[MESSAGING_DESTINATION_PUBLISH_NAME] = subject_template(msg.raw_message[0].subject)
        return attributes

    def get_consume_destination_name(self, msg: Any) -> str:
        return subject_template(msg.raw_message[0].subject)


def _provider(message: Msg | Sequence[Msg] | None) -> Any:
    return _TemplatedBatch() if isinstance(message, Sequence) else telemetry_attributes_provider_factory(message)


class _TemplatedMiddleware(TelemetryMiddleware[Any]):
    def __init__(self, tracers: TracerProvider, meters: MeterProvider) -> None:
        super().__init__(
            settings_provider_factory=_provider,
            tracer_provider=tracers,
            meter_provider=meters,
            include_messages_counters=True,
        )


class Telemetry:
    """The tracing and metering of one service. With neither endpoint nor exporter it does nothing and costs nothing."""

    def __init__(self, service: str, endpoint: str | None, *, exporter: SpanExporter | None = None) -> None:
        self._tracers: TracerProvider | None = None
        self._meters: MeterProvider | None = None
        if endpoint is None and exporter is None:
            return
        resource = Resource.create({"service.name": f"tocsin-{service}", "service.namespace": "tocsin"})
        base = (endpoint or "").rstrip("/")
        self._tracers = TracerProvider(resource=resource)
        spans = exporter or OTLPSpanExporter(endpoint=f"{base}/v1/traces", timeout=_PATIENCE)
        self._tracers.add_span_processor(BatchSpanProcessor(spans))
        readers = []
        if endpoint:
            numbers = OTLPMetricExporter(endpoint=f"{base}/v1/metrics", timeout=_PATIENCE)
            readers.append(PeriodicExportingMetricReader(numbers))
        self._meters = MeterProvider(resource=resource, metric_readers=readers)

    @property
    def middlewares(self) -> Sequence[Any]:
        """For the broker: a span for every handled batch, linked to the traces of its messages."""
        if self._tracers is None or self._meters is None:
            return ()
        return (_TemplatedMiddleware(self._tracers, self._meters),)

    def close(self) -> None:
        """Send what is left. Blocks for a few seconds at most."""
        if self._tracers is not None:
            self._tracers.shutdown()
        if self._meters is not None:
            self._meters.shutdown()
