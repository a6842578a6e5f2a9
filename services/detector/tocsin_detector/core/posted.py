"""Reading alerts as the Alertmanager API v2 takes them (api/v2/openapi.yaml, postableAlert): checked, and bounded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from tocsin_schemas import Labels
from tocsin_schemas.ids import fingerprint
from tocsin_schemas.moments import EARLIEST, LATEST
from tocsin_schemas.text import clean_line, clean_text

__all__ = ["MAX_ALERTS", "PostedAlert", "RefusedAlert", "read_moment", "read_posted"]

MAX_ALERTS = 10_000
_MAX_ANNOTATIONS = 64
_UNSET = "0001-01-01"  # what Go's programs (amtool, Grafana) send for a moment that is not set


@dataclass(frozen=True, slots=True)
class PostedAlert:
    """One alert as it was posted, checked."""

    labels: Labels
    annotations: Mapping[str, str]
    starts_at: datetime | None
    ends_at: datetime | None
    generator_url: str
    fingerprint: str

    @property
    def name(self) -> str:
        return self.labels.get("alertname") or "unnamed"


@dataclass(frozen=True, slots=True)
class RefusedAlert:
    """One alert of the request that cannot be taken, and why."""

    index: int
    reason: str


def read_posted(document: JsonValue) -> tuple[tuple[PostedAlert, ...], tuple[RefusedAlert, ...]]:
    """Sort the body of `POST /api/v2/alerts` into what can be taken and what cannot.

    Raises ValueError where the body is not a list of at most 10,000 alerts.
    """
    if not isinstance(document, list):
        raise ValueError("the body is not a list of alerts")
    if len(document) > MAX_ALERTS:
        raise ValueError(f"{len(document)} alerts in one request; at most {MAX_ALERTS} are allowed")
    good: list[PostedAlert] = []
    bad: list[RefusedAlert] = []
    for index, item in enumerate(document):
        try:
            good.append(_read_one(item))
        except ValueError as error:
            bad.append(RefusedAlert(index, clean_line(str(error), 300)))
    return tuple(good), tuple(bad)


def _read_one(item: JsonValue) -> PostedAlert:
    if not isinstance(item, dict):
        raise ValueError("is not an object")
    labels = _labels(item.get("labels"))
    starts_at, ends_at = read_moment(item.get("startsAt"), "startsAt"), read_moment(item.get("endsAt"), "endsAt")
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        raise ValueError("endsAt lies before startsAt")
    url = item.get("generatorURL")
    if not (url is None or isinstance(url, str)):
        raise ValueError("generatorURL is not a text")
    annotations = _annotations(item.get("annotations"))
    return PostedAlert(labels, annotations, starts_at, ends_at, clean_line(url or ""), fingerprint(labels))


def _labels(value: JsonValue) -> Labels:
    try:
        labels = Labels(_texts(value, "labels"))
    except ValueError as error:
        raise ValueError(str(error) if str(error).startswith("label") else f"labels: {error}") from None
    if not labels:
        raise ValueError("labels: at least one label is needed")
    return labels


def _annotations(value: JsonValue) -> Mapping[str, str]:
    texts = _texts(value, "annotations")
    if len(texts) > _MAX_ANNOTATIONS:
        raise ValueError(f"annotations: {len(texts)} of them; at most {_MAX_ANNOTATIONS} are allowed")
    if "" in texts:
        raise ValueError("annotations: one has no name")
    return {clean_line(name, 128): clean_text(text) for name, text in texts.items()}


def _texts(value: JsonValue, field: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{field} is not an object")
    texts: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(text, str):
            raise ValueError(f"{field}.{name[:64]} is not a text")
        texts[name] = text
    return texts


def read_moment(value: JsonValue, field: str) -> datetime | None:
    """RFC 3339; none where it is not set. What lies outside of 1970 to 2200 is taken for the nearer of the two: some
    mean "for ever" by it. Raises ValueError naming the field."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f"{field} is not a text")
    if value.startswith(_UNSET):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{field} {value[:40]!r}: {error}") from None
    if moment.tzinfo is None:
        raise ValueError(f"{field} {value[:40]!r}: has no time zone")
    return min(max(moment, EARLIEST), LATEST).astimezone(EARLIEST.tzinfo)
