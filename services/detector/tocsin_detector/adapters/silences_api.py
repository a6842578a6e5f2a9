"""Silences of the Alertmanager API v2: amtool, Alertmanager's page, karma and Grafana set and lift them here.

Each is a standing order, in the name of whose access token it comes with; the escalator decides and answers. Reading
asks for no token.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tocsin_detector.adapters.requests import RefusedRequestError, problem, read_body
from tocsin_detector.core.filters import read_filter
from tocsin_detector.core.silences import (
    GivenSilence,
    PostedSilence,
    given_silences,
    listed,
    read_silence,
    shown_silence,
)
from tocsin_playbook.access import is_refusal
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_runtime.asking import Asking
from tocsin_runtime.orders import Orders
from tocsin_runtime.tokens import HOW_TO_GET_ONE, Tokens, bearer
from tocsin_schemas import Actor
from tocsin_schemas.commands import LiftSilence, Silence
from tocsin_schemas.events import SilenceSet
from tocsin_schemas.ids import derive_id, event_id
from tocsin_schemas.strict_json import StrictJsonError, loads
from tocsin_schemas.text import clean_line

__all__ = ["SilencesApi"]

log = structlog.get_logger(__name__)

_MAX_BODY = 65_536
_SECONDS, _LOOK_EVERY = 8.0, 0.02
_MOST_TURNS = 2**31
"""How often the same may be asked for when what came of it is past: whoever is refused can go on asking for ever."""


@dataclass(slots=True)
class SilencesApi:
    """Routes under `/api/v2/silences` and `/api/v2/silence/`. `last_order`: how far the log of orders goes."""

    orders: Orders
    last_order: Callable[[], Awaitable[int]]
    asking: Asking
    tokens: Tokens
    clock: Clock

    def routes(self) -> Sequence[Route]:
        return (
            Route("/api/v2/silences", self._list, methods=["GET"]),
            Route("/api/v2/silences", self._post, methods=["POST"]),
            Route("/api/v2/silence/{silence}", self._get, methods=["GET"]),
            Route("/api/v2/silence/{silence}", self._delete, methods=["DELETE"]),
        )

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        try:
            wanted = [read_filter(text) for text in request.query_params.getlist("filter")]
        except ValueError as error:
            return problem(HTTPStatus.BAD_REQUEST, str(error))
        now = self.clock.now()
        return JSONResponse([shown_silence(each, now) for each in listed(self._given().values(), wanted, now)])

    async def _get(self, request: Request) -> Response:
        if (found := self._named(request.path_params["silence"])) is None:
            return _unknown(request.path_params["silence"])
        return JSONResponse(shown_silence(found, self.clock.now()))

    def _given(self) -> Mapping[str, GivenSilence]:
        return given_silences(self.orders.history())

    def _named(self, silence: str) -> GivenSilence | None:
        return self._given().get(silence)

    # --- asking -------------------------------------------------------------------------------------------------------

    async def _post(self, request: Request) -> Response:
        try:
            author = self._author(request)
            posted = read_silence(loads(await read_body(request, _MAX_BODY), max_bytes=_MAX_BODY))
            await self._catch_up()
            if posted.replaces and self._named(posted.replaces) is None:
                return _unknown(posted.replaces)
            name = await self._set(author, posted)
            if posted.replaces:  # after it: at no moment is it as if neither stood
                await self._lift(author, posted.replaces, "replaced")
        except RefusedRequestError as error:
            return _refused(error)
        except (StrictJsonError, ValueError) as error:
            return problem(HTTPStatus.BAD_REQUEST, clean_line(str(error), 300))
        except BusUnavailableError as error:
            return _not_now(error)
        return JSONResponse({"silenceID": name})

    async def _delete(self, request: Request) -> Response:
        silence = request.path_params["silence"]
        try:
            author = self._author(request)
            await self._catch_up()
            if self._named(silence) is None:
                return _unknown(silence)
            await self._lift(author, silence, "")
        except RefusedRequestError as error:
            return _refused(error)
        except BusUnavailableError as error:
            return _not_now(error)
        return Response(status_code=HTTPStatus.OK)

    async def _catch_up(self) -> None:
        """Know all that was ordered up to now, whichever replica it came by. Raises BusUnavailableError."""
        last = await self.last_order()
        try:
            async with asyncio.timeout(_SECONDS):
                while self.orders.position < last:
                    await self.clock.sleep(_LOOK_EVERY)
        except TimeoutError:
            raise BusUnavailableError("the orders of others are not read yet") from None

    def _author(self, request: Request) -> str:
        token = bearer(request)
        if token is None:
            raise RefusedRequestError(HTTPStatus.UNAUTHORIZED, HOW_TO_GET_ONE)
        if (name := self.tokens.who(token)) is None:
            raise RefusedRequestError(HTTPStatus.UNAUTHORIZED, f"this token is not known: {HOW_TO_GET_ONE}")
        return name

    async def _set(self, author: str, posted: PostedSilence) -> str:
        """The id of the silence. Who asks for exactly the same again gets the same, as long as it stands."""
        command = posted.command(author, self.clock.now())
        event = await self._ask(command, ("silence", author, posted.content))
        if not isinstance(event, SilenceSet):
            raise TypeError(f"{type(event).__name__} is no answer to Silence")
        return event.silence

    async def _lift(self, author: str, silence: str, because: str) -> None:
        """End it. What is over already, or is to end at this moment, needs no order."""
        if not self._stands(silence):
            return
        by = Actor.person(author, "alertmanager-api")
        try:
            await self._ask(LiftSilence(silence=silence, because=because, by=by), ("lift", author, silence))
        except RefusedRequestError:
            if self._stands(silence):
                raise

    def _stands(self, silence: str) -> bool:
        return self.orders.standing.at(self.clock.now()).silence(silence) is not None

    async def _ask(self, command: Silence | LiftSilence, parts: tuple[str, ...]) -> object:
        """The event that answers. Raises RefusedRequestError with the reason where it says no, BusUnavailableError
        where there is no answer yet."""
        answer = await self.asking.ask(command, self._cause(command, parts))
        if answer.refused is not None:
            status = HTTPStatus.FORBIDDEN if is_refusal(answer.refused) else HTTPStatus.BAD_REQUEST
            raise RefusedRequestError(status, answer.refused)
        if answer.pending:
            raise BusUnavailableError("nobody has carried it out yet; it stays queued")
        return answer.events[0].data

    def _cause(self, command: Silence | LiftSilence, parts: tuple[str, ...]) -> str:
        """The same for the same request, unless what it led to is past: a refusal, or a silence that is over."""
        turns = range(_MOST_TURNS)  # a turn comes when those before it are past: so halving finds it
        turn = bisect_left(turns, 1, key=lambda each: not self._is_past(_turn(parts, each), command))
        return _turn(parts, turn)

    def _is_past(self, cause: str, command: Silence | LiftSilence) -> bool:
        answer = self.orders.answer_to(event_id(cause, "", command.type_name(), 0))
        return answer is not None and not (isinstance(answer.data, SilenceSet) and self._stands(answer.data.silence))


def _turn(parts: tuple[str, ...], turn: int) -> str:
    return derive_id("alertmanager-api", *parts, turn)


def _refused(error: RefusedRequestError) -> Response:
    asked = {"WWW-Authenticate": 'Bearer realm="tocsin"'} if error.status is HTTPStatus.UNAUTHORIZED else None
    return problem(error.status, error.reason, asked)


def _unknown(silence: str) -> Response:
    return problem(HTTPStatus.NOT_FOUND, f"there is no silence {clean_line(silence, 80)}")


def _not_now(error: BusUnavailableError) -> Response:
    log.warning("a silence is not answered", reason=str(error))
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, f"not answered; send it again: {error}", {"Retry-After": "1"})
