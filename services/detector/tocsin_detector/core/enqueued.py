"""Reading events as PagerDuty's Events API v2 takes them (`POST /v2/enqueue`): checked, bounded, and made an alert."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from pydantic import JsonValue

from tocsin_schemas import Labels
from tocsin_schemas.moments import EARLIEST, LATEST
from tocsin_schemas.text import clean_line, clean_text

__all__ = [
    "SOURCE",
    "Action",
    "EnqueuedAlert",
    "EnqueuedEvent",
    "InvalidEventError",
    "Trigger",
    "fingerprint_of",
    "read_event",
]

SOURCE = "pagerduty-events"

Action = Literal["trigger", "acknowledge", "resolve"]
SEVERITIES = ("critical", "error", "warning", "info")
MAX_KEY = 255
MAX_SUMMARY = 1024
_MAX_DETAIL_LABELS = 32
_LONGEST_LABEL = 256
_MAX_ANNOTATIONS = 60
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,127}")
_OF_THE_PAYLOAD = ("component", "group", "class")


class InvalidEventError(ValueError):
    """The event is not taken; `errors` says why, one sentence a field, as PagerDuty does."""

    def __init__(self, *errors: str) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Trigger:
    """What a trigger tells of the alert. `labels` are those that its fields give, without the sender and the key."""

    summary: str
    severity: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    at: datetime | None
    link: str


@dataclass(frozen=True, slots=True)
class EnqueuedEvent:
    """One event, checked. `dedup_key` is empty where a trigger came without one."""

    action: Action
    dedup_key: str
    trigger: Trigger | None = None

    def of(self, integration: str, dedup_key: str) -> "EnqueuedAlert":
        """What it says of the alert that has this key at this sender."""
        own = {"integration": integration, "dedup_key": dedup_key}
        labels = Labels({**self.trigger.labels, **own} if self.trigger is not None else own)
        return EnqueuedAlert(fingerprint_of(integration, dedup_key), labels, self.trigger)


@dataclass(frozen=True, slots=True)
class EnqueuedAlert:
    """A firing (`trigger`), or the end, of the alert that one sender calls by one key. The fingerprint follows from
    these two alone: whatever else a later event tells, it is the same alert."""

    fingerprint: str
    labels: Labels
    trigger: Trigger | None


def read_event(document: JsonValue) -> EnqueuedEvent:
    """The body of `POST /v2/enqueue`, whoever sends it: its routing key is not looked at. Raises InvalidEventError."""
    if not isinstance(document, dict):
        raise InvalidEventError("the body is not an object")
    errors: list[str] = []
    action = _required(document, "event_action", errors)
    dedup_key = _dedup_key(document.get("dedup_key"), errors)
    if action and action not in get_args(Action):
        errors.append("'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')")
    trigger = None
    if action == "trigger":
        trigger = _trigger(document, errors)
    elif not dedup_key:
        errors.append("'dedup_key' is missing or blank")
    if errors:
        raise InvalidEventError(*dict.fromkeys(errors))
    return EnqueuedEvent(action, dedup_key, trigger)  # type: ignore[arg-type]  # one of the three, or refused


# --- fields -----------------------------------------------------------------------------------------------------------


def _required(given: Mapping[str, JsonValue], name: str, errors: list[str], place: str = "") -> str:
    value = given.get(name)
    if isinstance(value, str) and value.strip():
        return value
    errors.append(f"'{place}{name}' is missing or blank")
    return ""


def _dedup_key(value: JsonValue, errors: list[str]) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        errors.append("'dedup_key' is not a text")
        return ""
    if len(value) > MAX_KEY:
        errors.append(f"Length of 'dedup_key' is incorrect (should be at most {MAX_KEY} characters)")
        return ""
    try:
        Labels(dedup_key=value)
    except ValueError:
        errors.append("'dedup_key' contains control or direction characters")
        return ""
    return value


def _trigger(document: Mapping[str, JsonValue], errors: list[str]) -> Trigger | None:
    payload = document.get("payload")
    if not isinstance(payload, dict):
        errors.append("'payload' is missing or blank")
        return None
    summary = " ".join(_required(payload, "summary", errors, "payload.").split())
    if len(summary) > MAX_SUMMARY:
        errors.append(f"Length of 'payload.summary' is incorrect (should be at most {MAX_SUMMARY} characters)")
    source = clean_line(" ".join(_required(payload, "source", errors, "payload.").split()))
    severity = _required(payload, "severity", errors, "payload.")
    if severity and severity not in SEVERITIES:
        errors.append(
            "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
        )
    at = _moment(payload.get("timestamp"), errors)
    fields = {name: _text(payload, name, errors, "payload.") for name in _OF_THE_PAYLOAD}
    if errors:
        return None
    labels, annotations = _details(payload.get("custom_details"))
    named = labels.pop("alertname", "") or fields["class"] or summary
    labels |= {name: clean_line(text) for name, text in fields.items() if text}
    labels |= {"alertname": clean_line(named, 128), "severity": severity, "source": source}
    link = _text(document, "client_url", []) or next(iter(_addresses(document.get("links"))), "")
    said = {
        "summary": clean_line(summary),
        "client": clean_line(_text(document, "client", [])),
        "links": clean_text("\n".join(_addresses(document.get("links")))),
        "images": clean_text("\n".join(_addresses(document.get("images")))),
    }
    annotations |= {name: text for name, text in said.items() if text}
    return Trigger(clean_line(summary), severity, labels, annotations, at, clean_line(link))


def _text(given: Mapping[str, JsonValue], name: str, errors: list[str], place: str = "") -> str:
    value = given.get(name)
    if value is None or isinstance(value, str):
        return " ".join((value or "").split())
    errors.append(f"'{place}{name}' is not a text")
    return ""


def _moment(value: JsonValue, errors: list[str]) -> datetime | None:
    """ISO 8601. A time without a zone is UTC, as senders mean it."""
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        errors.append("'payload.timestamp' is invalid (must be a moment of ISO 8601)")
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return min(max(moment, EARLIEST), LATEST).astimezone(UTC)


def _details(given: JsonValue) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations. A short text on one line whose name can be a label's is one; all else is there to be
    read."""
    if not isinstance(given, dict):
        return {}, {} if given in (None, "") else {"custom_details": clean_text(_shown(given))}
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for name, value in given.items():
        text = _shown(value)
        is_label = isinstance(value, str) and len(text) <= _LONGEST_LABEL and "\n" not in text
        if is_label and _LABEL.fullmatch(name) and len(labels) < _MAX_DETAIL_LABELS:
            labels[name] = clean_line(text)
        elif name and len(annotations) < _MAX_ANNOTATIONS:
            annotations[clean_line(name, 128)] = clean_text(text)
    return labels, annotations


def _shown(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _addresses(given: JsonValue) -> list[str]:
    """Where links and images lead. What is no list of these tells nothing: it is no reason to lose a page."""
    found = []
    for each in given if isinstance(given, list) else []:
        address = (each.get("href") or each.get("src")) if isinstance(each, dict) else None
        if isinstance(address, str) and address:
            found.append(address)
    return found


def fingerprint_of(integration: str, dedup_key: str) -> str:
    """The fingerprint of the alert that this sender calls by this key."""
    return hashlib.sha256(json.dumps([SOURCE, integration, dedup_key]).encode()).hexdigest()[:16]
