"""The escalation matrix: at what minute, at which severity, to whom, until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from tocsin_playbook.model.base import Section
from tocsin_playbook.model.durations import Duration, PositiveDuration
from tocsin_playbook.model.references import Target
from tocsin_playbook.model.scalars import ConditionText, Flag, Name, SeverityName


class Level(Section):
    """Who is notified once an incident has been open for `after`."""

    after: Duration = Field(description="How long after the incident was opened (or took on this severity).")
    notify: tuple[Target, ...] = Field(
        min_length=1,
        max_length=50,
        description="person:<name>, team:<name>, schedule:<name>, channel:<channel>:<address>.",
    )
    each: Flag = Field(
        default=False,
        description="Whether every person who is told must answer before the incident counts as acknowledged; default "
        "false: one is enough.",
    )
    until: Literal["acknowledged", "resolved"] = Field(
        default="acknowledged",
        description="What makes this level unnecessary: someone has acknowledged (default), or it is resolved.",
    )
    when: ConditionText | None = Field(
        default=None, description="CEL: the level is skipped while this does not hold; default: always."
    )


class SeverityRaise(Section):
    """An incident that lasts becomes more severe by itself."""

    after: PositiveDuration = Field(description="How long the incident has had its severity, unresolved.")
    to: SeverityName = Field(description="The severity it then has.")


class PlannedLevel(Section):
    """A level of a policy with the time at which it is due, repetitions counted."""

    after: timedelta
    round: int
    index: int
    level: Level


class EscalationPolicy(Section):
    """What happens to incidents of these severities until someone acknowledges."""

    name: Name | None = Field(default=None, description="What it is called on the timeline; default: its severities.")
    severities: tuple[SeverityName, ...] = Field(
        min_length=1, max_length=50, description="The severities it is for. Each belongs to one policy."
    )
    levels: tuple[Level, ...] = Field(min_length=1, max_length=20, description="In the order of `after`.")
    repeat: int = Field(
        default=0,
        ge=0,
        le=100,
        strict=True,
        description="How many more times all levels are gone through when no one acknowledges.",
    )
    repeat_after: PositiveDuration | None = Field(
        default=None,
        description="The pause between the last level and the next round; default: the pause before the last level, "
        "or 5m when there is only one.",
    )
    last_resort: tuple[Target, ...] = Field(
        default=(),
        max_length=50,
        description="Who is told when all rounds have been gone through and no one has acknowledged; default: no one.",
    )
    raise_severity: SeverityRaise | None = Field(
        default=None, description="When, and to what, an incident that lasts is raised; default: never."
    )

    @property
    def title(self) -> str:
        """The name, or the severities it is for."""
        return self.name or ", ".join(self.severities)

    def plan(self) -> tuple[PlannedLevel, ...]:
        """Every level of every round with the time it is due after the start, in that order; the last resort last."""
        ordered = self.levels
        last = ordered[-1].after
        gap = last - ordered[-2].after if len(ordered) > 1 else timedelta(minutes=5)
        period = last - ordered[0].after + (self.repeat_after or max(gap, timedelta(seconds=1)))
        planned = [
            PlannedLevel(after=level.after + period * number, round=number, index=index, level=level)
            for number in range(self.repeat + 1)
            for index, level in enumerate(ordered)
        ]
        if self.last_resort:
            last_level = Level(after=ordered[0].after + period * (self.repeat + 1), notify=self.last_resort)
            planned.append(
                PlannedLevel(after=last_level.after, round=self.repeat, index=len(ordered), level=last_level)
            )
        return tuple(planned)
