"""The identity of a series: its labels, of which `__name__` is the metric's name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

METRIC_NAME = "__name__"

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Labels(Mapping[str, str]):
    """An immutable, sorted, hashable set of labels. A label with an empty value is the same as no label.

    >>> Labels({"__name__": "up", "job": "shop"})
    up{job="shop"}

    Nothing is checked here beyond that: the text parsers bound what they read.
    """

    __slots__ = ("_hash", "_pairs", "_unnamed")

    def __init__(self, labels: Mapping[str, str] | None = None, **more: str) -> None:
        given = {**(labels or {}), **more}
        self._pairs: dict[str, str] = {name: given[name] for name in sorted(given) if given[name]}
        self._hash: int | None = None
        self._unnamed: Labels | None = None

    @classmethod
    def _of_sorted(cls, pairs: dict[str, str]) -> Labels:
        labels = cls.__new__(cls)
        labels._pairs = pairs
        labels._hash = None
        labels._unnamed = None
        return labels

    def __getitem__(self, name: str) -> str:
        return self._pairs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(tuple(self._pairs.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Labels):
            return self._pairs == other._pairs
        return NotImplemented

    def __repr__(self) -> str:
        """As Prometheus writes a series, which its parser reads again."""
        inside = ", ".join(f'{k}="{v.translate(_ESCAPES)}"' for k, v in self._pairs.items() if k != METRIC_NAME)
        name = self.metric
        return f"{name}{{{inside}}}" if inside or not name else name

    @property
    def metric(self) -> str:
        """The metric's name, or an empty text."""
        return self._pairs.get(METRIC_NAME, "")

    def value(self, name: str) -> str:
        """The label's value; empty when there is no such label, as PromQL sees it."""
        return self._pairs.get(name, "")

    def unnamed(self) -> Labels:
        """These labels without the metric's name."""
        if self._unnamed is None:
            self._unnamed = self.without((METRIC_NAME,)) if METRIC_NAME in self._pairs else self
        return self._unnamed

    def only(self, names: Iterable[str]) -> Labels:
        """These labels, of which only those named are kept."""
        kept = set(names)
        return Labels._of_sorted({k: v for k, v in self._pairs.items() if k in kept})

    def without(self, names: Iterable[str]) -> Labels:
        """These labels except those named."""
        dropped = set(names)
        return Labels._of_sorted({k: v for k, v in self._pairs.items() if k not in dropped})

    def with_labels(self, labels: Mapping[str, str] | None = None, **more: str) -> Labels:
        """These labels and the given ones, which win; an empty value removes a label."""
        return Labels({**self._pairs, **(labels or {}), **more})


NO_LABELS = Labels()
