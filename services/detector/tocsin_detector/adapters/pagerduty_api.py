"""PagerDuty's Events API v2 over HTTP: what pages PagerDuty can page here, with an access token as its routing key.

202 means: on disk. Everything that a sender repeats by (429, 5xx) means: send it again.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import structlog
from prometheus_client import Counter
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tocsin_detector.adapters.alert_book import AlertBook, Told
from tocsin_detector.adapters.requests import RefusedRequestError, read_body
from tocsin_detector.adapters.telling import tell
from tocsin_detector.core.enqueued import (
    SOURCE,
    EnqueuedAlert,
    EnqueuedEvent,
    InvalidEventError,
    fingerprint_of,
    read_event,
)
from tocsin_detector.core.paged import decide_enqueued
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_runtime.asking import Asking
from tocsin_runtime.tokens import HOW_TO_GET_ONE, Tokens
from tocsin_schemas import Actor
from tocsin_schemas.commands import AcknowledgeAlert
from tocsin_schemas.ids import derive_id
from tocsin_schemas.strict_json import StrictJsonError, loads

__all__ = ["PagerDutyApi"]

log = structlog.get_logger(__name__)

ENQUEUED = Counter("tocsin_pagerduty_events_total", "Events in PagerDuty's format, by what became of them", ["outcome"])
_MAX_BODY = 524_288  # as PagerDuty
_AT_ONCE = 200
"""How many events are carried out side by side; who comes then is asked to come again. Strangers do not count."""

_SECONDS = 8.0
_SAME_WITHIN = 60.0
"""Seconds within which the same content is the same event, where it has no key of its own to be known by."""


@dataclass(slots=True)
class PagerDutyApi:
    """The route `/v2/enqueue`."""

    book: AlertBook
    asking: Asking
    tokens: Tokens
    clock: Clock
    _under_way: int = 0

    def routes(self) -> Sequence[Route]:
        return (Route("/v2/enqueue", self._enqueue, methods=["POST"]),)

    async def _enqueue(self, request: Request) -> Response:
        try:
            document = loads(await read_body(request, _MAX_BODY, json_only=False), max_bytes=_MAX_BODY)
            integration = self._sender(document)
            event = read_event(document)
        except RefusedRequestError as error:
            if error.status is HTTPStatus.REQUEST_TIMEOUT:
                return _not_now(HTTPStatus.SERVICE_UNAVAILABLE, error.reason)  # they repeat it then, and not at 408
            return _invalid(error.status, error.reason)
        except StrictJsonError as error:
            return _invalid(HTTPStatus.BAD_REQUEST, error.reason)
        except InvalidEventError as error:
            return _invalid(HTTPStatus.BAD_REQUEST, *error.errors)
        if self._under_way >= _AT_ONCE:
            return _not_now(HTTPStatus.TOO_MANY_REQUESTS, "too many events at a time; send it again")
        self._under_way += 1
        key = event.dedup_key or self._made_key(integration, document)
        try:
            await self._carry_out(event, event.of(integration, key), integration)
        except (BusUnavailableError, TimeoutError) as error:
            log.warning("an event is not taken: the bus cannot be reached", sender=integration, reason=repr(error))
            return _not_now(HTTPStatus.SERVICE_UNAVAILABLE, "not stored; send it again")
        finally:
            self._under_way -= 1
        ENQUEUED.labels("taken").inc()
        answer = {"status": "success", "message": "Event processed", "dedup_key": key}
        return JSONResponse(answer, status_code=HTTPStatus.ACCEPTED)

    def _sender(self, document: JsonValue) -> str:
        """Whose key it is. Nothing else of an event is looked at before. Raises InvalidEventError."""
        key = document.get("routing_key") if isinstance(document, dict) else None
        name = self.tokens.who(key) if isinstance(key, str) else None
        if name is None:
            raise InvalidEventError(f"Invalid routing key: {HOW_TO_GET_ONE}")
        return name

    def _made_key(self, integration: str, document: JsonValue) -> str:
        """The key of a trigger that has none. Each is an alert of its own; but what is sent again because its answer
        was lost is the same."""
        content = {name: value for name, value in dict(document).items() if name != "routing_key"}  # type: ignore[arg-type]  # as given
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        minute = int(self.clock.now().timestamp() // _SAME_WITHIN)
        before, now = (derive_id(SOURCE, integration, digest, each) for each in (minute - 1, minute))
        said = self.book.known.get(fingerprint_of(integration, before))
        return before if said is not None and said.firing else now

    # --- carrying out -------------------------------------------------------------------------------------------------

    async def _carry_out(self, event: EnqueuedEvent, alert: EnqueuedAlert, integration: str) -> None:
        if event.action == "acknowledge":
            async with asyncio.timeout(_SECONDS):
                await self._acknowledge(alert, integration)
        else:
            await tell(self.book, (alert,), partial(decide_enqueued, now=self.clock.now()))

    async def _acknowledge(self, alert: EnqueuedAlert, integration: str) -> None:
        """The incident that has it is acknowledged. Of an alert that does not fire nothing follows, as at PagerDuty."""
        known = self.book.known
        if (said := known.get(alert.fingerprint)) is None or not said.firing:
            await self.book.void(Told((), known, 0))  # another replica may have told of it
            said = self.book.known.get(alert.fingerprint)
        if said is None or not said.firing:
            return
        minute = int(self.clock.now().timestamp() // _SAME_WITHIN)
        command = AcknowledgeAlert(
            fingerprint=said.fingerprint,
            episode=said.episode,
            rule=said.rule,
            labels=said.labels,
            by=Actor.person(integration, SOURCE),
        )
        await self.asking.send(command, derive_id(SOURCE, "acknowledge", integration, said.episode, minute))


def _invalid(status: HTTPStatus, *errors: str) -> Response:
    ENQUEUED.labels("refused").inc()
    answer = {"status": "invalid event", "message": "Event object is invalid", "errors": list(errors)}
    return JSONResponse(answer, status_code=status)


def _not_now(status: HTTPStatus, reason: str) -> Response:
    ENQUEUED.labels("not_now").inc()
    answer = {"status": "not processed", "message": reason}
    return JSONResponse(answer, status_code=status, headers={"Retry-After": "1"})
