"""What sources show when they are scraped: series in promtool's notation, one step after the other."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin_detector.adapters.fetch import FetchError
from tocsin_playbook.model.sources import Source
from tocsin_promql import ExpositionError, parse_exposition
from tocsin_promql.notation import expand, read_series
from tocsin_promql.series import Sample, is_stale
from tocsin_rehearsal.time import VirtualClock
from tocsin_schemas import Labels

__all__ = ["Metrics", "ModelFetch", "RecordingError", "read_recording"]


@dataclass(frozen=True, slots=True)
class _Fed:
    labels: Labels
    values: list[float | None]
    begins: float
    every: float

    def at(self, moment: float) -> float | None:
        step = int((moment - self.begins) / self.every + 1e-9)
        value = self.values[step] if 0 <= step < len(self.values) else None
        return None if value is None or (value != value and is_stale(value)) else value


@dataclass(slots=True)
class _Recorded:
    """One series of a recording: shown from each of its moments until the next one, or for `holds` seconds."""

    labels: Labels
    begins: float
    holds: float
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def at(self, moment: float) -> float | None:
        since = moment - self.begins
        index = bisect_right(self.times, since + 1e-9) - 1
        if index < 0 or since - self.times[index] > self.holds or is_stale(self.values[index]):
            return None
        return self.values[index]


class RecordingError(ValueError):
    """A text that is no recording of series."""


def read_recording(text: str) -> list[tuple[Labels, float, float]]:
    """Labels, seconds since the first sample, and value of each, in the order of time.

    The text is Prometheus' or OpenMetrics' with a time for every sample, as `promtool tsdb dump-openmetrics` writes it.
    Raises RecordingError.
    """
    try:
        samples = parse_exposition(text)
    except ExpositionError as error:
        raise RecordingError(str(error)) from None
    untimed = next((sample for sample in samples if sample.at is None), None)
    if not samples or untimed is not None:
        what = "no samples" if untimed is None else f"a sample without a time: {untimed.labels.get('__name__')}"
        raise RecordingError(f"the recording has {what}")
    first = min(sample.at or 0 for sample in samples)
    timed = [(sample.labels, ((sample.at or 0) - first) / 1000, sample.value) for sample in samples]
    return sorted(timed, key=lambda each: each[1])


@dataclass(slots=True)
class Metrics:
    """All sources. One that was not fed answers, and shows nothing."""

    clock: VirtualClock
    down: set[str] = field(default_factory=set)
    """Sources that do not answer."""
    _fed: dict[str, list[_Fed | _Recorded]] = field(default_factory=dict)
    _once: set[str] = field(default_factory=set)
    """Sources of which no series was fed twice."""

    def feed(self, source: str, series: Mapping[str, str], every: timedelta) -> None:
        """Show these from now on, one step `every`. Between two steps the last value holds; after the last step, and
        at `_` or `stale`, there is none. Raises NotationError."""
        begins = self.clock.monotonic()
        fed = [
            _Fed(read_series(text), expand(notation), begins, every.total_seconds())
            for text, notation in series.items()
        ]
        self._add(source, fed)

    def play(self, source: str, recording: Sequence[tuple[Labels, float, float]], holds: timedelta) -> None:
        """Show what was recorded, from now on, with its own spacing. A sample is shown until the next one of its
        series, at most for `holds`."""
        series: dict[Labels, _Recorded] = {}
        for labels, at, value in recording:
            if (one := series.get(labels)) is None:
                one = series[labels] = _Recorded(labels, self.clock.monotonic(), holds.total_seconds())
            one.times.append(at)
            one.values.append(value)
        self._add(source, series.values())

    def read(self, source: str) -> list[tuple[Labels, float]]:
        """What it shows now. Of series that were fed twice the later feed counts."""
        now, all_fed = self.clock.monotonic(), self._fed.get(source, ())
        if source in self._once:
            return [(fed.labels, value) for fed in all_fed if (value := fed.at(now)) is not None]
        shown: dict[Labels, float] = {}
        for fed in all_fed:
            if (value := fed.at(now)) is not None:
                shown[fed.labels] = value
        return list(shown.items())

    def _add(self, source: str, series: Iterable[_Fed | _Recorded]) -> None:
        all_fed = self._fed.setdefault(source, [])
        all_fed.extend(series)
        if len({fed.labels for fed in all_fed}) == len(all_fed):
            self._once.add(source)
        else:
            self._once.discard(source)


class ModelFetch:
    """In the place of `HttpFetch`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def fetch(self, source: Source, within: timedelta) -> Sequence[Sample]:
        if source.name in self._metrics.down:
            raise FetchError("no connection: refused")
        own = source.prometheus.labels if source.prometheus is not None else {}
        shown = self._metrics.read(source.name)
        if not own:
            return [Sample(labels, value) for labels, value in shown]
        return [Sample(Labels({**own, **labels}), value) for labels, value in shown]
