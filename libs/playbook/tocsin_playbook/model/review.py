"""The post-incident review."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from tocsin_playbook.model.base import Section
from tocsin_playbook.model.durations import TargetTime
from tocsin_playbook.model.references import Target
from tocsin_playbook.model.scalars import Line, SeverityName, Template

SECTIONS = ("summary", "impact", "timeline", "root cause", "what went well", "what could improve", "action items")


class ActionItems(Section):
    """What follows from a review."""

    due_within: TargetTime = Field(default=timedelta(weeks=2), description="By when they are done; default 2w.")
    owner: Target | None = Field(default=None, description="Who has them unless it is someone else.")


class ReviewDeadline(Section):
    """A deadline of its own for some severities."""

    severities: tuple[SeverityName, ...] = Field(min_length=1, max_length=50, description="For these.")
    due_within: TargetTime = Field(description="By when, after resolution.")


class Review(Section):
    """What is written down after an incident, by whom and by when."""

    due_within: TargetTime = Field(
        default=timedelta(hours=48), description="By when, after resolution: 24h, 48h, 1w; default 48h."
    )
    deadlines: tuple[ReviewDeadline, ...] = Field(
        default=(), max_length=20, description="Other deadlines for some severities."
    )
    severities: tuple[SeverityName, ...] = Field(
        default=(), max_length=50, description="Which incidents are reviewed; default: all."
    )
    sections: tuple[Line, ...] = Field(
        default=SECTIONS, min_length=1, max_length=50, description="The headings of the review, in order."
    )
    owner: Target | None = Field(default=None, description="Who writes it; default: who acknowledged.")
    attendees: tuple[Target, ...] = Field(default=(), max_length=50, description="Who is invited, besides responders.")
    action_items: ActionItems = Field(default=ActionItems(), description="What follows from it.")
    template: Template | None = Field(default=None, description="The document as a template; default: from sections.")
