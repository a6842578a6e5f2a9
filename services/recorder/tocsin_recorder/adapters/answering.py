"""From a question to an answer, and from what goes wrong to an answer too."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from tocsin_recorder.adapters.database import DatabaseUnavailableError
from tocsin_recorder.adapters.harmless import Problem

__all__ = ["Endpoint", "answering"]

Endpoint = Callable[[Request], Awaitable[Response]]


def answering(endpoint: Endpoint, on_problem: Callable[[Problem], Response]) -> Endpoint:
    """`endpoint`, with its problems turned into answers by `on_problem`."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except DatabaseUnavailableError:
            # What the database says is for the log and /readyz, not for whoever asks.
            return on_problem(
                Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The timeline cannot be read at the moment; try again shortly.")
            )
        except Problem as problem:
            return on_problem(problem)

    return answer
