"""How a factory finds values: those that are said, then those that fit together, then what the annotations allow."""

import enum
import types
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from tocsin_playbook import load, revision_of
from tocsin_schemas import Actor, Labels, PlaybookRef
from tocsin_schemas.events import IncidentOpened
from tocsin_schemas.ids import alert_episode, derive_id, fingerprint, group_key_digest, incident_id
from tocsin_schemas.signals import PlaybookPublished

__all__ = ["ADA", "INCIDENT", "LABELS", "NOW", "OTHER_INCIDENT", "PLAYBOOK", "PLAYBOOK_TEXT", "SYSTEM", "Factory"]

M = TypeVar("M", bound=BaseModel)

Values = Mapping[str, Any]  # values of fields, whatever these hold

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""A Monday morning: when a virtual world begins, too."""

ADA = Actor.person("ada", "cli")
SYSTEM = Actor.system("escalator")
LABELS = Labels(alertname="CheckoutErrors", service="checkout")
"""The labels of the alert."""

PLAYBOOK_TEXT = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P1}, {name: P2}]
group: {by: [service]}
oncall:
  people:
    - {name: ada, contacts: [{channel: terminal, address: ada}]}
escalate:
  - severities: [P1, P2]
    levels: [{after: 0s, notify: ["person:ada"]}]
communicate:
  channels: [{name: terminal, console: {}}]
"""
PLAYBOOK = PlaybookRef(name="shop", revision=revision_of(PLAYBOOK_TEXT))

_GROUP = Labels(service="checkout")
_GROUP_KEY = group_key_digest(_GROUP.items(), PLAYBOOK.name)
INCIDENT = incident_id(_GROUP_KEY, 0)
"""The incident that everything is about, where nothing else is said."""
OTHER_INCIDENT = incident_id(group_key_digest(Labels(service="payments").items(), PLAYBOOK.name), 0)
"""The one that it has to do with, where it has to do with one."""

_MINUTES = timedelta(minutes=5)

_USUAL: Values = {
    "abandon_at": NOW + _MINUTES,
    "action": derive_id("factory", "action"),
    "after": "P1",
    "before": "P2",
    "begins_at": NOW,
    "by": ADA,
    "channel": "slack",
    "claimed_by": "remediator-1",
    "deadline": derive_id("factory", "deadline"),
    "deliveries": 1,
    "due_at": NOW + _MINUTES,
    "ends_at": NOW + _MINUTES,
    "execution": derive_id("factory", "execution"),
    "group_key": _GROUP_KEY,
    "incident": INCIDENT,
    "level": 0,
    "notification": derive_id("factory", "notification"),
    "override": derive_id("factory", "override"),
    "page": derive_id("factory", "page"),
    "person": "ada",
    "playbook": PLAYBOOK,
    "reason": "the target does not answer",
    "recipient": "person:ada",
    "runbook": "checkout-failing",
    "severity": "P1",
    "silence": derive_id("factory", "silence"),
    "source": "shop",
    "step": "clear-cache",
    "target": "person:ada",
    "until": NOW + timedelta(hours=1),
    "watch_until": NOW + _MINUTES,
}
"""By the name of a field that must be given."""


class Factory(Generic[M]):
    """Makes values of one model. `changes` are fields by name; everything else is always the same.

    Raises TypeError for a field that the model has not, and pydantic's ValidationError for a value that it refuses.
    """

    def __init__(self, model: type[M], **usual: Any) -> None:  # Any: a field's value, which the model checks
        self.model = model
        self._usual = usual

    def __call__(self, **changes: Any) -> M:  # Any: as above
        fields = self.model.model_fields
        if unknown := sorted(changes.keys() - fields.keys()):
            raise TypeError(f"{self.model.__name__} has no field {unknown[0]!r}; it has {', '.join(fields)}")
        return self.model(**{**_values(self.model, self._usual), **_fitting(self.model, changes), **changes})

    def __repr__(self) -> str:
        return f"Factory({self.model.__name__})"


def _values(model: type[BaseModel], usual: Values) -> dict[str, Any]:
    """A value for each field that must be given, and what this factory gives besides."""
    needed = {name: field for name, field in model.model_fields.items() if field.is_required() and name not in usual}
    return {**{name: _value(name, field) for name, field in needed.items()}, **usual}


def _value(name: str, field: FieldInfo) -> object:
    kind = datetime if field.annotation is AwareDatetime else field.annotation
    if name in _USUAL and isinstance(kind, type) and isinstance(_USUAL[name], kind):
        return _USUAL[name]
    return _of_kind(kind, name)


# --- what fits together -----------------------------------------------------------------------------------------------


def _fitting(model: type[BaseModel], changes: Values) -> dict[str, Any]:
    """What follows from these values for others."""
    if model is PlaybookPublished and "text" in changes and "playbook" not in changes:
        loaded = load(changes["text"])
        return {"playbook": PlaybookRef(name=loaded.playbook.metadata.name, revision=loaded.revision)}
    if model is IncidentOpened:
        return _group(changes)
    return _firing(model, changes) if "fingerprint" in model.model_fields else {}


def _group(changes: Values) -> dict[str, Any]:
    labels = Labels(changes.get("labels", _GROUP))
    playbook = PlaybookRef.model_validate(changes.get("playbook", PLAYBOOK))
    return {"labels": labels, "group_key": group_key_digest(labels.items(), playbook.name)}


def _firing(model: type[BaseModel], changes: Values) -> dict[str, Any]:
    """The alert of these labels, or of this rule: its fingerprint, its rule, its first firing."""
    labels = Labels(changes.get("labels", LABELS))
    if "rule" in changes and "labels" not in changes:
        labels = labels.with_labels(alertname=changes["rule"])
    mark = changes.get("fingerprint", fingerprint(labels))
    fitting = {
        "labels": labels,
        "rule": labels.get("alertname", "CheckoutErrors"),
        "fingerprint": mark,
        "episode": alert_episode(mark, "1"),
    }
    return {name: value for name, value in fitting.items() if name in model.model_fields}


# --- what an annotation allows ----------------------------------------------------------------------------------------


def _of_kind(annotation: Any, name: str) -> object:  # Any: annotations are anything
    """A value of this kind; for a text its field's name."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of_kind(arguments[0], name)
    if origin is Literal:
        first: object = arguments[0]
        return first
    if origin in (Union, types.UnionType):
        return _of_kind(arguments[0], name)
    if origin is not None:
        return origin()  # an empty tuple, list or mapping
    if issubclass(annotation, enum.Enum):
        return next(iter(annotation))
    if issubclass(annotation, BaseModel):
        return Factory(annotation)()
    return _PLAIN[annotation](name)


_PLAIN: Mapping[Any, Callable[[str], object]] = {
    str: lambda name: name,
    bool: lambda _: False,
    int: lambda _: 1,
    float: lambda _: 1.0,
    timedelta: lambda _: _MINUTES,
    datetime: lambda _: NOW,
    Labels: lambda _: LABELS,
}
