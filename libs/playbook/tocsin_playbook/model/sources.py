"""Where metrics and foreign alerts come from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from tocsin_playbook.model.base import Section, exactly_one
from tocsin_playbook.model.durations import PositiveDuration
from tocsin_playbook.model.http import Headers
from tocsin_playbook.model.references import Secret
from tocsin_playbook.model.scalars import LabelName, Labels, LabelValue, SeverityName, Token, Url


class PrometheusSource(Section):
    """Metrics in Prometheus' text format, or a Prometheus server that is asked."""

    scrape: Url | None = Field(default=None, description="A /metrics address to scrape.")
    server: Url | None = Field(default=None, description="A Prometheus (or compatible) server to query.")
    every: PositiveDuration = Field(default=timedelta(seconds=15), description="How often; default 15s.")
    timeout: PositiveDuration = Field(default=timedelta(seconds=10), description="When to give up; default 10s.")
    headers: Headers = Field(default={}, description="Headers; secrets by reference.")
    labels: Labels = Field(default={}, description="Labels added to every sample, such as the instance.")

    @model_validator(mode="after")
    def _one_way(self) -> PrometheusSource:
        exactly_one(self, "scrape", "server")
        return self


class PushSource(Section):
    """Samples that others send."""

    protocol: Literal["nats", "remote_write", "otlp"] = Field(
        default="nats",
        description="`nats`: tocsin.metrics.<source>; or Prometheus remote write, or OTLP over HTTP.",
    )
    token: Secret | None = Field(default=None, description="The bearer token senders show (HTTP protocols).")
    labels: Labels = Field(default={}, description="Labels added to every sample.")


class WebhookSource(Section):
    """Alerts that another system has already raised."""

    format: Literal["alertmanager", "grafana", "generic"] = Field(
        default="alertmanager", description="Whose webhook payload it is."
    )
    token: Secret | None = Field(default=None, description="The bearer token or HMAC key senders prove they know.")
    severity_label: LabelName = Field(default="severity", description="The label that holds their severity.")
    severities: Mapping[LabelValue, SeverityName] = Field(
        default={}, max_length=100, description="Their word for a severity → ours."
    )
    default_severity: SeverityName | None = Field(
        default=None, description="Ours when theirs is missing or unknown; default: the least severe."
    )
    labels: Labels = Field(default={}, description="Labels added to every alert.")


class Source(Section):
    """One source; exactly one kind."""

    name: Token = Field(description="Becomes part of a subject: letters, digits, `_` and `-`.")
    prometheus: PrometheusSource | None = Field(default=None, description="Scrape or query Prometheus metrics.")
    push: PushSource | None = Field(default=None, description="Samples that are sent here.")
    webhook: WebhookSource | None = Field(default=None, description="Alerts that are sent here.")

    @model_validator(mode="after")
    def _one_kind(self) -> Source:
        exactly_one(self, "prometheus", "push", "webhook")
        return self
