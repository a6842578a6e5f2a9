"""What is given: series, alerts of other systems, probes, deployments, and how the world answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from tocsin_playbook.model.base import Section, exactly_one
from tocsin_playbook.model.durations import PositiveDuration
from tocsin_playbook.model.references import AlertMatcher
from tocsin_playbook.model.scalars import Flag, Labels, Line, Name, Token
from tocsin_rehearsal.cases.model.times import Offset, Spell
from tocsin_rehearsal.cases.model.world import World

INTERVAL = timedelta(seconds=15)


def _notation(value: object) -> object:
    """A lone number is a notation too; YAML reads it as one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


Notation = Annotated[
    str,
    BeforeValidator(_notation),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}], "examples": ["0+10x100", "1 1 _ 0 stale"]}),
]
"""promtool's notation for the values of a series."""

Values = Annotated[Mapping[str, Notation], Field(min_length=1, max_length=5000)]


class SeriesBlock(Section):
    """Series of one source."""

    source: Token | None = Field(default=None, description="The source; default: the only one the playbook has.")
    interval: PositiveDuration | None = Field(
        default=None, description="The time from one value to the next; default: `interval` of `given`."
    )
    begins: Offset = Field(default=timedelta(), alias="from", description="When the first value is seen; default 0s.")
    values: Values | None = Field(default=None, description="Series → values in promtool's notation.")
    file: Line | None = Field(
        default=None,
        description="Recorded series instead: a file, relative to this one, with samples and their times, as "
        "`promtool tsdb dump-openmetrics` writes it. Its first sample is seen at `from`; each holds until the next of "
        "its series, four intervals at most.",
    )

    @model_validator(mode="after")
    def _one_origin(self) -> SeriesBlock:
        exactly_one(self, "values", "file")
        return self


class ForeignAlert(Spell):
    """An alert that another system raises."""

    labels: Annotated[Labels, Field(min_length=1)] = Field(description="Its labels; `alertname` is its name.")
    annotations: Labels = Field(default={}, description="Further facts, such as `summary`.")


class GivenSilence(Spell):
    """A silence that somebody has set before the test begins."""

    name: Name | None = Field(default=None, description="What `lift` calls it.")
    match: Annotated[tuple[AlertMatcher, ...], Field(min_length=1, max_length=20)] = Field(
        description='The alerts, such as `[service="shop"]`: all must match.'
    )
    because: Line = Field(default="a test", description="Why.")


class ProbeResult(Spell):
    """What one of the playbook's probes finds for a while. At all other times it finds that all is well."""

    probe: Name = Field(description="The probe's name.")
    fails: Flag = Field(default=True, description="Whether it fails; default true.")


class Deployment(Section):
    """Something was deployed."""

    service: Name = Field(description="What was deployed.")
    at: Offset = Field(description="When.")
    version: Line | None = Field(default=None, description="The version that is running since.")


@dataclass(frozen=True, slots=True)
class Feed:
    """Series of one source with everything said: what `series` means, in either of its forms."""

    source: str | None
    """None: the playbook's only one."""
    interval: timedelta
    begins: timedelta
    values: Mapping[str, str]
    file: str | None
    path: tuple[str | int, ...]
    """Where the values, or the file, stand within `given`."""


def _form(value: object) -> str | None:
    """Which form of `series` this is; the words cannot be names of sources."""
    if isinstance(value, Mapping):
        return "(mapping)"
    return "(list)" if isinstance(value, list | tuple) else None


Series = Annotated[
    Annotated[Annotated[Mapping[Token, Values], Field(max_length=200)], Tag("(mapping)")]
    | Annotated[Annotated[tuple[SeriesBlock, ...], Field(max_length=1000)], Tag("(list)")],
    Discriminator(_form),
]


class Given(Section):
    """What is given."""

    interval: PositiveDuration = Field(
        default=INTERVAL, description="The time from one value of a series to the next; default 15s."
    )
    series: Series = Field(
        default=(),
        description="Source → series → values in promtool's notation; or a list of blocks that say more. "
        "`0+10x100` is 0, then 100 values that rise by 10; `_` is no value, `stale` the end of the series.",
    )
    alerts: tuple[ForeignAlert, ...] = Field(default=(), max_length=5000, description="Alerts of other systems.")
    silences: tuple[GivenSilence, ...] = Field(
        default=(), max_length=100, description="Silences that stand when the test begins; others are in the playbook."
    )
    probes: tuple[ProbeResult, ...] = Field(default=(), max_length=1000, description="What probes find.")
    deployments: tuple[Deployment, ...] = Field(default=(), max_length=1000, description="What was deployed.")
    world: World = Field(default=World(), description="How everything outside answers; default: all is well.")

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """All series, whichever form they were given in."""
        if isinstance(self.series, Mapping):
            return tuple(
                Feed(source, self.interval, timedelta(), values, None, ("series", source))
                for source, values in self.series.items()
            )
        return tuple(
            Feed(
                block.source,
                block.interval or self.interval,
                block.begins,
                block.values or {},
                block.file,
                ("series", index, "values" if block.file is None else "file"),
            )
            for index, block in enumerate(self.series)
        )
