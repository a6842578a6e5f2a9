"""What goes out over OTLP/HTTP: spans by FastStream's middleware, under subjects without ids, and metrics."""

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

from tocsin_runtime.telemetry import subject_template

__all__ = ["Exports"]

_PATIENCE = 2.0
"""Seconds, retries included, for one export: a collector that is gone must not hold up the end of a service."""


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


class Exports:
    """The providers of one service, and the middleware that feeds them."""

    def __init__(self, service: str, endpoint: str | None, exporter: SpanExporter | None) -> None:
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
        self.middleware = _TemplatedMiddleware(self._tracers, self._meters)

    def close(self) -> None:
        """Send what is left."""
        self._tracers.shutdown()
        self._meters.shutdown()
