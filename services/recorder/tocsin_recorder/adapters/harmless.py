"""Answers that do no harm where they are shown: escaped JSON, and the headers that every answer carries."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

__all__ = ["SAFE_HEADERS", "Problem", "harmless_json", "json_answer", "problem_answer"]

_RISKY = re.compile("[\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

SAFE_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Problem(Exception):  # noqa: N818  # the word of RFC 9457
    """An answer that is a refusal: a status, one sentence that says what to do, and what may help with it."""

    def __init__(self, status: HTTPStatus, detail: str, **more: Any) -> None:
        """`Any`: members of the problem document, as JSON has them."""
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


def harmless_json(value: Any) -> bytes:
    """JSON (of `Any` value that is JSON) in UTF-8, with control and direction characters escaped: they stay what they
    are for a program, and do nothing to a terminal.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = _RISKY.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
    return text.encode("utf-8", "backslashreplace")


def json_answer(document: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """This document as an answer."""
    body = harmless_json(document.model_dump(mode="json"))
    return Response(body, int(status), media_type="application/json", headers=dict(SAFE_HEADERS))


def problem_answer(problem: Problem) -> Response:
    """RFC 9457."""
    document = {"title": problem.status.phrase, "status": int(problem.status), "detail": problem.detail, **problem.more}
    headers = dict(SAFE_HEADERS)
    if problem.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "2"
    if problem.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="tocsin"'
    return Response(
        harmless_json(document), int(problem.status), media_type="application/problem+json", headers=headers
    )
