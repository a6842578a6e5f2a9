"""The escalator's settings."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from tocsin_runtime.settings import ServiceSettings

__all__ = ["EscalatorSettings"]


class EscalatorSettings(ServiceSettings):
    """What the escalator needs to know beyond what every service does."""

    SERVICE: ClassVar[str] = "escalator"

    http_port: int = Field(default=7302, ge=0, le=65535, description="Port for health and metrics; 0 takes a free one")
    audit_seconds: float = Field(
        default=60.0, gt=0, le=3600, description="How often all open incidents are looked through for missed deadlines"
    )
    index_folder: Path | None = Field(
        default=None,
        description="Where the index of open incidents is kept, so that a start need not read the whole log; replicas "
        "may share it. Nothing is lost with it; none keeps nothing",
    )
