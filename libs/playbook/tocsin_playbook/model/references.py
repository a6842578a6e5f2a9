"""Things a playbook points at: people and channels, secrets kept elsewhere, alerts by their labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from tocsin_playbook.model.base import Section, refuse
from tocsin_playbook.model.scalars import NAME_PATTERN, plain_text

RESERVED_CHANNEL_NAMES = ("person", "team", "schedule", "channel")
"""Words that begin a reference, and so cannot name a channel."""


class PersonRef(Section):
    """`person:ada`"""

    kind: Literal["person"] = "person"
    name: str

    def __str__(self) -> str:
        return f"person:{self.name}"


class TeamRef(Section):
    """`team:shop`: every member."""

    kind: Literal["team"] = "team"
    name: str

    def __str__(self) -> str:
        return f"team:{self.name}"


class ScheduleRef(Section):
    """`schedule:primary`: whoever is on call at the time."""

    kind: Literal["schedule"] = "schedule"
    name: str

    def __str__(self) -> str:
        return f"schedule:{self.name}"


class ChannelRef(Section):
    """`channel:slack:#incidents`, or for short `slack:#incidents`: a place, not a person."""

    kind: Literal["channel"] = "channel"
    name: str
    address: str | None = None
    """None: the channel's own default address."""

    def __str__(self) -> str:
        return f"channel:{self.name}" + (f":{self.address}" if self.address is not None else "")


AnyTarget = PersonRef | TeamRef | ScheduleRef | ChannelRef
_NAMED: dict[str, type[PersonRef] | type[TeamRef] | type[ScheduleRef]] = {
    "person": PersonRef,
    "team": TeamRef,
    "schedule": ScheduleRef,
}
_EXPECTED = "person:<name>, team:<name>, schedule:<name> or channel:<channel>:<address>"
_NAME = re.compile(NAME_PATTERN.removeprefix("^").removesuffix("$"))


def parse_target(value: object) -> AnyTarget:
    """`"person:ada"` → PersonRef(name="ada"), and so on for teams, schedules and channels."""
    if isinstance(value, PersonRef | TeamRef | ScheduleRef | ChannelRef):
        return value
    if not isinstance(value, str) or not 0 < len(value) <= 400:
        raise refuse("this is no reference", _EXPECTED)
    kind, colon, rest = value.partition(":")
    if kind in _NAMED:
        return _NAMED[kind](name=_checked_name(value, rest))
    if not colon:
        raise refuse(f"{value[:40]!r} does not say what it refers to", _EXPECTED)
    channel, has_address, address = rest.partition(":") if kind == "channel" else (kind, colon, rest)
    if has_address and (not address.strip() or plain_text(address) != address.strip() or "\n" in address):
        raise refuse("the address is empty or has spaces around it", _EXPECTED)
    return ChannelRef(name=_checked_name(value, channel), address=address or None)


def _checked_name(whole: str, name: str) -> str:
    if _NAME.fullmatch(name):
        return name
    raise refuse(f"{whole[:40]!r} is no reference", _EXPECTED)


Target = Annotated[
    AnyTarget,
    BeforeValidator(parse_target),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[^:]+:.+$",
            "examples": ["person:ada", "team:shop", "schedule:primary", "channel:slack:#incidents"],
        }
    ),
]


class SecretRef(Section):
    """Where a secret is kept. A playbook never holds the secret itself."""

    env: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        return f"environment variable {self.env}" if self.env else f"file {self.file}"


def parse_secret(value: object) -> SecretRef:
    """`{env: NAME}` or `{file: /path}`. Never repeats what it was given: it may be a secret."""
    expected = "{env: NAME} or {file: /path}"
    if isinstance(value, SecretRef):
        return value
    if not isinstance(value, Mapping):
        raise refuse("a secret stands in the playbook itself", expected)
    if set(value) == {"env"} and _is(r"[A-Za-z_][A-Za-z0-9_]{0,127}", value["env"]):
        return SecretRef(env=value["env"])
    if set(value) == {"file"} and _is(r"/(?!.*(?:^|/)\.\.(?:/|$))[A-Za-z0-9_./\-]{1,400}", value["file"]):
        return SecretRef(file=value["file"])
    raise refuse("this does not say where the secret is kept", expected)


def _is(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


_SECRET_SCHEMA = {
    "oneOf": [
        {
            "type": "object",
            "properties": {"env": {"type": "string", "description": "The environment variable that holds it."}},
            "required": ["env"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"file": {"type": "string", "description": "The file that holds it, an absolute path."}},
            "required": ["file"],
            "additionalProperties": False,
        },
    ]
}
Secret = Annotated[SecretRef, BeforeValidator(parse_secret), WithJsonSchema(_SECRET_SCHEMA)]


class Matcher(Section):
    """One condition on a label, as Alertmanager writes it: `service="checkout"`, `zone=~"eu-.*|us-.*"`.

    Patterns are alternatives of words with `.*` and `.+` in them and match the whole value, so
    that matching takes linear time whatever the label holds. A label that is not there is empty.
    """

    label: str
    operator: Literal["=", "!=", "=~", "!~"]
    value: str

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.label}{self.operator}"{escaped}"'

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels is meant."""
        actual = labels.get(self.label, "")
        if self.operator in ("=", "!="):
            return (actual == self.value) is (self.operator == "=")
        found = any(_fits(word, actual) for word in self.value.split("|"))
        return found is (self.operator == "=~")

    @property
    def matches_anything(self) -> bool:
        """Whether every alert fits, whatever its labels."""
        words = self.value.split("|")
        return self.operator == "=~" and any(word and not word.replace(".*", "") for word in words)


_MATCHER = re.compile(r'([A-Za-z_][A-Za-z0-9_]{0,127})(=~|!~|!=|=)"((?:[^"\\\n]|\\["\\.])*)"')
_WORD = re.compile(r"(?:\\\.|\.\*|\.\+|[^\\.*+?()\[\]{}^$|])*")


def parse_matcher(value: object) -> Matcher:
    """`'service="checkout"'` → Matcher."""
    expected = 'a matcher like service="checkout" or zone=~"eu-.*|us-.*"'
    if isinstance(value, Matcher):
        return value
    match = _MATCHER.fullmatch(value) if isinstance(value, str) and len(value) <= 1200 else None
    if match is None:
        raise refuse("this is no matcher", expected)
    label, operator, text = match[1], match[2], plain_text(match[3])
    is_pattern = operator in ("=~", "!~")
    text = re.sub(r'\\(["\\])' if is_pattern else r'\\(["\\.])', r"\1", text)
    if is_pattern:
        words = text.split("|")
        if not all(_WORD.fullmatch(word) for word in words):
            raise refuse("the pattern is more than alternatives of words with .* in them", expected)
    return Matcher.model_validate({"label": label, "operator": operator, "value": text})


_WILDCARD = re.compile(r"(?<!\\)\.([*+])")


def _fits(word: str, actual: str) -> bool:
    """Whether the whole of `actual` is `word`, in linear time: each literal at its leftmost place."""
    pieces = _WILDCARD.split(word)
    literals = [piece.replace("\\.", ".") for piece in pieces[::2]]
    gaps = [1 if wildcard == "+" else 0 for wildcard in pieces[1::2]]
    if not gaps:
        return actual == literals[0]
    if not actual.startswith(literals[0]):
        return False
    at = len(literals[0])
    for gap, literal in zip(gaps[:-1], literals[1:-1], strict=True):
        found = actual.find(literal, at + gap)
        if found < 0:
            return False
        at = found + len(literal)
    return actual.endswith(literals[-1]) and len(actual) - len(literals[-1]) >= at + gaps[-1]


AlertMatcher = Annotated[
    Matcher,
    BeforeValidator(parse_matcher),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ['service="checkout"', 'zone=~"eu-.*"']}),
]
