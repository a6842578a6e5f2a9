"""Reading requests of strangers: JSON or nothing, bounded in size and in time; and saying no as Alertmanager does."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

__all__ = ["RefusedRequestError", "problem", "read_body"]

_BODY_SECONDS = 10.0


class RefusedRequestError(Exception):
    """A request that is not read any further."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def problem(status: HTTPStatus, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """Alertmanager answers errors as a JSON string."""
    return JSONResponse(reason, status_code=status, headers=headers)


async def read_body(request: Request, max_bytes: int, *, json_only: bool = True) -> bytes:
    """The body of a request with JSON. `json_only`: its headers must say so too. Raises RefusedRequestError."""
    _check_encoding(request)
    if json_only:
        _check_type(request)
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > max_bytes:
                    raise RefusedRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {max_bytes} bytes")
                parts.append(part)
    except TimeoutError:
        raise RefusedRequestError(HTTPStatus.REQUEST_TIMEOUT, f"the body took more than {_BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise RefusedRequestError(HTTPStatus.BAD_REQUEST, "the body is not complete") from None
    return b"".join(parts)


def _check_encoding(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compressed bodies are not taken")


def _check_type(request: Request) -> None:
    """As Alertmanager: JSON or nothing. A web page cannot send that type to another site unasked."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")
