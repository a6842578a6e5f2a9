"""A file of tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

from pydantic import Field

from tocsin_playbook.model.base import Section
from tocsin_playbook.model.durations import PositiveDuration
from tocsin_playbook.model.scalars import Line, Moment
from tocsin_promql.notation import NotationError, expand
from tocsin_rehearsal.cases.model.acts import Doing
from tocsin_rehearsal.cases.model.expect import Expectation
from tocsin_rehearsal.cases.model.given import Feed, Given
from tocsin_rehearsal.cases.model.times import OneOrMore, Spell

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""When tests begin that do not say: a Monday morning."""

AFTERWARDS = timedelta(minutes=1)
"""How much longer a test runs than the last time it names."""


class Case(Section):
    """One test: given this, when that is done, this is expected."""

    name: Line = Field(description="A sentence about what must hold; unique in the file.")
    given: Given = Field(default=Given(), description="What is given.")
    at: tuple[Doing, ...] = Field(default=(), max_length=1000, description="What is done, and when.")
    expect: tuple[Expectation, ...] = Field(min_length=1, max_length=1000, description="What is expected, and when.")
    until: PositiveDuration | None = Field(
        default=None,
        description="How long it runs; default: one minute longer than the last time it names, or, if it names none, "
        "than the series.",
    )

    @property
    def ends(self) -> timedelta:
        """How long it runs."""
        if self.until is not None:
            return self.until
        named = [*self._named()] or [_end_of(feed) for feed in self.given.feeds]
        return max(named, default=timedelta()) + AFTERWARDS

    def _named(self) -> Iterator[timedelta]:
        given = self.given
        yield from (doing.at for doing in self.at)
        yield from (last for each in self.expect if (last := each.last_named) is not None)
        troubles = (each for channel in given.world.channels.values() for each in channel)
        spans: tuple[Spell, ...] = (*given.alerts, *given.probes, *troubles)
        yield from (time for each in spans for time in (each.begins, each.until) if time)
        yield from (deployment.at for deployment in given.deployments)


def _end_of(feed: Feed) -> timedelta:
    return feed.begins + feed.interval * max((_steps(text) for text in feed.values.values()), default=0)


def _steps(notation: str) -> int:
    try:
        return len(expand(notation))
    except NotationError:
        return 0  # the checks say so, with its place


class CaseFile(Section):
    """A file of tests for a playbook."""

    __test__: ClassVar[bool] = False  # pytest: this is none of yours

    api_version: Literal["tocsin/v1"] = Field(alias="apiVersion", description="The format's version: tocsin/v1.")
    kind: Literal["PlaybookTest"] = Field(description="Always PlaybookTest.")
    playbook: OneOrMore[Line] = Field(
        description="The playbook that is tested, relative to this file; or several that are in force together."
    )
    start: Moment = Field(
        default=START,
        description="When the tests begin, by the clock on the wall: what schedules and business hours go by. "
        "Default: Monday, 2026-01-05T09:00:00Z.",
    )
    replicas: int = Field(default=1, strict=True, ge=1, le=5, description="How many of each service run; default 1.")
    tests: tuple[Case, ...] = Field(min_length=1, max_length=10_000, description="The tests.")
