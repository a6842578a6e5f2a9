"""What sources show when they are scraped: series in promtool's notation, one step after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin_detector.adapters.fetch import FetchError
from tocsin_playbook.model.sources import Source
from tocsin_promql.notation import expand, read_series
from tocsin_promql.series import Sample, is_stale
from tocsin_rehearsal.time import VirtualClock
from tocsin_schemas import Labels

__all__ = ["Metrics", "ModelFetch"]


@dataclass(frozen=True, slots=True)
class _Fed:
    labels: Labels
    values: list[float | None]
    begins: float
    every: float

    def at(self, moment: float) -> float | None:
        step = int((moment - self.begins) / self.every + 1e-9)
        value = self.values[step] if 0 <= step < len(self.values) else None
        return None if value is None or is_stale(value) else value


@dataclass(slots=True)
class Metrics:
    """All sources. One that was not fed answers, and shows nothing."""

    clock: VirtualClock
    down: set[str] = field(default_factory=set)
    """Sources that do not answer."""
    _fed: dict[str, list[_Fed]] = field(default_factory=dict)

    def feed(self, source: str, series: Mapping[str, str], every: timedelta) -> None:
        """Show these from now on, one step `every`. Between two steps the last value holds; after the last step, and
        at `_` or `stale`, there is none. Raises NotationError."""
        begins = self.clock.monotonic()
        self._fed.setdefault(source, []).extend(
            _Fed(read_series(text), expand(notation), begins, every.total_seconds())
            for text, notation in series.items()
        )

    def read(self, source: str) -> list[tuple[Labels, float]]:
        """What it shows now. Of series that were fed twice the later feed counts."""
        now = self.clock.monotonic()
        shown: dict[Labels, float] = {}
        for fed in self._fed.get(source, ()):
            if (value := fed.at(now)) is not None:
                shown[fed.labels] = value
        return list(shown.items())


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
