"""Changes to a Kubernetes deployment: API calls with typed parameters, never a shell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tocsin_playbook.model.base import Section, exactly_one
from tocsin_playbook.model.scalars import DnsLabel, DnsSubdomain


class _OnDeployment(Section):
    namespace: DnsLabel = Field(description="The namespace.")
    deployment: DnsSubdomain = Field(description="The deployment.")


class RolloutRestart(_OnDeployment):
    """Replace the pods one after the other."""

    action: Literal["rollout_restart"] = Field(description="`kubectl rollout restart`.")


class RolloutUndo(_OnDeployment):
    """Go back to an earlier revision."""

    action: Literal["rollout_undo"] = Field(description="`kubectl rollout undo`.")
    to_revision: int | None = Field(
        default=None, ge=1, strict=True, description="The revision; default: the one before the current."
    )


class Scale(_OnDeployment):
    """Set, or change, the number of replicas."""

    action: Literal["scale"] = Field(description="`kubectl scale`.")
    replicas: int | None = Field(default=None, ge=0, le=10_000, strict=True, description="To this many …")
    by: int | None = Field(default=None, ge=-1000, le=1000, strict=True, description="… or by this many more or less.")
    at_least: int = Field(default=1, ge=0, le=10_000, strict=True, description="`by` never goes below; default 1.")
    at_most: int = Field(default=50, ge=1, le=10_000, strict=True, description="`by` never goes above; default 50.")

    @model_validator(mode="after")
    def _one_way(self) -> Scale:
        exactly_one(self, "replicas", "by")
        return self

    def target(self, current: int) -> int:
        """The number of replicas to ask for when there are `current`."""
        if self.replicas is not None:
            return self.replicas
        return min(max(current + (self.by or 0), self.at_least), self.at_most)


KubernetesAction = Annotated[RolloutRestart | RolloutUndo | Scale, Field(discriminator="action")]
