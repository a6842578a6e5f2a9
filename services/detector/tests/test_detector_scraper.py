"""Scraping: what counts as an answer, what does not, and what must never be seen in a log."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest
import structlog
from detector_world import MovableClock

from tocsin_detector.adapters import fetch as module
from tocsin_detector.adapters.fetch import HttpFetch
from tocsin_detector.adapters.scraper import Scraper
from tocsin_detector.adapters.together import Together
from tocsin_playbook.model.sources import Source
from tocsin_promql import EvaluationError, SeriesStore, evaluate, parse
from tocsin_schemas import Labels

CANARY = "canary-9f8e7d"
Answer = Callable[[httpx.Request], Any]


def source(**prometheus: Any) -> Source:
    scrape = "http://127.0.0.1:9/metrics"
    return Source.model_validate({"name": "app", "prometheus": {"scrape": scrape, "timeout": "1s", **prometheus}})


class Bench:
    """A scraper whose source answers what the test says."""

    def __init__(self, answer: Answer, *, max_series: int = 1000, **prometheus: Any) -> None:
        self.clock = MovableClock()
        self.requests: list[httpx.Request] = []
        self.answer = answer
        self.store = SeriesStore(retention=timedelta(minutes=10), max_series=max_series)
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._handle), follow_redirects=False)
        self.scraper = Scraper(source(**prometheus), HttpFetch(client), self.clock, self.store)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answer(request)
        made: httpx.Response = await answer if asyncio.iscoroutine(answer) else answer
        return made

    async def scrape(self, seconds: float = 1) -> str:
        """Scrape after so many seconds; why it failed, or nothing."""
        self.clock.move(seconds)
        await self.scraper.scrape()
        return self.scraper.health.failing

    def value(self, expression: str) -> Sequence[tuple[Labels, float]]:
        return evaluate(parse(expression), self.store, int(self.clock.now().timestamp() * 1000)).as_vector()


def text(body: str | bytes, status: int = 200, **headers: str) -> Answer:
    return lambda _: httpx.Response(status, content=body, headers=headers)


async def test_what_is_scraped_can_be_asked_for() -> None:
    bench = Bench(text('up 1\nhits{code="200"} 7 # {trace_id="x"} 1\n'), labels={"instance": "a"})
    assert await bench.scrape() == ""
    assert bench.value("hits") == ((Labels(__name__="hits", code="200", instance="a"), 7.0),)
    assert bench.scraper.health.is_answering
    assert bench.requests[0].headers["accept"] == "text/plain;version=0.0.4"


async def test_it_counts_as_answering_only_after_it_has_answered() -> None:
    assert not Bench(text("up 1")).scraper.health.is_answering


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (text("up 1", 500), "answered 500"),
        (text("", 204), "answered 204"),
        (text("", 302, location="http://127.0.0.1:9/elsewhere"), "answered 302"),
        (text(b"up \xff"), "not UTF-8 at byte 3"),
        (text("<html>"), "line 1: "),
        (text("up 1\nup{"), "line 2: "),
        (text('up{a="1",a="2"} 1'), "given twice"),
        (text("up{" + ",".join(f'l{n}="x"' for n in range(70)) + "} 1"), "labels"),
        (text("up 1 " + "9" * 5000), "line 1: "),
        (text("\n".join(f"m{n} 1" for n in range(1001))), "more than 1000 series"),
        (text(b"no gzip", **{"content-encoding": "gzip"}), "incorrect header check"),
    ],
)
async def test_what_is_no_answer_is_the_sources_failure(answer: Answer, reason: str) -> None:
    bench = Bench(answer)
    assert reason in await bench.scrape()
    assert not bench.scraper.health.is_answering
    assert len(bench.requests) == 1, "a redirect was followed"


async def test_a_connection_that_is_refused_is_the_sources_failure() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("All connection attempts failed", request=request)

    assert await Bench(refuse).scrape() == "All connection attempts failed"


async def test_a_source_that_hangs_is_given_up_after_its_timeout() -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    assert await Bench(hang, timeout="50ms").scrape() == "no answer within 0.05 s"


async def test_a_source_that_drips_is_given_up_after_its_timeout() -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"up"
            await asyncio.sleep(0.02)

    bench = Bench(lambda _: httpx.Response(200, content=drip()), timeout="50ms")
    assert await bench.scrape() == "no answer within 0.05 s"


async def test_an_answer_over_the_limit_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER", 1000)
    assert await Bench(text("#" * 1000)).scrape() == ""
    assert await Bench(text("#" * 1001)).scrape() == "answered more than 1000 bytes"
    bomb = gzip.compress(b"#" * 1_000_000)
    assert await Bench(text(bomb, **{"content-encoding": "gzip"})).scrape() == "answered more than 1000 bytes"


async def test_a_series_that_a_scrape_no_longer_has_ends_at_once() -> None:
    bench = Bench(text("a 1\nb 1\n"))
    await bench.scrape()
    bench.answer = text("a 1\n")
    await bench.scrape()
    assert [len(bench.value(name)) for name in "ab"] == [1, 0]
    bench.answer = text("a 1\nb 2\n")
    await bench.scrape()
    assert bench.value("b")[0][1] == 2


async def test_every_series_ends_with_a_scrape_that_fails() -> None:
    bench = Bench(text("a 1\n"))
    await bench.scrape()
    bench.answer = text("", 500)
    await bench.scrape()
    assert not bench.value("a")


async def test_since_when_it_fails_and_answers_is_kept() -> None:
    bench = Bench(text("", 500))
    await bench.scrape()
    began = bench.clock.now()
    await bench.scrape(10)
    health = bench.scraper.health
    assert (health.failing_since, health.answering_since) == (began, None)
    bench.answer = text("a 1")
    await bench.scrape(10)
    since = bench.clock.now()
    await bench.scrape(10)
    assert (health.failing_since, health.answering_since, health.answered_at) == (None, since, bench.clock.now())
    bench.answer = text("", 500)
    await bench.scrape(10)
    bench.answer = text("a 1")
    await bench.scrape(10)
    assert health.answering_since == bench.clock.now(), "there is a gap before"


# --- secrets ----------------------------------------------------------------------------------------------------------


async def test_a_secret_is_sent_and_never_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = {"Authorization": {"env": "SCRAPE_TOKEN"}}
    monkeypatch.setenv("SCRAPE_TOKEN", CANARY)
    bench = Bench(text("up 1", 401), headers=secret)
    with structlog.testing.capture_logs() as logs:
        await bench.scrape()
        assert bench.requests[0].headers["authorization"] == CANARY
        for broken in (f"{CANARY}\r\nX-Forged: 1", f"{CANARY}\u00e9", f"{CANARY}\x00", f"{CANARY}\ud800"):
            monkeypatch.setattr(module, "reveal", lambda _, text=broken: text)
            reason = await bench.scrape()
            assert "the header Authorization cannot stand in a header" in reason
    assert len(bench.requests) == 1
    assert CANARY not in repr(logs) + caplog.text
    assert CANARY not in repr(bench.scraper.health)


async def test_a_secret_that_is_missing_is_the_sources_failure_and_names_the_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SCRAPE_TOKEN", raising=False)
    bench = Bench(text("up 1"), headers={"Authorization": {"env": "SCRAPE_TOKEN"}})
    assert await bench.scrape() == "the environment variable SCRAPE_TOKEN is not set"
    assert not bench.requests


async def test_a_trouble_is_logged_when_it_begins_or_changes_only() -> None:
    bench = Bench(text("", 500))
    with structlog.testing.capture_logs() as logs:
        for status in (500, 500, 500, 404, 404, 200, 200):
            bench.answer = text("", status)
            await bench.scrape()
    assert [(entry["event"], entry.get("reason")) for entry in logs] == [
        ("source does not answer", "answered 500"),
        ("source does not answer", "answered 404"),
        ("source answers again", None),
    ]


# --- several sources --------------------------------------------------------------------------------------------------


def stored(**series: float) -> SeriesStore:
    store = SeriesStore(retention=timedelta(minutes=10))
    for name, value in series.items():
        store.append(Labels(__name__=name), 1000, value)
    return store


def test_series_of_several_sources_are_told_apart_only_where_they_must_be() -> None:
    both = Together({"a": stored(up=1, only_a=5), "b": stored(up=2)})
    assert dict(evaluate(parse("only_a"), both, 1000).as_vector()) == {Labels(__name__="only_a"): 5}
    assert dict(evaluate(parse("up"), both, 1000).as_vector()) == {
        Labels(__name__="up", source="a"): 1,
        Labels(__name__="up", source="b"): 2,
    }
    assert evaluate(parse("sum(up)"), both, 1000).as_vector()[0][1] == 3


def test_a_series_that_has_no_room_for_its_source_is_an_error_of_evaluation() -> None:
    crowded = Labels({"__name__": "up", **{f"l{number}": "x" for number in range(63)}})
    stores = {}
    for name in "ab":
        stores[name] = stored()
        stores[name].append(crowded, 1000, 1.0)
    with pytest.raises(EvaluationError, match="the same series in several sources: 65 labels"):
        evaluate(parse("up"), Together(stores), 1000)


def test_a_source_that_is_not_scraped_cannot_be() -> None:
    pushed = Source.model_validate({"name": "app", "push": {}})
    with pytest.raises(ValueError, match="'app' is not one to be scraped"):
        Scraper(pushed, HttpFetch(), MovableClock(), stored())
