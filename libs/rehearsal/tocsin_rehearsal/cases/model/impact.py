"""What is known of what an incident does to people, as a test says it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from tocsin_playbook.model.base import Section, refuse
from tocsin_playbook.model.scalars import Flag
from tocsin_schemas import Impact


class KnownImpact(Section):
    """At least one of the facts; what is left out is not spoken of."""

    users_affected: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="The share of users, from 0 to 1."
    )
    data_loss: Flag | None = Field(default=None, description="Whether data is lost.")
    data_at_risk: Flag | None = Field(default=None, description="Whether customers' data is at risk.")
    security: Flag | None = Field(default=None, description="Whether it concerns security.")
    compliance: Flag | None = Field(default=None, description="Whether it concerns compliance.")
    workaround: Flag | None = Field(default=None, description="Whether there is a workaround.")
    recent_deployment: Flag | None = Field(default=None, description="Whether something was deployed just before.")

    @model_validator(mode="after")
    def _says_something(self) -> KnownImpact:
        if self.said:
            return self
        raise refuse("this says nothing of the impact", f"one of {', '.join(Impact.model_fields)}")

    @property
    def said(self) -> dict[str, float | bool]:
        """The facts that are spoken of."""
        values = {name: getattr(self, name) for name in Impact.model_fields}
        return {name: value for name, value in values.items() if value is not None}
