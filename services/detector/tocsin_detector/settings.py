"""The detector's settings."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from tocsin_runtime import ServiceSettings

__all__ = ["DetectorSettings"]


class DetectorSettings(ServiceSettings):
    """What the detector needs to know besides what every service does."""

    SERVICE: ClassVar[str] = "detector"

    http_port: int = Field(default=7301, ge=0, le=65535, description="Port of the Alertmanager API, health and metrics")
    max_body_bytes: int = Field(
        default=4_194_304, ge=1024, le=16_777_216, description="Largest request body that is taken"
    )
    max_series: int = Field(default=100_000, ge=100, description="Series kept in memory for each source")
    source_patience_seconds: float = Field(
        default=30.0, ge=0, le=86_400, description="How long a source may be silent before that is an alert"
    )
    lease_grace_seconds: float = Field(
        default=15.0, ge=0, le=3600, description="How long past its lease a foreign alert is held to be firing"
    )
    lease_patience_seconds: float = Field(
        default=120.0,
        ge=0,
        le=3600,
        description="How long after a start, or after NATS was away, senders have to renew before leases end",
    )
    remember_hours: float = Field(
        default=24.0, gt=0, le=168, description="How long an alert that has ended is remembered; the same for replicas"
    )
    tokens_path: Path | None = Field(
        default=None,
        description="File of access tokens, one `NAME sha256:HEX` a line (`tocsin tokens add` writes it); without it "
        "nobody may ask for anything over HTTP",
    )
