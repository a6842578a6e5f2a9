"""The wired detector over modelled outsides, as in a simulation: no socket, no thread, no waiting."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from detector_bench import Bench
from detector_world import Shown
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from tocsin_detector.adapters.aside import at_once
from tocsin_detector.adapters.fetch import Fetch, FetchError, HttpFetch
from tocsin_detector.app import build
from tocsin_detector.settings import DetectorSettings
from tocsin_playbook.model.sources import Source
from tocsin_promql.series import Sample
from tocsin_runtime import Host
from tocsin_runtime.bus.follow import OnEvents
from tocsin_runtime.orders import Orders
from tocsin_schemas import Labels

Call = Callable[[], Awaitable[None]]


class Wiring:
    """A host that only notes what is connected with it."""

    def __init__(self, bench: Bench) -> None:
        self.settings = DetectorSettings(source_patience_seconds=30)
        self.clock, self.connection, self.playbooks = bench.clock, bench.stream, bench.shelf
        self.service = "detector"
        self.orders = Orders(lambda _, __, on_events: Shown(self.connection, on_events))  # type: ignore[arg-type, return-value]  # a double
        self.works: list[Call] = []
        self.stops: list[Call] = []
        self.routes: list[BaseRoute] = []

    def follow(self, stream: str, _: Any, on_events: OnEvents) -> Shown:
        assert stream == "ALERTS"
        return Shown(self.connection, on_events)

    def ready_when(self, *_: Any) -> None: ...

    def route(self, *routes: BaseRoute) -> None:
        self.routes += routes

    def background(self, _: str, work: Call) -> None:
        self.works.append(work)

    def at_stop(self, call: Call) -> None:
        self.stops.append(call)


class Model:
    """Sources that show `errors`, fail or hang."""

    def __init__(self) -> None:
        self.errors: float | Exception = 0.0
        self.asked: list[tuple[str, timedelta]] = []

    async def fetch(self, source: Source, within: timedelta) -> Sequence[Sample]:
        self.asked.append((source.name, within))
        if isinstance(self.errors, Exception):
            raise self.errors
        return [Sample(Labels(__name__="errors"), self.errors)]


class System:
    def __init__(self, bench: Bench) -> None:
        self.clock, self.stream, self.model = bench.clock, bench.stream, Model()
        self.host = Wiring(bench)
        build(cast(Host[DetectorSettings], self.host), fetch=self.model, aside=at_once)

    async def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.move(1)
            for _ in range(20):
                await asyncio.sleep(0)


@pytest.fixture
async def system(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    """A detector that runs, and whoever opens a socket or asks for a thread gets an error."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket or a thread")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
    made = System(bench)
    works = [asyncio.create_task(cast(Any, work())) for work in made.host.works]
    yield made
    for work in works:
        work.cancel()
    for ended in await asyncio.gather(*works, return_exceptions=True):
        assert isinstance(ended, asyncio.CancelledError)
    for stop in made.host.stops:
        await stop()


async def test_what_the_model_shows_is_what_the_rules_see(system: System) -> None:
    await system.pass_seconds(3)
    system.model.errors = 11.0
    await system.pass_seconds(3)
    assert system.stream.story == ["fired P1"]
    system.model.errors = 1.0
    await system.pass_seconds(3)
    assert system.stream.story == ["fired P1", "resolved"]
    assert set(system.model.asked) == {("app", timedelta(seconds=10))}


@pytest.mark.parametrize(
    ("failure", "reason"), [(FetchError("answered 500"), "answered 500"), (TimeoutError(), "no answer within 10 s")]
)
async def test_what_the_model_fails_by_is_told_as_from_a_real_source(
    system: System, failure: Exception, reason: str
) -> None:
    system.model.errors = failure
    await system.pass_seconds(40)
    assert system.stream.story == ["fired None"]
    assert system.stream.log[0].data.summary.endswith(reason)


async def test_a_posted_alert_is_read_on_the_spot(system: System) -> None:
    transport = httpx.ASGITransport(app=Starlette(routes=system.host.routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://detector") as client:
        answer = await client.post("/api/v2/alerts", json=[{"labels": {"alertname": "Down"}}])
    assert answer.status_code == 200
    assert system.stream.story == ["fired None"]


async def test_the_client_for_real_sources_is_closed_with_the_service(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[HttpFetch] = []

    async def close(self: HttpFetch) -> None:
        closed.append(self)

    monkeypatch.setattr(HttpFetch, "close", close)
    given: Fetch | None
    for given in (None, Model()):
        host = Wiring(bench)
        build(cast(Host[DetectorSettings], host), fetch=given)
        for stop in host.stops:
            await stop()
    assert len(closed) == 1
