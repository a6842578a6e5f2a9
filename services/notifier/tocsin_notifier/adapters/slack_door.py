"""Where Slack tells of presses of buttons: `POST /slack/interactions`.

What is not signed by Slack, just now, is answered with 401 and nothing else. 200 says that the press is on disk as a
command, or settled without one; 503, which Slack shows to who pressed, that it is not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import parse_qs

import structlog
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tocsin_notifier.adapters.slack_signature import signed_with
from tocsin_notifier.core.clicks import Click
from tocsin_notifier.metrics import PRESSES
from tocsin_runtime import Clock
from tocsin_schemas.strict_json import StrictJsonError, loads

__all__ = ["SlackDoor"]

log = structlog.get_logger(__name__)

PATH = "/slack/interactions"
_MAX_BODY = 256 * 1024  # Slack repeats the whole message, at most some 60 kB of it, escaped twice
_MAX_DEPTH = 64
_ANSWER_WITHIN, _BODY_SECONDS = 2.5, 2.0  # Slack waits for three
_SAID_EVERY = 60.0
"""Seconds between two lines about requests that are not signed: anybody can send such."""


class SlackDoor:
    """Reads what comes, and hands on the presses that Slack vouches for."""

    def __init__(
        self, secrets: Callable[[], Iterable[str]], take: Callable[[Click, float], Awaitable[bool]], clock: Clock
    ) -> None:
        """`take`: whether the press is settled, or at least on disk; it says so within so many seconds."""
        self._secrets, self._take, self._clock = secrets, take, clock
        self._said_at = float("-inf")

    def routes(self) -> Sequence[Route]:
        return (Route(PATH, self._post, methods=["POST"]),)

    async def _post(self, request: Request) -> Response:
        began = self._clock.monotonic()
        try:
            body = await _body(request)
        except _RefusedError as error:
            PRESSES.labels("unreadable").inc()
            return Response(status_code=error.status)
        if (secret := self._signed_with(request, body)) is None:
            PRESSES.labels("not signed").inc()
            return Response(status_code=HTTPStatus.UNAUTHORIZED)
        try:
            click = _click(body, secret)
        except (StrictJsonError, ValidationError, ValueError) as error:
            PRESSES.labels("unreadable").inc()
            log.warning("Slack tells of something that is no press of a button", error=type(error).__name__)
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        settled = await self._take(click, _ANSWER_WITHIN - (self._clock.monotonic() - began))
        PRESSES.labels("taken" if settled else "not taken").inc()
        return Response(status_code=HTTPStatus.OK if settled else HTTPStatus.SERVICE_UNAVAILABLE)

    def _signed_with(self, request: Request, body: bytes) -> str | None:
        moments = request.headers.getlist("x-slack-request-timestamp")
        signatures = request.headers.getlist("x-slack-signature")
        if len(moments) == len(signatures) == 1:
            now = self._clock.now().timestamp()
            if (secret := signed_with(self._secrets(), moments[0], signatures[0], body, now)) is not None:
                return secret
        if self._clock.monotonic() - self._said_at > _SAID_EVERY:
            self._said_at = self._clock.monotonic()
            log.warning("a press of a button is not believed: no signature of Slack's, or an old one", path=PATH)
        return None


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > _MAX_BODY:
                    raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                parts.append(part)
    except TimeoutError:
        raise _RefusedError(HTTPStatus.REQUEST_TIMEOUT) from None
    except ClientDisconnect:
        raise _RefusedError(HTTPStatus.BAD_REQUEST) from None
    return b"".join(parts)


# --- what Slack says (docs.slack.dev/reference/interaction-payloads/block_actions-payload) ----------------------------

_UserId = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{1,30}$")]
_TeamId = Annotated[str, Field(pattern=r"^[TE][A-Z0-9]{1,30}$")]
_Place = Annotated[str, Field(pattern=r"^[CDG][A-Z0-9]{1,30}$")]
_Moment = Annotated[str, Field(pattern=r"^[0-9]{1,12}\.[0-9]{1,9}$")]


class _Part(BaseModel, strict=True, extra="ignore", frozen=True):
    pass


class _User(_Part):
    id: _UserId
    team_id: _TeamId | None = None


class _Team(_Part):
    id: _TeamId


class _Container(_Part):
    type: Literal["message"]
    message_ts: _Moment
    channel_id: _Place
    thread_ts: _Moment | None = None


class _Action(_Part):
    type: Literal["button"]
    action_id: Annotated[str, Field(min_length=1, max_length=255)]
    action_ts: _Moment
    value: Annotated[str, Field(max_length=2000)] = ""


class _Pressed(_Part):
    type: Literal["block_actions"]
    user: _User
    team: _Team | None = None
    enterprise: _Team | None = None
    container: _Container
    actions: list[_Action]
    response_url: Annotated[str, Field(max_length=2000)]


def _click(body: bytes, secret: str) -> Click:
    """Raises ValueError where it is no press of a button in a message."""
    form = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=10, errors="strict")
    (payload,) = form.get("payload", [])
    said = _Pressed.model_validate(loads(payload.encode(), max_bytes=_MAX_BODY, max_depth=_MAX_DEPTH))
    (pressed,) = said.actions  # one press is of one button
    where = said.team or said.enterprise  # an app of a whole organisation is told of no team
    if where is None:
        raise ValueError("neither a team nor an enterprise")
    return Click(
        user=said.user.id,
        team=where.id,
        home=said.user.team_id or where.id,
        channel=said.container.channel_id,
        message=said.container.message_ts,
        name=pressed.action_id,
        value=pressed.value,
        at=pressed.action_ts,
        reply_to=said.response_url,
        signed_with=secret,
        thread=said.container.thread_ts,
    )
