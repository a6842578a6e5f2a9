"""The Alertmanager API v2 over HTTP: Prometheus, amtool, Grafana and whatever else speaks it can send here.

`POST /api/v2/alerts` answers 200 only when every alert is on disk; 503 means: send it again. As in Alertmanager,
the good alerts of a mixed request are taken before the bad ones are refused with 400.
"""

import asyncio
from collections.abc import Callable, Sequence, Set
from functools import partial
from http import HTTPStatus

import structlog
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.adapters.aside import Aside
from tocsin_detector.adapters.requests import RefusedRequestError, problem, read_body
from tocsin_detector.adapters.telling import tell
from tocsin_detector.core.filters import read_filter
from tocsin_detector.core.foreign import decide_request
from tocsin_detector.core.known import KnownAlert
from tocsin_detector.core.posted import PostedAlert, RefusedAlert, read_posted
from tocsin_detector.core.silences import silenced_by
from tocsin_playbook.model.references import Matcher
from tocsin_playbook.standing_orders import NO_ORDERS, StandingOrders
from tocsin_runtime import BusUnavailableError, Clock
from tocsin_schemas.moments import format_moment
from tocsin_schemas.strict_json import StrictJsonError, loads
from tocsin_schemas.text import clean_line

__all__ = ["AlertmanagerApi"]

log = structlog.get_logger(__name__)

RECEIVED = Counter("tocsin_foreign_alerts_total", "Alerts posted by other systems, by what became of them", ["outcome"])
_VERSION = "0.28.0"  # amtool complains of versions other than its own; this one speaks the same API
_RECEIVER = "tocsin"
_TOLD_REASONS = 20
_FLAGS = (("active", "active"), ("suppressed", "silenced"))
"""Which alerts are left out by which parameter, if it is `false`."""


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
        standing: Callable[[], StandingOrders] = lambda: NO_ORDERS,
    ) -> None:
        """`aside`: how alerts are read. Ten thousand of them take a while, and nothing else may wait for it.
        `standing`: the silences of the moment."""
        self._standing = standing
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
            Route("/-/healthy", self._ok, methods=["GET"]),
            Route("/-/ready", self._ok, methods=["GET"]),
        )

    # --- taking alerts ------------------------------------------------------------------------------------------------

    async def _post(self, request: Request) -> Response:
        try:
            body = await read_body(request, self._max_body)
            alerts, refused = await self._aside(self._read, body)
        except RefusedRequestError as error:
            RECEIVED.labels("refused").inc()
            return problem(error.status, error.reason)
        except (StrictJsonError, ValueError) as error:
            RECEIVED.labels("refused").inc()
            return problem(HTTPStatus.BAD_REQUEST, clean_line(str(error), 300))
        try:
            told = await tell(
                self._book, alerts, partial(decide_request, source=self._source, now=self._clock.now()), self._aside
            )
        except (BusUnavailableError, TimeoutError) as error:
            log.warning("alerts not taken: the bus cannot be reached", alerts=len(alerts), reason=repr(error))
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "not stored; send it again", {"Retry-After": "1"})
        RECEIVED.labels("told").inc(told)
        RECEIVED.labels("known").inc(len(alerts) - told)
        RECEIVED.labels("refused").inc(len(refused))
        if refused:
            reasons = "; ".join(f"alert {each.index}: {each.reason}" for each in refused[:_TOLD_REASONS])
            log.warning("some posted alerts were refused", refused=len(refused), taken=len(alerts), reasons=reasons)
            return problem(HTTPStatus.BAD_REQUEST, reasons)
        return Response(status_code=HTTPStatus.OK)

    def _read(self, body: bytes) -> tuple[tuple[PostedAlert, ...], tuple[RefusedAlert, ...]]:
        return read_posted(loads(body, max_bytes=self._max_body))

    # --- showing alerts -----------------------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        try:
            wanted = [read_filter(text) for text in asked.getlist("filter")]
            receivers = [read_filter(f'receiver=~"{text}"') for text in asked.getlist("receiver")]
        except ValueError as error:
            return problem(HTTPStatus.BAD_REQUEST, str(error))
        nobody = not all(each.matches({"receiver": _RECEIVER}) for each in receivers)
        alerts = () if nobody else tuple(self._book.known.firing())
        states = {state for state, flag in _FLAGS if asked.get(flag) != "false"}
        return JSONResponse(await self._aside(lambda: self._shown(alerts, wanted, states)))

    def _shown(
        self, alerts: Sequence[KnownAlert], wanted: Sequence[Matcher], states: Set[str]
    ) -> list[dict[str, object]]:
        now, standing = self._clock.now(), self._standing()
        meant = (alert for alert in alerts if all(each.matches(alert.labels) for each in wanted))
        shown = ((alert, silenced_by(alert, standing, now)) for alert in meant)
        return [_gettable(alert, by) for alert, by in shown if ("suppressed" if by else "active") in states]

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

    async def _ok(self, _: Request) -> Response:
        return PlainTextResponse("OK\n")


def _gettable(alert: KnownAlert, silenced: list[str]) -> dict[str, object]:
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
        "status": {
            "state": "suppressed" if silenced else "active",
            "silencedBy": silenced,
            "inhibitedBy": [],
            "mutedBy": [],
        },
    }
