"""Other systems that post alerts: again and again as long as they fire, to whichever detector answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tocsin_rehearsal.loop import VirtualLoop
from tocsin_rehearsal.replicas import Replica
from tocsin_schemas.moments import format_moment

__all__ = ["ForeignAlert", "Senders"]

Endpoint = Callable[[Request], Awaitable[Response]]

_AGAIN = 60.0
"""Seconds between two posts of one alert, as Prometheus resends."""
_RETRY = 5.0
_PATH = "/api/v2/alerts"


@dataclass(slots=True)
class ForeignAlert:
    """One alert of another system."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    generator_url: str = ""
    ends_at: datetime | None = None
    taken: int = 0
    """How often a detector has answered 200."""
    refused: str = ""
    """Why it will never be taken, if a detector said so."""

    def body(self) -> bytes:
        document: dict[str, object] = {
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": format_moment(self.starts_at),
            "generatorURL": self.generator_url,
        }
        if self.ends_at is not None:
            document["endsAt"] = format_moment(self.ends_at)
        return json.dumps([document]).encode()


class Senders:
    """One task for each alert, outside of every replica."""

    def __init__(self, loop: VirtualLoop, detectors: Callable[[], Sequence[Replica]]) -> None:
        self._loop, self._detectors = loop, detectors
        self._news: dict[int, asyncio.Event] = {}

    def begin(self, alert: ForeignAlert) -> None:
        """It fires."""
        news = self._news[id(alert)] = asyncio.Event()
        self._loop.create_task(self._send(alert, news))

    def end(self, alert: ForeignAlert, at: datetime) -> None:
        """It is over."""
        alert.ends_at = at
        self._news[id(alert)].set()

    async def _send(self, alert: ForeignAlert, news: asyncio.Event) -> None:
        while True:
            news.clear()
            has_ended = alert.ends_at is not None
            taken = await self._post(alert)
            if (taken and has_ended) or alert.refused:
                return
            try:
                async with asyncio.timeout(_AGAIN if taken else _RETRY):
                    await news.wait()
            except TimeoutError:
                continue  # it is time to say it again

    async def _post(self, alert: ForeignAlert) -> bool:
        """To one detector after the other, each as the next would be asked by a real sender."""
        body = alert.body()
        for replica in self._detectors():
            status, said = await self._to(replica, body)
            if status == 200:
                alert.taken += 1
                return True
            if status in (400, 413):
                alert.refused = said
                return False
        return False

    async def _to(self, replica: Replica, body: bytes) -> tuple[int, str]:
        host, life = replica.host, replica.life
        if host is None or life is None:
            return 503, "not up"
        answered: asyncio.Future[tuple[int, str]] = self._loop.create_future()

        async def ask() -> None:
            response = await _endpoint(host.routes)(_request(body))
            if not answered.done():
                answered.set_result((response.status_code, bytes(response.body).decode()))

        self._loop.start(life, ask())  # it is the detector's work, and ends with it
        try:
            async with asyncio.timeout(10):
                return await answered
        except TimeoutError:
            return 503, "no answer"


def _endpoint(routes: Sequence[object]) -> Endpoint:
    for route in routes:
        if isinstance(route, Route) and route.path == _PATH and "POST" in (route.methods or ()):
            endpoint: Endpoint = route.endpoint
            return endpoint
    raise LookupError("the detector answers no alerts")


def _request(body: bytes) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return Request({"type": "http", "method": "POST", "path": _PATH, "query_string": b"", "headers": headers}, receive)
