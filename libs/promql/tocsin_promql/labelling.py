"""What operators leave of labels. The same few are asked for at every evaluation, so they are remembered."""

from functools import lru_cache

from tocsin_schemas.labels import Labels

__all__ = ["METRIC_NAME", "NO_LABELS", "only", "without", "without_name"]

METRIC_NAME = "__name__"
NO_LABELS = Labels()

_REMEMBERED = 50_000


@lru_cache(maxsize=_REMEMBERED)
def only(labels: Labels, names: tuple[str, ...]) -> Labels:
    """Those of the labels that are named."""
    return Labels({name: labels[name] for name in names if name in labels})


@lru_cache(maxsize=_REMEMBERED)
def without(labels: Labels, names: tuple[str, ...]) -> Labels:
    """The labels that are not named."""
    return Labels({name: value for name, value in labels.items() if name not in names})


@lru_cache(maxsize=_REMEMBERED)
def without_name(labels: Labels) -> Labels:
    """The labels without the metric's name: what arithmetic leaves of them."""
    return without(labels, (METRIC_NAME,)) if METRIC_NAME in labels else labels
