"""Silences as the Alertmanager API v2 says them (api/v2/openapi.yaml, postableSilence and gettableSilence).

They are the standing orders of people: what is asked for becomes the command, what stands or stood is shown.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from pydantic import JsonValue, ValidationError
from pydantic_core import PydanticCustomError

from tocsin_detector.core.known import KnownAlert
from tocsin_detector.core.posted import read_moment
from tocsin_playbook.model.references import Matcher, parse_matcher
from tocsin_playbook.standing_orders import StandingOrders
from tocsin_schemas import Actor, Envelope, Event
from tocsin_schemas.commands import Silence
from tocsin_schemas.events import SilenceLifted, SilenceSet
from tocsin_schemas.moments import format_moment
from tocsin_schemas.text import clean_line

__all__ = [
    "GivenSilence",
    "PostedSilence",
    "given_silences",
    "listed",
    "read_silence",
    "shown_silence",
    "silenced_by",
]

KEPT_AFTER_ITS_END = timedelta(days=5)
"""For how long one that is over is shown in the list, as Alertmanager does."""

OWN = "Tocsin"
"""What the names of the system's own alarms begin with; no silence holds for them."""

_OPERATORS = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}
_STATES = ("active", "pending", "expired")
_MAX_MATCHERS = 20


# --- asking for one ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PostedSilence:
    """A silence as it was posted, checked. `replaces`: the id of the one in whose place it comes."""

    match: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    replaces: str

    @property
    def content(self) -> str:
        """A digest of all that it says: who says the same again means the same silence."""
        times = (format_moment(self.starts_at), format_moment(self.ends_at))
        said = [self.match, *times, self.created_by, self.comment, self.replaces]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def command(self, author: str, now: datetime) -> Silence:
        """What is asked for, in this person's name. Who else is named as its creator stands in the reason. Raises
        ValueError naming the field."""
        others = self.created_by not in ("", author)
        because = f"{self.comment} (createdBy: {self.created_by})" if others else self.comment
        try:
            return Silence(
                match=self.match,
                begins_at=self.starts_at if self.starts_at > now else None,
                until=self.ends_at,
                because=because,
                by=Actor.person(author, "alertmanager-api"),
            )
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = {"because": "comment", "match": "matchers", "until": "endsAt"}.get(str(first["loc"][0]), "startsAt")
            raise ValueError(f"{field}: {first['msg'].removeprefix('Value error, ')}") from None


def read_silence(document: JsonValue) -> PostedSilence:
    """The body of `POST /api/v2/silences`. Raises ValueError naming the field."""
    if not isinstance(document, dict):
        raise ValueError("the body is not a silence")
    matchers = document.get("matchers")
    if not isinstance(matchers, list) or not matchers:
        raise ValueError("matchers: at least one is needed")
    if len(matchers) > _MAX_MATCHERS:
        raise ValueError(f"matchers: {len(matchers)} of them; at most {_MAX_MATCHERS} are allowed")
    starts_at, ends_at = (read_moment(document.get(name), name) for name in ("startsAt", "endsAt"))
    if starts_at is None or ends_at is None:
        raise ValueError(f"{'startsAt' if starts_at is None else 'endsAt'}: is missing")
    if not (comment := _text(document, "comment")):
        raise ValueError("comment: is missing")
    return PostedSilence(
        match=tuple(_matcher(given, f"matchers[{index}]") for index, given in enumerate(matchers)),
        starts_at=starts_at,
        ends_at=ends_at,
        created_by=_text(document, "createdBy"),
        comment=comment,
        replaces=_text(document, "id"),
    )


def _matcher(given: JsonValue, place: str) -> str:
    if not isinstance(given, dict):
        raise ValueError(f"{place}: is not an object")
    name, value = _text(given, "name", f"{place}."), _text(given, "value", f"{place}.")
    is_equal, is_pattern = _flag(given, "isEqual", place, default=True), _flag(given, "isRegex", place, default=False)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    text = f'{name}{_OPERATORS[is_equal, is_pattern]}"{escaped}"'
    try:
        return str(parse_matcher(text))
    except PydanticCustomError as error:
        raise ValueError(f"{place}: {clean_line(text, 200)}: {error.message()}") from None


def _text(given: Mapping[str, JsonValue], name: str, place: str = "") -> str:
    value = given.get(name)
    if not (value is None or isinstance(value, str)):
        raise ValueError(f"{place}{name}: is not a text")
    return value or ""


def _flag(given: Mapping[str, JsonValue], name: str, place: str, *, default: bool) -> bool:
    value = given.get(name)
    if not (value is None or isinstance(value, bool)):
        raise ValueError(f"{place}.{name}: is neither true nor false")
    return default if value is None else value


# --- showing them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GivenSilence:
    """A silence that was set, and when it was lifted, if it was."""

    order: SilenceSet
    set_at: datetime
    lifted_at: datetime | None = None

    @property
    def ends_at(self) -> datetime:
        return min(self.lifted_at or self.order.ends_at, self.order.ends_at)

    def state(self, now: datetime) -> str:
        if self.ends_at <= now:
            return "expired"
        return "pending" if now < self.order.begins_at else "active"

    def is_meant(self, filters: Sequence[Matcher]) -> bool:
        """Whether it is one of these: as in Alertmanager, a filter is held against its matchers' texts."""
        texts = {matcher.label: matcher.value for matcher in _matchers(self.order.match)}
        return all(wanted.matches(texts) for wanted in filters)


def given_silences(history: Iterable[Envelope[Event]]) -> dict[str, GivenSilence]:
    """Every silence that was ever set, by its id."""
    given: dict[str, GivenSilence] = {}
    for envelope in history:
        match envelope.data:
            case SilenceSet() as order:
                given[order.silence] = GivenSilence(order, envelope.time)
            case SilenceLifted(silence=name) if name in given:
                given[name] = GivenSilence(given[name].order, given[name].set_at, envelope.time)
            case _:
                pass
    return given


def listed(given: Iterable[GivenSilence], filters: Sequence[Matcher], now: datetime) -> Sequence[GivenSilence]:
    """Those to be listed, as Alertmanager does: active ones first, then those to come, then those that are over."""
    meant = (each for each in given if each.ends_at > now - KEPT_AFTER_ITS_END and each.is_meant(filters))
    return sorted(meant, key=lambda each: (_STATES.index(each.state(now)), each.ends_at, each.order.silence))


def shown_silence(given: GivenSilence, now: datetime) -> dict[str, object]:
    """A gettableSilence."""
    order = given.order
    return {
        "id": order.silence,
        "status": {"state": given.state(now)},
        "updatedAt": format_moment(given.lifted_at or given.set_at),
        "matchers": [
            {
                "name": each.label,
                "value": each.value,
                "isRegex": each.operator in ("=~", "!~"),
                "isEqual": each.operator in ("=", "=~"),
            }
            for each in _matchers(order.match)
        ],
        "startsAt": format_moment(order.begins_at),
        "endsAt": format_moment(given.ends_at),
        "createdBy": order.by.name,
        "comment": order.because,
    }


def silenced_by(alert: KnownAlert, orders: StandingOrders, now: datetime) -> list[str]:
    """The ids of the silences that hold for this alert just now."""
    if alert.rule.startswith(OWN):
        return []
    return [
        each.silence
        for each in orders.silences
        if each.begins_at <= now < each.ends_at and _all_match(_matchers(each.match), alert.labels)
    ]


def _all_match(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    return bool(matchers) and all(matcher.matches(labels) for matcher in matchers)


@lru_cache(maxsize=2048)
def _matchers(match: tuple[str, ...]) -> tuple[Matcher, ...]:
    """None where one of them cannot be read: such a silence mutes nothing."""
    try:
        return tuple(parse_matcher(text) for text in match)
    except PydanticCustomError:
        return ()
