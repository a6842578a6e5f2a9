"""The detector's settings."""

from typing import ClassVar

from pydantic import Field

from tocsin_runtime import ServiceSettings

__all__ = ["DetectorSettings"]


class DetectorSettings(ServiceSettings):
    """What the detector needs to know besides what every service does."""

    SERVICE: ClassVar[str] = "detector"

    http_port: int = Field(default=7301, ge=0, le=65535, description="Port of the Alertmanager API, health and metrics")
    max_body_bytes: int = Field(
        default=1_048_576, ge=1024, le=16_777_216, description="Largest request body that is taken"
    )
    max_series: int = Field(default=100_000, ge=100, description="Series kept in memory for each playbook's sources")
    lease_grace_seconds: float = Field(
        default=15.0, ge=0, le=3600, description="How long past its lease a foreign alert is held to be firing"
    )
    remember_hours: float = Field(
        default=24.0, gt=0, le=168, description="How long an alert that has ended is remembered"
    )
