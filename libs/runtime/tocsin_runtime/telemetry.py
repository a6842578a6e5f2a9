"""OpenTelemetry: traces and metrics over OTLP/HTTP when an endpoint is set, nothing when not.

The incident is the trace: every message carries a `traceparent` derived from its incident's id, so a span made
while handling it belongs to the incident's trace, in whatever process and however much later.
Span names and attributes use the subject's template, never the subject: ids would make unbounded series.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from tocsin_runtime.otlp import Exports

__all__ = ["Telemetry", "subject_template"]


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


class Telemetry:
    """The tracing and metering of one service. With neither endpoint nor exporter it does nothing and costs nothing."""

    def __init__(self, service: str, endpoint: str | None, *, exporter: "SpanExporter | None" = None) -> None:
        wanted = endpoint is not None or exporter is not None
        self._exports = _exports(service, endpoint, exporter) if wanted else None

    @property
    def middlewares(self) -> Sequence[Any]:
        """For the broker: a span for every handled batch, linked to the traces of its messages."""
        return () if self._exports is None else (self._exports.middleware,)

    def close(self) -> None:
        """Send what is left. Blocks for a few seconds at most."""
        if self._exports is not None:
            self._exports.close()


def _exports(service: str, endpoint: str | None, exporter: "SpanExporter | None") -> "Exports":
    """Importing it takes 0.2 s and some memory: only where it is used."""
    from tocsin_runtime.otlp import Exports

    return Exports(service, endpoint, exporter)
