"""What can be set. Everything has a safe default: only this computer may be acted upon."""

from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from tocsin_remediator.core.moves import Policy
from tocsin_remediator.core.reach import AllowedHosts
from tocsin_runtime import ServiceSettings

__all__ = ["RemediatorSettings"]


class RemediatorSettings(ServiceSettings):
    """The remediator's settings."""

    SERVICE: ClassVar[str] = "remediator"

    http_port: int = Field(default=7303, ge=0, le=65535, description="Port for health and metrics; 0 takes a free one")
    automation_enabled: bool = Field(
        default=True, description="The kill switch: false, and no action is run, not even by hand"
    )
    allowed_hosts: str = Field(
        default="127.0.0.1,localhost",
        description="Hosts that actions, probes and checks may reach: host, host:port or *.domain, separated by commas",
    )
    max_actions_per_target: int = Field(
        default=3, ge=1, le=10_000, description="How many actions one target may see in the window, over all incidents"
    )
    max_actions_window: float = Field(
        default=600, gt=0, le=86_400, description="The window of `max_actions_per_target`, in seconds"
    )
    budget_without_redis: Literal["process", "ask"] = Field(
        default="process",
        description="Without redis_url: count in this process (right for one replica), or ask a person each time",
    )
    claim_valid: float = Field(
        default=5, ge=0.1, le=60, description="Seconds after its claim within which an action must be begun, or never"
    )
    start_within: float = Field(
        default=3600, gt=0, le=604_800, description="Seconds after which a message does not start a runbook any more"
    )

    @field_validator("allowed_hosts")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        AllowedHosts.parse(value)
        return value

    @property
    def policy(self) -> Policy:
        """What the core needs to know."""
        return Policy(
            enabled=self.automation_enabled,
            allowed_hosts=AllowedHosts.parse(self.allowed_hosts),
            claim_valid=timedelta(seconds=self.claim_valid),
            start_within=timedelta(seconds=self.start_within),
        )
