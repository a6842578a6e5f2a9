"""The Alertmanager API v2 over HTTP: Prometheus, amtool, Grafana and whatever else speaks it can send here.

`POST /api/v2/alerts` answers 200 only when every alert is on disk; 503 means: send it again. As in Alertmanager,
the good alerts of a mixed request are taken before the bad ones are refused with 400.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus

import structlog
from prometheus_client import Counter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tocsin_detector.adapters.alert_book import AlertBook, Told
from tocsin_detector.adapters.aside import Aside
from tocsin_detector.core.filters import read_filter
from tocsin_detector.core.foreign import decide_request
from tocsin_detector.core.known import KnownAlert
from tocsin_detector.core.posted import PostedAlert, RefusedAlert, read_posted
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_schemas.moments import format_moment
from tocsin_schemas.strict_json import StrictJsonError, loads
from tocsin_schemas.text import clean_line

__all__ = ["AlertmanagerApi"]

log = structlog.get_logger(__name__)

RECEIVED = Counter("tocsin_foreign_alerts_total", "Alerts posted by other systems, by what became of them", ["outcome"])
_VERSION = "0.28.0"  # amtool complains of versions other than its own; this one speaks the same API
_RECEIVER = "tocsin"
_BODY_SECONDS = 10.0
_TELL_SECONDS = 8.0  # Prometheus waits for ten, and sends 64 at a time at most
_ALERTS_A_SECOND = 500
_TOLD_REASONS = 20
_TURNS = 5
"""How often an alert is decided on anew because another replica was quicker to say something of it."""


class AlertmanagerApi:
    """Routes under `/api/v2` (and `/-/healthy`, `/-/ready`, which amtool and Prometheus may ask)."""

    def __init__(
        self,
        book: AlertBook,
        clock: Clock,
        *,
        max_body_bytes: int,
        source: str = "alertmanager-api",
        aside: Aside = asyncio.to_thread,
    ) -> None:
        """`aside`: how alerts are read. Ten thousand of them take a while, and nothing else may wait for it."""
        self._aside = aside
        self._book = book
        self._clock = clock
        self._max_body = max_body_bytes
        self._source = source
        self._started = clock.now()

    def routes(self) -> Sequence[Route]:
        return (
            Route("/api/v2/alerts", self._post, methods=["POST"]),
            Route("/api/v2/alerts", self._list, methods=["GET"]),
            Route("/api/v2/status", self._status, methods=["GET"]),
            Route("/api/v2/receivers", self._receivers, methods=["GET"]),
            Route("/api/v2/silences", self._silences, methods=["GET"]),
            Route("/api/v2/silences", self._no_silences, methods=["POST"]),
            Route("/-/healthy", self._ok, methods=["GET"]),
            Route("/-/ready", self._ok, methods=["GET"]),
        )

    # --- taking alerts ------------------------------------------------------------------------------------------------

    async def _post(self, request: Request) -> Response:
        try:
            body = await self._body(request)
            alerts, refused = await self._aside(self._read, body)
        except _RefusedError as error:
            RECEIVED.labels("refused").inc()
            return _problem(error.status, error.reason)
        except (StrictJsonError, ValueError) as error:
            RECEIVED.labels("refused").inc()
            return _problem(HTTPStatus.BAD_REQUEST, clean_line(str(error), 300))
        try:
            told = await self._tell(alerts)
        except (BusUnavailableError, TimeoutError) as error:
            log.warning("alerts not taken: the bus cannot be reached", alerts=len(alerts), reason=repr(error))
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "not stored; send it again", {"Retry-After": "1"})
        RECEIVED.labels("told").inc(told)
        RECEIVED.labels("known").inc(len(alerts) - told)
        RECEIVED.labels("refused").inc(len(refused))
        if refused:
            reasons = "; ".join(f"alert {each.index}: {each.reason}" for each in refused[:_TOLD_REASONS])
            log.warning("some posted alerts were refused", refused=len(refused), taken=len(alerts), reasons=reasons)
            return _problem(HTTPStatus.BAD_REQUEST, reasons)
        return Response(status_code=HTTPStatus.OK)

    def _read(self, body: bytes) -> tuple[tuple[PostedAlert, ...], tuple[RefusedAlert, ...]]:
        return read_posted(loads(body, max_bytes=self._max_body))

    async def _tell(self, alerts: Sequence[PostedAlert]) -> int:
        """How many of these were worth telling. When this returns, they are on disk, and the stream has been read up to
        there: nothing that another replica had said before makes them void, and what was not worth telling is known.
        """
        now, news, open_ = self._clock.now(), set[str](), alerts
        async with asyncio.timeout(_TELL_SECONDS + len(alerts) / _ALERTS_A_SECOND):
            for turn in range(_TURNS):
                told = await self._book.say(partial(decide_request, open_, source=self._source, now=now), self._aside)
                news |= {envelope.data.fingerprint for envelope in told.envelopes}
                again = await self._book.void(told)
                if turn == 0:
                    again |= await self._not_told(alerts, told)
                if not again:
                    return len(news)
                open_ = tuple({each.fingerprint: each for each in open_ if each.fingerprint in again}.values())
        raise BusUnavailableError(f"others say otherwise of {len(open_)} alerts, again and again")

    async def _not_told(self, alerts: Sequence[PostedAlert], told: Told) -> set[str]:
        """Those of which nothing was told, if more is known by now than that was decided on."""
        said = {envelope.data.fingerprint for envelope in told.envelopes}
        silent = {alert.fingerprint for alert in alerts} - said
        if silent and told.envelopes:
            await self._book.void(Told((), told.known, 0))
        return silent if self._book.known is not told.known else set()

    async def _body(self, request: Request) -> bytes:
        _check_headers(request)
        parts, size = [], 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for part in request.stream():
                    size += len(part)
                    if size > self._max_body:
                        raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {self._max_body} bytes")
                    parts.append(part)
        except TimeoutError:
            raise _RefusedError(HTTPStatus.REQUEST_TIMEOUT, f"the body took more than {_BODY_SECONDS:g} s") from None
        except ClientDisconnect:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is not complete") from None
        return b"".join(parts)

    # --- showing alerts -----------------------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        try:
            wanted = [read_filter(text) for text in asked.getlist("filter")]
            receivers = [read_filter(f'receiver=~"{text}"') for text in asked.getlist("receiver")]
        except ValueError as error:
            return _problem(HTTPStatus.BAD_REQUEST, str(error))
        nobody = asked.get("active") == "false" or not all(each.matches({"receiver": _RECEIVER}) for each in receivers)
        alerts = () if nobody else self._book.known.firing()
        return JSONResponse(
            [_gettable(alert) for alert in alerts if all(each.matches(alert.labels) for each in wanted)]
        )

    async def _status(self, _: Request) -> Response:
        blank = dict.fromkeys(("branch", "buildDate", "buildUser", "goVersion", "revision"), "tocsin")
        return JSONResponse(
            {
                "cluster": {"status": "disabled", "peers": []},
                "versionInfo": {"version": _VERSION, **blank},
                "config": {"original": f"route:\n  receiver: {_RECEIVER}\nreceivers:\n- name: {_RECEIVER}\n"},
                "uptime": format_moment(self._started),
            }
        )

    async def _receivers(self, _: Request) -> Response:
        return JSONResponse([{"name": _RECEIVER}])

    async def _silences(self, _: Request) -> Response:
        return JSONResponse([])

    async def _no_silences(self, _: Request) -> Response:
        return _problem(HTTPStatus.NOT_IMPLEMENTED, "silences are not carried out by this version")

    async def _ok(self, _: Request) -> Response:
        return PlainTextResponse("OK\n")


class _RefusedError(Exception):
    """A request that is not read any further."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def _check_headers(request: Request) -> None:
    """As Alertmanager: JSON or nothing. A web page cannot send that type to another site unasked."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compressed bodies are not taken")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json")


def _problem(status: HTTPStatus, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """Alertmanager answers errors as a JSON string."""
    return JSONResponse(reason, status_code=status, headers=headers)


def _gettable(alert: KnownAlert) -> dict[str, object]:
    last = alert.last
    return {
        "labels": dict(alert.labels),
        "annotations": dict(last.annotations) if last else {},
        "receivers": [{"name": _RECEIVER}],
        "fingerprint": alert.fingerprint,
        "startsAt": format_moment(alert.starts_at),
        "updatedAt": format_moment(alert.told_at),
        "endsAt": format_moment(alert.expires_at) if alert.expires_at else "0001-01-01T00:00:00.000Z",
        **({"generatorURL": last.generator_url} if last and last.generator_url else {}),
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
    }
