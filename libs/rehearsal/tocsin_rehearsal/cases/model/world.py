"""How the world outside answers: what actions and messages meet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from tocsin_playbook.model.base import Section, exactly_one, refuse
from tocsin_playbook.model.durations import PositiveDuration
from tocsin_playbook.model.scalars import Flag, Line, PositiveCount, Text
from tocsin_rehearsal.cases.model.times import OneOrMore, Otherwise, Spell, item_of, listed

Switch = Literal["up", "down"]
Status = Annotated[int, Field(strict=True, ge=100, le=599)]
_NO_ANSWER = ("hang", "lost_after_effect", "refuse")


class _Reply(Section):
    """What answers and troubles have in common: a status, or one of the ways of not answering."""

    status: Status | None = Field(default=None, description="The answer's status, such as 200, 429 or 503.")
    hang: Flag = Field(default=False, description="true: there is never an answer.")
    lost_after_effect: Flag = Field(
        default=False, description="true: it was carried out, and the answer is lost on the way back."
    )
    refuse: Flag = Field(default=False, description="true: no connection can be made.")
    times: PositiveCount | None = Field(default=None, description="How many times in a row.")

    @model_validator(mode="after")
    def _one_way(self) -> _Reply:
        silent = [name for name in _NO_ANSWER if getattr(self, name)]
        given = [
            name for name in ("status", "body", "json_body", "retry_after") if getattr(self, name, None) is not None
        ]
        if len(silent) > 1 or (silent and given):
            names = " and ".join(name.removesuffix("_body") for name in (*silent, *given))
            raise refuse(f"{names} exclude each other", "an answer, or one way of not answering")
        return self


class Answer(_Reply):
    """One answer to an HTTP request. With nothing said it is a plain 200."""

    body: Text | None = Field(default=None, description="The answer's text.")
    json_body: JsonValue | None = Field(default=None, alias="json", description="The answer's JSON.")
    takes: PositiveDuration | None = Field(default=None, description="How long it takes; default: no time.")

    @model_validator(mode="after")
    def _one_body(self) -> Answer:
        if self.body is not None and self.json_body is not None:
            raise refuse("body and json exclude each other", "one of body and json")
        return self


class HttpRule(Section):
    """How some HTTP requests are answered: those of one step of a runbook, or those to an address."""

    action: Line | None = Field(
        default=None, description="The requests of this step: its name, or `runbook/step` where several have it."
    )
    url: Line | None = Field(default=None, description="The requests to this address; `*` stands for any text.")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] | None = Field(
        default=None, description="Only requests with this method; default: all."
    )
    answers: OneOrMore[Answer] = Field(
        description="In this order, each `times` times (default once). The last is repeated, unless it says how often; "
        "then everything is well again: 200."
    )

    @model_validator(mode="after")
    def _one_target(self) -> HttpRule:
        exactly_one(self, "action", "url")
        return self


class ChannelTrouble(_Reply, Spell):
    """What happens to messages in a channel."""

    retry_after: PositiveDuration | None = Field(
        default=None, description="With a status such as 429: when the channel asks to be tried again."
    )

    @model_validator(mode="after")
    def _says_something(self) -> ChannelTrouble:
        if self.status is None and not any(getattr(self, name) for name in _NO_ANSWER):
            raise refuse("this is no trouble", "status, hang, lost_after_effect or refuse; or the word down")
        return self


_STATES: dict[str, list[object]] = {"up": [], "down": [{"refuse": True}]}


def _troubles(value: object) -> object:
    if isinstance(value, str):
        if value in _STATES:
            return _STATES[value]
        raise refuse(f"{value[:40]!r} is no state of a channel", "up, down, or what it answers, such as {status: 429}")
    return value


ChannelState = Annotated[
    tuple[ChannelTrouble, ...],
    Field(max_length=100),
    BeforeValidator(listed),
    BeforeValidator(_troubles),
    Otherwise(lambda schema: [item_of(schema), {"enum": ["up", "down"]}]),
]
"""What a channel does; empty: it works."""


class World(Section):
    """Everything outside. Besides the keys below, each channel of the playbook by its name: `slack: {status: 429}`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, ChannelState]

    http: OneOrMore[HttpRule] = Field(
        default=(), description="How HTTP requests of actions and checks are answered; default: 200."
    )
    nats: Switch | None = Field(default=None, description="`down` or `up`: the message bus.")
    redis: Switch | None = Field(default=None, description="`down` or `up`: Redis.")

    @property
    def channels(self) -> dict[str, tuple[ChannelTrouble, ...]]:
        """Channels by name; a channel that works has no trouble."""
        return dict(self.__pydantic_extra__ or {})
