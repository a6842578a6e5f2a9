"""What counts as an alert: rules, probes, burn rates, absence and anomalies, each with a ladder of severities."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from tocsin_playbook.model.base import Section, exactly_one, refuse
from tocsin_playbook.model.durations import Duration, PositiveDuration, format_duration
from tocsin_playbook.model.http import HttpCheck
from tocsin_playbook.model.scalars import (
    Expression,
    Labels,
    Line,
    Name,
    PositiveCount,
    Ratio,
    SeverityName,
    Share,
    Text,
    Token,
    Url,
)
from tocsin_playbook.summary import SummaryError, parse_summary

WINDOW = "$window"
_MINUTE = timedelta(minutes=1)


def _summary(text: str) -> str:
    try:
        parse_summary(text)
    except SummaryError as error:
        raise refuse(error.message, error.expected, offset=error.offset) from error
    return text


SummaryText = Annotated[Line, AfterValidator(_summary)]


class Signal(Section):
    """What everything that can raise an alert has in common."""

    name: Name = Field(description="Becomes the alert's label `alertname`; unique among all signals.")
    description: Text | None = Field(default=None, description="What it means when this fires.")
    labels: Labels = Field(default={}, description="Labels added to those of the series; these win.")
    annotations: Labels = Field(default={}, description="Further facts shown with the alert.")
    summary: SummaryText | None = Field(
        default=None,
        description="One line for people: {{ value | percent }}, {{ value | duration }}, {{ value | number }}, "
        "{{ labels.x }}. Default: the name.",
    )
    source: Token | None = Field(default=None, description="The source it looks at; default: all of them.")
    dashboard: Url | None = Field(default=None, description="Where to look further.")
    runbook: Name | None = Field(
        default=None, description="The runbook for it; tried before those whose condition holds."
    )


class Rung(Section):
    """One threshold of a ladder."""

    severity: SeverityName = Field(description="The severity when this threshold has held for its duration.")
    above: Ratio | None = Field(default=None, description="Holds while the value is above this. 25% is 0.25.")
    below: Ratio | None = Field(default=None, description="Holds while the value is below this.")
    lasting: Duration = Field(
        default=timedelta(), alias="for", description="How long it must hold before it counts; default 0s."
    )
    clear: Ratio | None = Field(
        default=None,
        description="Once firing, it stops only beyond this value: keeps a value near the threshold from flapping.",
    )

    @model_validator(mode="after")
    def _one_side(self) -> Rung:
        exactly_one(self, "above", "below")
        if self.clear is None:
            return self
        if self.above is not None and self.clear > self.above:
            raise refuse("clear lies above the threshold it should clear", "a value not above `above`")
        if self.below is not None and self.clear < self.below:
            raise refuse("clear lies below the threshold it should clear", "a value not below `below`")
        return self

    @property
    def threshold(self) -> float:
        """The number the value is compared with."""
        threshold = self.above if self.above is not None else self.below
        assert threshold is not None  # noqa: S101 - the validator above
        return threshold

    def holds(self, value: float, *, firing: bool = False) -> bool:
        """Whether the value is beyond the threshold (beyond `clear`, when already firing). NaN never is."""
        limit = self.clear if firing and self.clear is not None else self.threshold
        return value > limit if self.above is not None else value < limit


class Rule(Signal):
    """A PromQL expression and a ladder of thresholds; each series it returns is an alert of its own."""

    expr: Expression = Field(description="PromQL.")
    ladder: tuple[Rung, ...] = Field(
        min_length=1,
        max_length=20,
        description="Most severe first; the first threshold that has held for its duration gives the severity.",
    )
    keep_firing_for: Duration = Field(
        default=timedelta(), description="How long it goes on firing after the last threshold ceased to hold."
    )


class BurnWindow(Section):
    """Fires when the error budget burns faster than `factor` over both the long and the short window."""

    severity: SeverityName = Field(description="The severity when both windows burn too fast.")
    long: PositiveDuration = Field(description="The long window, such as 1h: that it matters.")
    short: PositiveDuration = Field(description="The short window, such as 5m: that it still goes on.")
    factor: float = Field(gt=0, le=100_000, strict=True, description="How many times too fast, such as 14.4.")
    lasting: Duration = Field(default=timedelta(), alias="for", description="How long it must hold; default 0s.")

    @model_validator(mode="after")
    def _short_is_shorter(self) -> BurnWindow:
        if self.short < self.long:
            return self
        raise refuse("the short window is not shorter than the long one", "short < long")


class BurnRate(Signal):
    """A service level objective, watched by how fast its error budget burns (SRE workbook, chapter 5)."""

    objective: Share = Field(description="The part of events that must be good, such as 99.9%.")
    period: PositiveDuration = Field(default=timedelta(days=30), description="What the budget is for; default 30d.")
    bad: Expression = Field(description="PromQL of bad events with $window as its range: sum(rate(x_errors[$window])).")
    total: Expression = Field(description="PromQL of all events with $window as its range.")
    ladder: tuple[BurnWindow, ...] = Field(min_length=1, max_length=20, description="Most severe first.")

    @model_validator(mode="after")
    def _names_its_window(self) -> BurnRate:
        for name in ("bad", "total"):
            if WINDOW not in getattr(self, name):
                raise refuse(f"`{name}` has no {WINDOW}", f"a range like [{WINDOW}] in both expressions")
        return self

    @property
    def budget(self) -> float:
        """The part of events that may be bad."""
        return 1 - self.objective

    def expression(self, window: timedelta) -> str:
        """PromQL of the burn rate over a window: 1 uses up the budget in exactly the period."""
        length = format_duration(window)
        bad, total = self.bad.replace(WINDOW, length), self.total.replace(WINDOW, length)
        return f"(({bad}) / ({total})) / {self.budget:.12g}"


class TcpCheck(Section):
    """A connection that only opens."""

    host: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.\-:]{0,252}[A-Za-z0-9])?$", description="A host or address.")
    port: int = Field(ge=1, le=65535, strict=True, description="The port.")


class ProbeRung(Section):
    """So many failures in a row, or failing for so long."""

    severity: SeverityName = Field(description="The severity then.")
    failures: PositiveCount = Field(default=1, description="How many probes in a row must have failed; default 1.")
    lasting: Duration = Field(
        default=timedelta(), alias="for", description="And how long since the first of them; default 0s."
    )


class Probe(Signal):
    """We look ourselves whether something answers."""

    http: HttpCheck | None = Field(default=None, description="Ask over HTTP.")
    tcp: TcpCheck | None = Field(default=None, description="Open a connection.")
    every: PositiveDuration = Field(default=timedelta(seconds=30), description="How often; default 30s.")
    timeout: PositiveDuration = Field(default=timedelta(seconds=5), description="When it counts as failed; default 5s.")
    ladder: tuple[ProbeRung, ...] = Field(min_length=1, max_length=20, description="Most severe first.")

    @model_validator(mode="after")
    def _one_kind(self) -> Probe:
        exactly_one(self, "http", "tcp")
        return self


class Absence(Signal):
    """Something that should be there is not: an expression that returns nothing."""

    expr: Expression = Field(description="PromQL that normally returns something.")
    severity: SeverityName = Field(description="The severity when it does not.")
    lasting: Duration = Field(
        default=_MINUTE * 5, alias="for", description="How long nothing must have been there; default 5m."
    )


class Band(Section):
    """What is normal, learnt from the past."""

    method: Literal["mean", "median", "season"] = Field(
        default="median",
        description="`mean`: exponentially weighted mean and deviation; `median`: median and MAD, robust against "
        "outliers; `season`: median of the same time in earlier seasons.",
    )
    window: PositiveDuration = Field(default=timedelta(hours=1), description="How far back it looks; default 1h.")
    season: PositiveDuration | None = Field(default=None, description="The season's length for `season`: 1d or 1w.")
    at_least: PositiveCount = Field(default=30, description="Samples needed before it judges; default 30.")

    @model_validator(mode="after")
    def _season_fits(self) -> Band:
        if (self.method == "season") is (self.season is not None):
            return self
        raise refuse("`season` and its length belong together", "method: season with season: 1d or 1w")


class AnomalyRung(Section):
    """So many deviations from normal."""

    severity: SeverityName = Field(description="The severity then.")
    deviations: float = Field(gt=0, le=1000, strict=True, description="How many deviations, such as 4.")
    lasting: Duration = Field(default=timedelta(), alias="for", description="How long it must hold; default 0s.")


class Anomaly(Signal):
    """A value outside its own normal band."""

    expr: Expression = Field(description="PromQL.")
    band: Band = Field(default=Band(), description="How normal is learnt.")
    direction: Literal["above", "below", "both"] = Field(default="both", description="Which side counts.")
    ladder: tuple[AnomalyRung, ...] = Field(min_length=1, max_length=20, description="Most severe first.")


class Detect(Section):
    """All that can raise an alert."""

    every: PositiveDuration = Field(
        default=timedelta(seconds=1), description="How often expressions are evaluated; default 1s."
    )
    rules: tuple[Rule, ...] = Field(default=(), max_length=2000, description="PromQL with ladders of thresholds.")
    probes: tuple[Probe, ...] = Field(default=(), max_length=2000, description="Requests we make to see who answers.")
    burn_rates: tuple[BurnRate, ...] = Field(default=(), max_length=2000, description="Service level objectives.")
    absent: tuple[Absence, ...] = Field(default=(), max_length=2000, description="What must be there.")
    anomalies: tuple[Anomaly, ...] = Field(default=(), max_length=2000, description="What must look as usual.")

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Everything that can raise an alert, in the order of the sections."""
        return (*self.rules, *self.probes, *self.burn_rates, *self.absent, *self.anomalies)
