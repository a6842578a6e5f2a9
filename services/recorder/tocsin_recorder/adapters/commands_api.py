"""The JSON API by which programs ask for something on a person's behalf: one path a command."""

import hashlib
from datetime import datetime
from http import HTTPStatus
from typing import Literal
from uuid import uuid4

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tocsin_playbook.access import is_refusal
from tocsin_recorder.adapters.answering import answering
from tocsin_recorder.adapters.bodies import JSON, read_body
from tocsin_recorder.adapters.documents import Document
from tocsin_recorder.adapters.doing import BY_SLUG, Doing, words_for
from tocsin_recorder.adapters.harmless import Problem, json_answer, problem_answer
from tocsin_runtime.asking import Answer
from tocsin_runtime.tokens import HOW_TO_GET_ONE, Tokens, bearer
from tocsin_schemas import Actor, Command, Envelope, Event
from tocsin_schemas.ids import derive_id
from tocsin_schemas.strict_json import StrictJsonError, loads

__all__ = ["CommandsApi"]

_LONGEST_KEY = 255


class _EventItem(Document):
    id: str
    type: str
    at: datetime
    incident: str | None
    sentence: str


class _AnswerDocument(Document):
    command: str
    state: Literal["done", "pending"]
    events: tuple[_EventItem, ...]


class CommandsApi:
    """Answers programs that want something."""

    def __init__(self, doing: Doing, tokens: Tokens) -> None:
        self._doing, self._tokens = doing, tokens

    def routes(self) -> list[BaseRoute]:
        return [Route("/api/v1/commands/{slug}", answering(self.command, problem_answer), methods=["POST"])]

    async def command(self, request: Request) -> Response:
        """Carry one out; the answer is what came of it."""
        person = self._person(request)
        kind = BY_SLUG.get(request.path_params["slug"])
        if kind is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no such command; there are {', '.join(sorted(BY_SLUG))}.")
        given = _key(request)
        key = given or uuid4().hex
        command = await self._doing.command(kind, await _fields(request), Actor.person(person, "api"))
        again = "in the same way" if given else f"with the header Idempotency-Key: {key}"
        answer = await self._doing.do(command, _cause(person, key, command), again)
        if answer.refused is not None:
            raise Problem(_status(answer.refused), f"{answer.refused}.", command=answer.command)
        return json_answer(_document(answer), HTTPStatus.ACCEPTED if answer.pending else HTTPStatus.OK)

    def _person(self, request: Request) -> str:
        token = bearer(request)
        if token is None:
            raise Problem(HTTPStatus.UNAUTHORIZED, f"Authorization: Bearer TOKEN is missing: {HOW_TO_GET_ONE}.")
        person = self._tokens.who(token)
        if person is None:
            raise Problem(HTTPStatus.UNAUTHORIZED, f"This access token lets nobody in: {HOW_TO_GET_ONE}.")
        return person


def _key(request: Request) -> str | None:
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    (key, *more) = keys
    if more or not 1 <= len(key) <= _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"Idempotency-Key is one text of 1 to {_LONGEST_KEY} printable ASCII characters."
        )
    return key


def _cause(person: str, key: str, command: Command) -> str:
    """The same command with the same key has the same cause: with a key that was used for another, nobody is told that
    theirs is done. A key is its person's own: nobody asks with that of somebody else."""
    return derive_id("api", person, key, hashlib.sha256(command.to_json()).hexdigest())


def _status(refused: str) -> HTTPStatus:
    if is_refusal(refused):
        return HTTPStatus.FORBIDDEN
    return HTTPStatus.NOT_FOUND if refused.startswith("there is no incident ") else HTTPStatus.CONFLICT


async def _fields(request: Request) -> dict[str, JsonValue]:
    try:
        document = loads(await read_body(request, JSON))
    except StrictJsonError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"The body cannot be read: {error.reason}.") from None
    if not isinstance(document, dict):
        raise Problem(HTTPStatus.BAD_REQUEST, "The body is not a JSON object.")
    return document


def _document(answer: Answer) -> _AnswerDocument:
    return _AnswerDocument(
        command=answer.command,
        state="pending" if answer.pending else "done",
        events=tuple(map(_item, answer.events)),
    )


def _item(envelope: Envelope[Event]) -> _EventItem:
    return _EventItem(
        id=envelope.id,
        type=envelope.type,
        at=envelope.time,
        incident=envelope.incident or None,
        sentence=words_for(envelope.data),
    )
