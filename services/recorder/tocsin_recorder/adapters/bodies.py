"""The bodies of requests: of one kind, bounded in size and in time. Each refusal is a Problem."""

import asyncio
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from tocsin_recorder.adapters.harmless import Problem

__all__ = ["FORM", "JSON", "read_body"]

JSON, FORM = "application/json", "application/x-www-form-urlencoded"

_MOST_BYTES = 64 * 1024
_WITHIN = 10.0


async def read_body(request: Request, kind: str) -> bytes:
    """The whole body, which must say that it is of this kind. Raises Problem."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != kind or request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body must be {kind}, and not compressed.")
    parts, size = [], 0
    try:
        async with asyncio.timeout(_WITHIN):
            async for part in request.stream():
                size += len(part)
                if size > _MOST_BYTES:
                    raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body has more than {_MOST_BYTES} bytes.")
                parts.append(part)
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"The body took more than {_WITHIN:g} s.") from None
    except ClientDisconnect:
        raise Problem(HTTPStatus.BAD_REQUEST, "The body is not complete.") from None
    return b"".join(parts)
