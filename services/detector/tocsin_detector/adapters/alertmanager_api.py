"""The Alertmanager API v2 over HTTP: Prometheus, amtool, Grafana and whatever else speaks it can send here.

`POST /api/v2/alerts` answers 200 only when every alert is on disk; 503 means: send it again. As in Alertmanager,
the good alerts of a mixed request are taken before the bad ones are refused with 400.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.core.foreign import decide_posted, read_posted
from tocsin_detector.core.known import KnownAlert
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_schemas.moments import format_moment
from tocsin_schemas.strict_json import StrictJsonError, loads

__all__ = ["AlertmanagerApi"]

log = structlog.get_logger(__name__)

RECEIVED = Counter("tocsin_foreign_alerts_total", "Alerts posted by other systems, by what became of them", ["outcome"])
_VERSION = "0.28.0"  # amtool complains of versions other than its own; this one speaks the same API
_MATCHER = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)(=~|!~|!=|=)"?((?:[^"\\]|\\.)*)"?')
_MAX_PATTERN = 256


class AlertmanagerApi:
    """Routes under `/api/v2` (and `/-/healthy`, `/-/ready`, which amtool and Prometheus may ask)."""

    def __init__(self, book: AlertBook, clock: Clock, *, max_body_bytes: int, source: str = "alertmanager-api") -> None:
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

    async def _post(self, request: Request) -> Response:
        try:
            document = loads(await self._body(request))
            alerts, refused = read_posted(document)
        except _TooLargeError:
            return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {self._max_body} bytes")
        except (StrictJsonError, ValueError) as error:
            RECEIVED.labels("refused").inc()
            return _problem(HTTPStatus.BAD_REQUEST, str(error))
        now = self._clock.now()
        decided = [decide_posted(alert, self._book.known, self._source, now) for alert in alerts]
        told = [event for event in decided if event is not None]
        try:
            await self._book.tell(told)
        except BusUnavailableError as error:
            log.warning("alerts not taken: the bus cannot be reached", alerts=len(alerts), reason=str(error))
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "not stored; send it again", {"Retry-After": "1"})
        RECEIVED.labels("told").inc(len(told))
        RECEIVED.labels("known").inc(len(alerts) - len(told))
        RECEIVED.labels("refused").inc(len(refused))
        if refused:
            reasons = "; ".join(f"alert {each.index}: {each.reason}" for each in refused[:20])
            log.warning("some posted alerts were refused", refused=len(refused), taken=len(alerts), reasons=reasons)
            return _problem(HTTPStatus.BAD_REQUEST, reasons)
        return Response(status_code=HTTPStatus.OK)

    async def _body(self, request: Request) -> bytes:
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self._max_body:
                raise _TooLargeError
            parts.append(part)
        return b"".join(parts)

    async def _list(self, request: Request) -> Response:
        try:
            wanted = [_matcher(text) for text in request.query_params.getlist("filter")]
        except ValueError as error:
            return _problem(HTTPStatus.BAD_REQUEST, str(error))
        alerts = [alert for alert in self._book.known.firing() if all(matches(alert) for matches in wanted)]
        return JSONResponse([_gettable(alert) for alert in alerts])

    async def _status(self, _: Request) -> Response:
        blank = dict.fromkeys(("branch", "buildDate", "buildUser", "goVersion", "revision"), "tocsin")
        return JSONResponse(
            {
                "cluster": {"status": "disabled", "peers": []},
                "versionInfo": {"version": _VERSION, **blank},
                "config": {"original": "route:\n  receiver: tocsin\nreceivers:\n- name: tocsin\n"},
                "uptime": format_moment(self._started),
            }
        )

    async def _receivers(self, _: Request) -> Response:
        return JSONResponse([{"name": "tocsin"}])

    async def _silences(self, _: Request) -> Response:
        return JSONResponse([])

    async def _no_silences(self, _: Request) -> Response:
        return _problem(HTTPStatus.NOT_IMPLEMENTED, "silences are not carried out by this version")

    async def _ok(self, _: Request) -> Response:
        return PlainTextResponse("OK\n")


class _TooLargeError(ValueError):
    pass


def _problem(status: HTTPStatus, reason: str, headers: dict[str, str] | None = None) -> Response:
    """Alertmanager answers errors as a JSON string."""
    return JSONResponse(reason, status_code=status, headers=headers)


class _Matcher:
    def __init__(self, name: str, operator: str, value: str) -> None:
        self._name, self._operator = name, operator
        self._value = value
        if operator.endswith("~"):
            if len(value) > _MAX_PATTERN:
                raise ValueError(f"filter: a pattern of {len(value)} characters; at most {_MAX_PATTERN} are allowed")
            try:
                self._pattern = re.compile(value)
            except re.error as error:
                raise ValueError(f"filter {value[:80]!r}: {error}") from None

    def __call__(self, alert: KnownAlert) -> bool:
        found = alert.labels.get(self._name, "")
        same = self._pattern.fullmatch(found) is not None if self._operator.endswith("~") else found == self._value
        return same is not self._operator.startswith("!")


def _matcher(text: str) -> _Matcher:
    found = _MATCHER.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'filter {text[:80]!r} is not of the form name="value"')
    return _Matcher(*found.groups())


def _gettable(alert: KnownAlert) -> dict[str, object]:
    last = alert.last
    return {
        "labels": dict(alert.labels),
        "annotations": dict(last.annotations) if last else {},
        "receivers": [{"name": "tocsin"}],
        "fingerprint": alert.fingerprint,
        "startsAt": format_moment(alert.starts_at),
        "updatedAt": format_moment(alert.starts_at),
        "endsAt": format_moment(alert.expires_at) if alert.expires_at else "0001-01-01T00:00:00.000Z",
        "generatorURL": (last.generator_url if last else None) or "",
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
    }
