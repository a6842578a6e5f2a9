"""The Alertmanager API over HTTP, with a stream that is a double: statuses, reasons, bounds, and what a retry does."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from detector_world import START, Stream, at
from starlette.applications import Starlette

from tocsin_detector.adapters import requests, telling
from tocsin_detector.adapters.alert_book import AlertBook
from tocsin_detector.adapters.alertmanager_api import AlertmanagerApi
from tocsin_schemas import Labels, caused_by
from tocsin_schemas.events import AlertResolved
from tocsin_schemas.ids import fingerprint
from tocsin_schemas.moments import format_moment

_OF_BOTH = ("fingerprint", "episode", "rule", "labels", "source")
JSON = {"content-type": "application/json"}
ALERT = {"labels": {"alertname": "Down", "zone": "eu-1"}}
ENDED = {**ALERT, "endsAt": "2026-01-01T00:00:00Z"}


class Bench:
    def __init__(self) -> None:
        self.stream = Stream()
        self.book: AlertBook = self.stream.book()
        self.api = AlertmanagerApi(self.book, self.stream.clock, max_body_bytes=2_000_000)
        app = Starlette(routes=self.api.routes())
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://detector")

    async def post(self, *alerts: Any) -> httpx.Response:
        return await self.client.post("/api/v2/alerts", json=list(alerts))

    async def post_text(self, body: str | bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.client.post("/api/v2/alerts", content=body, headers=headers or JSON)

    async def names(self, **query: Any) -> list[str]:
        answer = await self.client.get("/api/v2/alerts", params=query)
        assert answer.status_code == 200, answer.text
        return sorted(alert["labels"]["alertname"] for alert in answer.json())


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.client.aclose()


# --- taking -----------------------------------------------------------------------------------------------------------


async def test_what_is_answered_with_200_is_in_the_stream(bench: Bench) -> None:
    assert (await bench.post(ALERT)).status_code == 200
    assert bench.stream.story == ["fired None"]
    assert (await bench.post(ENDED)).status_code == 200
    assert bench.stream.story == ["fired None", "resolved"]


async def test_an_empty_list_is_fine(bench: Bench) -> None:
    assert (await bench.post()).status_code == 200
    assert bench.stream.story == []


async def test_the_good_alerts_of_a_mixed_request_are_stored_and_the_bad_ones_named(bench: Bench) -> None:
    answer = await bench.post({"labels": {}}, ALERT, {**ALERT, "endsAt": "soon"})
    assert answer.status_code == 400
    assert answer.json().startswith("alert 0: labels: at least one label is needed; alert 2: endsAt 'soon'")
    assert bench.stream.story == ["fired None"]


async def test_without_the_bus_it_answers_503_and_the_retry_tells_it_once(bench: Bench) -> None:
    bench.stream.is_connected = False
    answer = await bench.post(ALERT)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert await bench.names() == []
    bench.stream.is_connected = True
    assert (await bench.post(ALERT)).status_code == 200
    assert bench.stream.story == ["fired None"]


@pytest.mark.parametrize("shown", [False, True])
async def test_when_only_the_answer_was_lost_the_retry_makes_no_duplicate(bench: Bench, shown: bool) -> None:
    bench.stream.loses_answers = True
    assert (await bench.post(ALERT, {"labels": {"alertname": "Other"}})).status_code == 503
    bench.stream.loses_answers = False
    bench.stream.clock.move(3)
    if shown:
        await bench.stream.show(bench.book)
    assert (await bench.post(ALERT, {"labels": {"alertname": "Other"}})).status_code == 200
    assert bench.stream.story == ["fired None", "fired None"]


async def test_a_bus_that_is_slow_is_503_before_the_sender_gives_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: Any) -> list[int]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(telling, "_TELL_SECONDS", 0.05)
    monkeypatch.setattr(bench.stream, "publish_all", hang)
    assert (await bench.post(ALERT)).status_code == 503


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"[", "not JSON"),
        (b"[{}] trailing", "not JSON"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b'{"labels": {}}', "not a list of alerts"),
        (b'[{"labels": {"a": "1", "a": "2"}}]', "'a' is given twice"),
        (b'[{"labels": {"a": "1"}, "x": NaN}]', "NaN is not a JSON number"),
        (b'[{"labels": {"a": "1"}, "x": 1e999}]', "out of range"),
        (b"[" * 100_000, "nested deeper than 32"),
        (b'[{"labels": {"a": "1"}, "x": ' + b"[" * 40 + b"]" * 40 + b"}]", "nested deeper than 32"),
        (b'[{"labels": {"a": "\\ud800"}}]', "lone surrogate"),
        (b"[" + b"1" * 5000 + b"]", "5000 digits"),
        (json.dumps([None] * 10_001).encode(), "10001 alerts in one request"),
    ],
)
async def test_a_body_that_cannot_be_read_is_400_with_the_reason(bench: Bench, body: bytes, reason: str) -> None:
    answer = await bench.post_text(body)
    assert answer.status_code == 400
    assert reason in answer.json()
    assert (await bench.post(ALERT)).status_code == 200


async def test_a_body_up_to_the_limit_is_read_and_one_over_it_is_413(bench: Bench) -> None:
    text = json.dumps([ALERT]).encode()
    assert (await bench.post_text(text + b" " * (2_000_000 - len(text)))).status_code == 200
    assert (await bench.post_text(text + b" " * (2_000_001 - len(text)))).status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {**JSON, "content-encoding": "gzip"},
        {**JSON, "content-encoding": "br"},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": ""},
    ],
)
async def test_anything_but_plain_json_is_415(bench: Bench, headers: dict[str, str]) -> None:
    text = json.dumps([ALERT]).encode()
    body = gzip.compress(text) if "content-encoding" in headers else text
    assert (await bench.post_text(body, headers)).status_code == 415
    assert bench.stream.story == []


async def test_a_charset_in_the_content_type_is_fine(bench: Bench) -> None:
    answer = await bench.post_text(json.dumps([ALERT]), {"content-type": "application/json; charset=utf-8"})
    assert answer.status_code == 200


async def test_a_sender_that_drips_its_body_is_sent_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def drip() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.sleep(0.3)
        yield b"]"

    monkeypatch.setattr(requests, "_BODY_SECONDS", 0.05)
    answer = await bench.client.post("/api/v2/alerts", content=drip(), headers=JSON)
    assert answer.status_code == 408


async def test_a_sender_that_goes_away_in_the_middle_is_no_error_of_ours(bench: Bench) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v2/alerts",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await Starlette(routes=bench.api.routes())(scope, receive, send)
    assert sent[0]["status"] == 400
    assert bench.stream.story == []


# --- showing ----------------------------------------------------------------------------------------------------------


async def test_an_alert_is_shown_as_alertmanager_shows_it(bench: Bench) -> None:
    url = "http://prometheus/graph"
    await bench.post(
        {**ALERT, "annotations": {"summary": "s"}, "startsAt": "2026-03-01T11:00:00Z", "generatorURL": url}
    )
    [shown] = (await bench.client.get("/api/v2/alerts")).json()
    assert shown == {
        "labels": ALERT["labels"],
        "annotations": {"summary": "s"},
        "receivers": [{"name": "tocsin"}],
        "fingerprint": fingerprint(Labels(ALERT["labels"])),
        "startsAt": "2026-03-01T11:00:00.000000Z",
        "updatedAt": "2026-03-01T12:00:00.000000Z",
        "endsAt": "2026-03-01T12:05:00.000000Z",
        "generatorURL": url,
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
    }


async def test_only_what_fires_is_shown(bench: Bench) -> None:
    await bench.post(ALERT, {"labels": {"alertname": "Other"}})
    await bench.post(ENDED)
    assert await bench.names() == ["Other"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"filter": 'alertname="Down"'}, ["Down"]),
        ({"filter": ['alertname=~"D.*|O.*"', 'zone!=""']}, ["Down"]),
        ({"filter": 'zone!~"eu-.*"'}, ["Other"]),
        ({"active": "false"}, []),
        ({"receiver": "tocsin"}, ["Down", "Other"]),
        ({"receiver": "toc.*"}, ["Down", "Other"]),
        ({"receiver": "other"}, []),
        ({"silenced": "true", "inhibited": "true"}, ["Down", "Other"]),
    ],
)
async def test_alerts_are_filtered(bench: Bench, query: dict[str, Any], names: list[str]) -> None:
    await bench.post(ALERT, {"labels": {"alertname": "Other"}})
    assert await bench.names(**query) == names


@pytest.mark.parametrize("query", [{"filter": 'a=~"(a+)+$"'}, {"filter": "nonsense"}, {"receiver": "(a+)+$"}])
async def test_a_filter_that_is_not_carried_out_is_400(bench: Bench, query: dict[str, str]) -> None:
    await bench.post({"labels": {"a": "a" * 1000 + "!"}})
    answer = await bench.client.get("/api/v2/alerts", params=query)
    assert answer.status_code == 400
    assert answer.json().startswith("filter")


async def test_the_rest_of_what_clients_ask_for(bench: Bench) -> None:
    status = (await bench.client.get("/api/v2/status")).json()
    assert status["cluster"] == {"status": "disabled", "peers": []}
    assert (await bench.client.get("/api/v2/receivers")).json() == [{"name": "tocsin"}]
    assert (await bench.client.get("/-/healthy")).status_code == 200
    assert (await bench.client.get("/-/ready")).status_code == 200


async def test_a_start_in_the_future_is_now(bench: Bench) -> None:
    await bench.post({**ALERT, "startsAt": at(36_000).isoformat()})
    assert bench.stream.log[0].data.starts_at == START


# --- several say something of one alert -------------------------------------------------------------------------------


def stamped(start: float | None = None, end: float | None = None) -> dict[str, Any]:
    given = {"startsAt": start, "endsAt": end}
    return {**ALERT, **{name: format_moment(at(second)) for name, second in given.items() if second is not None}}


async def test_who_posts_while_another_post_is_under_way_is_heard_after_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.post(stamped())
    bench.stream.clock.move(60)
    going_on, publish = asyncio.Event(), bench.stream.publish_all

    async def slow(messages: Any) -> list[int]:
        await going_on.wait()
        return await publish(messages)

    monkeypatch.setattr(bench.stream, "publish_all", slow)
    end = asyncio.create_task(bench.post(stamped(end=60)))
    await asyncio.sleep(0.01)
    again = asyncio.create_task(bench.post(stamped()))
    await asyncio.sleep(0.01)
    going_on.set()
    assert [answer.status_code for answer in await asyncio.gather(end, again)] == [200, 200]
    assert bench.stream.story == ["fired None", "resolved", "fired None"]
    assert len({envelope.data.episode for envelope in bench.stream.log}) == 2


async def ended_by_another(bench: Bench) -> None:
    """A replica of which ours has heard nothing yet."""
    other = bench.stream.book()
    await bench.stream.show(other)
    [firing] = other.known.firing()
    end = AlertResolved(
        fingerprint=firing.fingerprint,
        episode=firing.episode,
        rule="Down",
        labels=firing.labels,
        source="api",
        ends_at=bench.stream.clock.now(),
    )
    await other.tell(other.wrap([end], other.known))


@pytest.mark.parametrize("lease", [None, 3000.0])
async def test_what_fires_again_just_after_another_replica_ended_it_fires(bench: Bench, lease: float | None) -> None:
    """With the longer lease this replica tells a renewal, which is void; without, it has nothing to tell."""
    await bench.post(stamped(0))
    bench.stream.clock.move(60)
    await ended_by_another(bench)
    assert (await bench.post(stamped(end=lease))).status_code == 200
    assert bench.stream.story[-1] == "fired None"
    assert [alert.firing for alert in bench.book.known.alerts.values()] == [True]
    assert len({envelope.data.episode for envelope in bench.stream.log}) == 2


async def test_of_a_request_only_what_was_void_is_said_again(bench: Bench) -> None:
    await bench.post(stamped(0))
    await ended_by_another(bench)
    other = {"labels": {"alertname": "Other"}}
    assert (await bench.post(other, stamped(end=3000), other)).status_code == 200
    assert [envelope.data.rule for envelope in bench.stream.log] == ["Down", "Down", "Other", "Down", "Down"]


async def test_who_is_contradicted_again_and_again_is_told_to_come_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.post(stamped(0))
    publish = bench.stream.publish_all

    async def after_its_end(messages: Any) -> list[int]:
        """Another replica ends the episode before these words about it are written, or as they are."""
        for _, envelope in messages:
            end = AlertResolved.model_validate(envelope.data.model_dump(include=set(_OF_BOTH)) | {"ends_at": START})
            await publish([("x", caused_by(f"end {envelope.data.episode}", 0, "detector", "", START, end))])
        return await publish(messages)

    monkeypatch.setattr(bench.stream, "publish_all", after_its_end)
    bench.stream.clock.move(60)
    assert (await bench.post(stamped(end=3000))).status_code == 503
    assert bench.stream.story == ["fired None", *["resolved", "fired None"] * 5]


async def test_without_the_bus_an_alert_that_seems_known_is_503_too(bench: Bench) -> None:
    """Another replica may have ended it meanwhile."""
    await bench.post(ALERT)
    bench.stream.refuses = True
    assert (await bench.post(ALERT)).status_code == 503
