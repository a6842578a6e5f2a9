"""What is known of what an incident does to people: said by its alerts, or by a person."""

from collections.abc import Mapping
from typing import Any

from tocsin_escalator.core.incident import IncidentState
from tocsin_schemas import Impact, Labels

__all__ = ["known_of", "said_by", "together", "told_by"]

_YES = frozenset({"true", "yes", "1"})
_NO = frozenset({"false", "no", "0"})


def said_by(labels: Labels, annotations: Mapping[str, str]) -> Impact:
    """What an alert's labels and annotations of the names of an impact say; an annotation wins.

    `users_affected` is a share such as 0.35 or 35%, the others are true or false (yes, no, 1, 0). What cannot be read
    is not known.
    """
    said: dict[str, Any] = {}
    for name in Impact.model_fields:
        text = annotations.get(name, labels.get(name, "")).strip().lower()
        value = _share(text) if name == "users_affected" else _flag(text)
        if value is not None:
            said[name] = value
    return Impact(**said) if said else _NOTHING


def together(known: Impact | None, said: Impact) -> Impact:
    """What is known once this was said too: the newer wins."""
    return said if known is None else known.model_copy(update=said.model_dump(exclude_none=True))


def told_by(state: IncidentState, alert: Impact) -> Impact:
    """What is known of the incident once an alert has said this: the newer wins, but not over a person."""
    news = {name: value for name, value in alert if name not in state.impact_by_people}
    return together(state.impact, Impact(**news))


def known_of(impact: Impact | None) -> dict[str, float | bool]:
    """What is known, by name."""
    return {} if impact is None else impact.model_dump(exclude_none=True)


_NOTHING = Impact()


def _flag(text: str) -> bool | None:
    return True if text in _YES else False if text in _NO else None


def _share(text: str) -> float | None:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None
