"""The series of several sources as one store: what a rule without a `source` looks at."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from tocsin_promql import EvaluationError, SeriesStore
from tocsin_promql.nodes import Matcher
from tocsin_promql.series import Series

__all__ = ["Together"]


class Together(SeriesStore):
    """To be read only. Two instances of one program have series with the same labels. Mixed into one series their
    counters would seem to be reset at every scrape; so these, and only these, get a label `source`."""

    def __init__(self, stores: Mapping[str, SeriesStore]) -> None:
        super().__init__(retention=timedelta(0))
        self._stores = stores

    def select(self, matchers: tuple[Matcher, ...]) -> tuple[Series, ...]:
        found = [(name, series) for name, store in self._stores.items() for series in store.select(matchers)]
        count = Counter(series.labels for _, series in found)
        return tuple(series if count[series.labels] == 1 else _of_source(name, series) for name, series in found)


def _of_source(name: str, series: Series) -> Series:
    try:
        return Series(series.labels.with_labels(source=name), series.times, series.values)
    except ValueError as error:
        raise EvaluationError(f"the same series in several sources: {error}") from None
