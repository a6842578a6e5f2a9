"""PagerDuty's Events API v2 over HTTP, with a stream that is a double: answers, bounds, secrets, repetitions."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from detector_doors import Keys, Sent
from detector_world import START, Stream, at
from starlette.applications import Starlette
from structlog.testing import capture_logs

from tocsin_detector.adapters import pagerduty_api, requests, telling
from tocsin_detector.adapters.pagerduty_api import PagerDutyApi
from tocsin_detector.core.enqueued import fingerprint_of
from tocsin_detector.core.kept import AGAIN_AFTER, decide_kept
from tocsin_schemas import Actor, caused_by
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.moments import EARLIEST

PAYLOAD = {"summary": "12% of checkouts fail", "source": "shop-1", "severity": "critical"}
HOUR = 3600.0


class Bench:
    """One replica, and the sender `grafana` with its key."""

    def __init__(self, keys: Keys, stream: Stream | None = None) -> None:
        self.stream, self.keys, self.sent = stream or Stream(), keys, Sent()
        self.key = keys.give("grafana")
        self.book = self.stream.book()
        self.api = PagerDutyApi(self.book, self.sent, keys.tokens, self.stream.clock)  # type: ignore[arg-type]  # a double
        app = Starlette(routes=self.api.routes())
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://detector")

    def event(self, action: str = "trigger", **more: Any) -> dict[str, Any]:
        given = {"routing_key": self.key, "event_action": action, "dedup_key": "checkout/1", **more}
        return {"payload": PAYLOAD, **given} if action == "trigger" else given

    async def send(self, action: str = "trigger", **more: Any) -> httpx.Response:
        return await self.client.post("/v2/enqueue", json=self.event(action, **more))

    async def accepted(self, action: str = "trigger", **more: Any) -> str:
        """It is taken; the answer is the key."""
        answer = await self.send(action, **more)
        assert answer.status_code == 202, answer.text
        said = answer.json()
        assert said == {"status": "success", "message": "Event processed", "dedup_key": said["dedup_key"]}
        return str(said["dedup_key"])

    async def refused(self, status: int = 400, **more: Any) -> list[str]:
        """It is refused; the answer is why."""
        answer = await self.send(**more)
        assert answer.status_code == status, answer.text
        said = answer.json()
        assert (said["status"], said["message"]) == ("invalid event", "Event object is invalid")
        return [str(each) for each in said["errors"]]

    def last(self) -> AlertFired:
        fired = self.stream.log[-1].data
        assert isinstance(fired, AlertFired)
        return fired


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
async def bench(keys: Keys) -> AsyncIterator[Bench]:
    made = Bench(keys)
    yield made
    await made.client.aclose()


# --- when it fails ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["trigger", "resolve"])
async def test_without_the_bus_it_answers_503_and_the_repetition_is_taken_once(bench: Bench, action: str) -> None:
    if action == "resolve":
        await bench.accepted()
    before = len(bench.stream.log)
    bench.stream.is_connected = False
    answer = await bench.send(action)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert len(bench.stream.log) == before
    bench.stream.is_connected = True
    for _ in range(2):
        await bench.accepted(action)
    assert len(bench.stream.log) == before + 1


async def test_an_acknowledgement_that_nats_does_not_confirm_is_503_and_the_repetition_is_one_command(
    bench: Bench,
) -> None:
    await bench.accepted()
    bench.sent.is_away = True
    assert (await bench.send("acknowledge")).status_code == 503
    bench.sent.is_away = False
    for _ in range(2):
        await bench.accepted("acknowledge")
    assert len(bench.sent.commands) == 1


async def test_an_unknown_alert_is_not_acknowledged_while_nobody_knows_what_others_said(bench: Bench) -> None:
    bench.stream.refuses = True
    assert (await bench.send("acknowledge")).status_code == 503


@pytest.mark.parametrize("named", [True, False])
async def test_when_only_the_answer_was_lost_the_repetition_makes_no_duplicate(bench: Bench, named: bool) -> None:
    key = {} if named else {"dedup_key": None}
    bench.stream.loses_answers = True
    assert (await bench.send(**key)).status_code == 503
    bench.stream.loses_answers = False
    bench.stream.clock.move(20)
    await bench.stream.show(bench.book)
    await bench.accepted(**key)
    assert bench.stream.story == ["fired critical"]


async def test_what_is_sent_again_to_another_replica_is_told_once(bench: Bench, keys: Keys) -> None:
    other = Bench(keys, bench.stream)
    other.key = bench.key
    bench.stream.loses_answers = True
    assert (await bench.send()).status_code == 503
    bench.stream.loses_answers = False
    await other.accepted()
    await other.accepted("acknowledge")
    await other.accepted("resolve")
    await bench.accepted("resolve")
    assert bench.stream.story == ["fired critical", "resolved"]
    assert len(other.sent.commands) == 1


async def test_what_a_replica_says_that_lags_is_not_lost_to_what_another_has_said(bench: Bench, keys: Keys) -> None:
    """The n-th word about a firing has one id, whoever says it: the stream does not take it from the second one."""
    other = Bench(keys, bench.stream)
    await bench.accepted(payload=PAYLOAD | {"severity": "warning"})
    await other.accepted(routing_key=bench.key)
    assert bench.stream.story == ["fired warning", "fired critical"]
    await bench.accepted(payload=PAYLOAD | {"severity": "info"})
    await other.accepted(routing_key=bench.key, payload=PAYLOAD | {"severity": "error"})
    assert bench.stream.story[2:] == ["fired info", "fired error"]


async def test_a_bus_that_is_slow_is_503(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(telling, "_TELL_SECONDS", 0.02)
    monkeypatch.setattr(pagerduty_api, "_SECONDS", 0.02)
    await bench.accepted()
    monkeypatch.setattr(bench.stream, "publish_all", hang)
    assert (await bench.send("resolve")).status_code == 503
    monkeypatch.setattr(bench.sent, "send", hang)
    assert (await bench.send("acknowledge")).status_code == 503


async def test_a_sender_that_drips_is_asked_to_come_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    monkeypatch.setattr(requests, "_BODY_SECONDS", 0.02)
    assert (await bench.client.post("/v2/enqueue", content=body())).status_code == 503


async def test_too_many_at_a_time_are_429(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    free = asyncio.Event()
    told = bench.stream.publish_all

    async def wait(messages: Any) -> list[int]:
        await free.wait()
        return await told(messages)

    monkeypatch.setattr(pagerduty_api, "_AT_ONCE", 1)
    monkeypatch.setattr(bench.stream, "publish_all", wait)
    first = asyncio.create_task(bench.send())
    while not bench.api._under_way:
        await asyncio.sleep(0)
    answer = await bench.send(dedup_key="other")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    free.set()
    assert (await first).status_code == 202
    await bench.accepted(dedup_key="other")


async def test_strangers_that_drip_keep_nobody_else_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    done = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await done.wait()
        yield b"}"

    monkeypatch.setattr(pagerduty_api, "_AT_ONCE", 1)
    strangers = [asyncio.create_task(bench.client.post("/v2/enqueue", content=body())) for _ in range(3)]
    await asyncio.sleep(0)
    await bench.accepted()
    done.set()
    assert [answer.status_code for answer in await asyncio.gather(*strangers)] == [400] * 3
    assert bench.api._under_way == 0


# --- who sends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "R0UT1NGKEY", None, 7, ["x"], "tcs_" + "A" * 43])
async def test_without_a_known_key_nothing_else_is_looked_at(bench: Bench, key: Any) -> None:
    (error,) = await bench.refused(routing_key=key, payload="nonsense")
    assert error.startswith("Invalid routing key: an access token is needed; `tocsin tokens add")
    assert bench.stream.log == []


async def test_a_key_that_was_taken_back_is_refused(bench: Bench, keys: Keys) -> None:
    await bench.accepted()
    keys.path.write_text("")
    assert (await bench.refused())[0].startswith("Invalid routing key")


async def test_a_sender_cannot_end_what_another_has_sent(bench: Bench, keys: Keys) -> None:
    await bench.accepted()
    other = keys.give("mallory")
    for action in ("resolve", "acknowledge"):
        await bench.accepted(action, routing_key=other)
    assert bench.stream.story == ["fired critical"]
    assert bench.sent.commands == {}


async def test_the_key_is_in_no_event_no_log_and_no_answer(bench: Bench) -> None:
    with capture_logs() as logs:
        answers = [await bench.send(), await bench.send("acknowledge"), await bench.send(payload={})]
        bench.stream.is_connected = False
        answers.append(await bench.send("resolve"))
    seen = [repr(logs), repr(bench.stream.log), repr(bench.sent.commands), *(each.text for each in answers)]
    assert [each.status_code for each in answers] == [202, 202, 400, 503]
    assert not any(bench.key in each for each in seen)


# --- what is not taken ------------------------------------------------------------------------------------------------

REQUIRED = ["'payload.summary' is missing or blank", "'payload.source' is missing or blank"]
SEVERITY = "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"payload": {}}, [*REQUIRED, "'payload.severity' is missing or blank"]),
        ({"payload": None}, ["'payload' is missing or blank"]),
        ({"payload": [PAYLOAD]}, ["'payload' is missing or blank"]),
        ({"payload": {**PAYLOAD, "summary": " \n", "source": 7}}, REQUIRED),
        ({"payload": {**PAYLOAD, "severity": "Critical"}}, [SEVERITY]),
        ({"payload": {**PAYLOAD, "severity": ["info"]}}, ["'payload.severity' is missing or blank"]),
        (
            {"payload": {**PAYLOAD, "summary": "x" * 1025}},
            ["Length of 'payload.summary' is incorrect (should be at most 1024 characters)"],
        ),
        ({"payload": {**PAYLOAD, "component": 7}}, ["'payload.component' is not a text"]),
        (
            {"payload": {**PAYLOAD, "timestamp": "yesterday"}},
            ["'payload.timestamp' is invalid (must be a moment of ISO 8601)"],
        ),
        ({"payload": {**PAYLOAD, "timestamp": 7}}, ["'payload.timestamp' is invalid (must be a moment of ISO 8601)"]),
        ({"dedup_key": "x" * 256}, ["Length of 'dedup_key' is incorrect (should be at most 255 characters)"]),
        ({"dedup_key": {"a": 1}}, ["'dedup_key' is not a text"]),
        ({"dedup_key": "a\u202eb"}, ["'dedup_key' contains control or direction characters"]),
        ({"dedup_key": "a\x00"}, ["'dedup_key' contains control or direction characters"]),
        (
            {"event_action": "explode"},
            ["'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')"],
        ),
        ({"event_action": None}, ["'event_action' is missing or blank"]),
        ({"action": "resolve", "dedup_key": None}, ["'dedup_key' is missing or blank"]),
        ({"action": "acknowledge", "dedup_key": ""}, ["'dedup_key' is missing or blank"]),
    ],
)
async def test_each_wrong_field_is_named_and_nothing_is_told(
    bench: Bench, given: dict[str, Any], errors: list[str]
) -> None:
    assert await bench.refused(**given) == errors
    assert bench.stream.log == []
    await bench.accepted()


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "not JSON"),
        (b"[]", 400, "Invalid routing key"),
        (b'{"routing_key": "a", "routing_key": "b"}', 400, "given twice"),
        (b'{"x": NaN}', 400, "NaN is not a JSON number"),
        (b'{"x": "\\ud800"}', 400, "lone surrogate"),
        (b'{"x": ' + b"[" * 100 + b"]" * 100 + b"}", 400, "deep"),
        (b" " * 524_289, 413, "more than 524288 bytes"),
    ],
)
async def test_a_body_that_is_no_event_is_refused(bench: Bench, body: bytes, status: int, reason: str) -> None:
    answer = await bench.client.post("/v2/enqueue", content=body)
    assert answer.status_code == status
    assert reason in answer.json()["errors"][0]


async def test_a_compressed_body_is_refused(bench: Bench) -> None:
    answer = await bench.client.post("/v2/enqueue", content=b"x", headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["errors"]) == (415, ["compressed bodies are not taken"])


async def test_the_headers_need_not_say_that_it_is_json(bench: Bench) -> None:
    """`curl -d` says it is a form, and PagerDuty takes it: the key is in the body, so no web page can send it."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await bench.client.post("/v2/enqueue", content=json.dumps(bench.event()), headers=form)
    assert answer.status_code == 202


# --- a trigger --------------------------------------------------------------------------------------------------------


async def test_a_trigger_fires_an_alert_with_all_that_it_tells(bench: Bench) -> None:
    payload = {
        **PAYLOAD,
        "timestamp": "2026-03-01T11:59:00.000+0000",
        "component": "mysql",
        "group": "prod-datapipe",
        "class": "CheckoutErrors",
        "custom_details": {"zone": "eu-1", "ping time": "1500ms", "load": 0.75, "firing": "a\nb", "none": ""},
    }
    links = [{"href": "https://grafana.example/1", "text": "graph"}, {"href": "https://wiki.example/"}, "nonsense", {}]
    await bench.accepted(
        payload=payload,
        links=links,
        images=[{"src": "https://img.example/1.png"}],
        client="Grafana",
        client_url="https://g/",
    )
    fired = bench.last()
    assert dict(fired.labels) == {
        "alertname": "CheckoutErrors",
        "class": "CheckoutErrors",
        "component": "mysql",
        "dedup_key": "checkout/1",
        "group": "prod-datapipe",
        "integration": "grafana",
        "severity": "critical",
        "source": "shop-1",
        "zone": "eu-1",
    }
    assert fired.annotations == {
        "client": "Grafana",
        "firing": "a\nb",
        "images": "https://img.example/1.png",
        "links": "https://grafana.example/1\nhttps://wiki.example/",
        "load": "0.75",
        "ping time": "1500ms",
        "summary": "12% of checkouts fail",
    }
    assert (fired.rule, fired.severity, fired.source) == ("CheckoutErrors", "critical", "pagerduty-events")
    assert (fired.summary, fired.generator_url) == ("12% of checkouts fail", "https://g/")
    assert fired.starts_at == at(-60)
    assert fired.fingerprint == fingerprint_of("grafana", "checkout/1")


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ({"custom_details": {"alertname": "Named"}, "class": "Class"}, "Named"),
        ({"class": "Class"}, "Class"),
        ({}, "12% of checkouts fail"),
        ({"summary": "x" * 1024}, "x" * 127 + "…"),
    ],
)
async def test_the_alert_is_called_by_the_best_name_that_it_brings(
    bench: Bench, payload: dict[str, Any], name: str
) -> None:
    await bench.accepted(payload={**PAYLOAD, **payload})
    assert (bench.last().rule, bench.last().labels["alertname"]) == (name, name)


async def test_details_cannot_pretend_to_be_another_sender_alert_or_severity(bench: Bench) -> None:
    details = {"integration": "ada", "dedup_key": "other", "severity": "info", "source": "elsewhere"}
    await bench.accepted(payload={**PAYLOAD, "custom_details": details})
    labels = bench.last().labels
    assert (labels["integration"], labels["dedup_key"]) == ("grafana", "checkout/1")
    assert (labels["severity"], labels["source"]) == ("critical", "shop-1")


async def test_hostile_text_and_a_flood_of_details_are_kept_within_bounds(bench: Bench) -> None:
    details = {f"d{number}": "x" * 200 for number in range(500)} | {"\u202e": "y" * 9000, "e": "\x1b[2J"}
    payload = {**PAYLOAD, "summary": "a\nb\u202ec\x00", "source": "s" * 5000, "custom_details": details}
    await bench.accepted(payload=payload, client_url="https://x/\x07")
    fired = bench.last()
    assert fired.summary == "a b\ufffdc\ufffd"
    assert len(fired.labels["source"]) == 1024
    assert len(fired.labels) <= 64
    assert len(fired.annotations) <= 64
    assert fired.generator_url == "https://x/\ufffd"


@pytest.mark.parametrize("details", ["a text", ["a", "list"], 7])
async def test_details_that_are_no_object_are_shown(bench: Bench, details: Any) -> None:
    await bench.accepted(payload={**PAYLOAD, "custom_details": details})
    shown = details if isinstance(details, str) else json.dumps(details)
    assert bench.last().annotations["custom_details"] == shown


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("2026-03-01T11:00:00", -HOUR),
        ("2026-03-01T14:00:00+02:00", 0),
        ("2036-03-01T12:00:00Z", 0),
        ("", 0),
        ("9999-12-31T23:59:59-14:00", 0),
    ],
)
async def test_the_moment_is_the_senders_but_never_in_the_future(bench: Bench, stamp: str, seconds: float) -> None:
    await bench.accepted(payload={**PAYLOAD, "timestamp": stamp})
    assert bench.last().starts_at == at(seconds)


async def test_a_repeated_trigger_is_told_once_and_a_changed_one_again(bench: Bench) -> None:
    await bench.accepted()
    for _ in range(3):
        bench.stream.clock.move(60)
        await bench.accepted(payload={**PAYLOAD, "custom_details": {"count": "9"}, "class": "Renamed"})
    assert bench.stream.story == ["fired critical"]
    first = bench.last()
    await bench.accepted(payload={**PAYLOAD, "severity": "info", "class": "Renamed"})
    await bench.accepted(payload={**PAYLOAD, "severity": "info", "summary": "worse"})
    assert bench.stream.story == ["fired critical", "fired info", "fired info"]
    last = bench.last()
    assert (last.episode, last.rule, last.labels) == (first.episode, first.rule, first.labels)
    assert (last.summary, last.starts_at) == ("worse", START)


async def test_a_trigger_long_after_the_first_is_a_firing_of_its_own(bench: Bench) -> None:
    """Many senders never resolve. By then a person may have resolved the incident: it must be told of anew."""
    await bench.accepted()
    first = bench.last()
    bench.stream.clock.move(HOUR - 1)
    await bench.accepted()
    assert bench.stream.story == ["fired critical"]
    bench.stream.clock.move(1)
    await bench.accepted()
    assert bench.stream.story == ["fired critical", "fired critical", "replaced"]
    again, ended = bench.stream.log[1].data, bench.stream.log[2].data
    assert isinstance(again, AlertFired)
    assert isinstance(ended, AlertResolved)
    assert (again.episode != first.episode, ended.episode) == (True, first.episode)
    await bench.accepted("resolve")
    assert bench.stream.log[-1].data.episode == again.episode


async def test_what_the_detector_says_again_by_itself_is_no_trigger(bench: Bench) -> None:
    await bench.accepted()
    bench.stream.clock.move(AGAIN_AFTER.total_seconds())
    await bench.book.say(partial(decide_kept, now=bench.stream.clock.now()))
    bench.stream.clock.move(60)
    await bench.accepted()
    assert bench.stream.story == ["fired critical"] * 3 + ["replaced"]


async def test_a_moment_before_all_others_is_the_earliest(bench: Bench) -> None:
    await bench.accepted(payload={**PAYLOAD, "timestamp": "0001-01-01T00:00:00+14:00"})
    assert bench.last().starts_at == EARLIEST


async def test_without_a_key_each_trigger_is_an_alert_of_its_own(bench: Bench) -> None:
    keys = [await bench.accepted(dedup_key=None), await bench.accepted(dedup_key=None)]
    assert keys[0] == keys[1]  # sent again at once, it is the same
    bench.stream.clock.move(90)
    keys.append(await bench.accepted(dedup_key=None))
    keys.append(await bench.accepted(dedup_key="", payload={**PAYLOAD, "summary": "another"}))
    bench.stream.clock.move(121)
    keys.append(await bench.accepted(dedup_key=None))
    assert len(set(keys)) == 3
    assert bench.stream.story == ["fired critical"] * 3
    await bench.accepted("resolve", dedup_key=keys[0])
    assert bench.stream.log[-1].data.fingerprint == fingerprint_of("grafana", keys[0])


# --- its end ----------------------------------------------------------------------------------------------------------


async def test_a_resolution_needs_the_key_only(bench: Bench) -> None:
    await bench.accepted(payload={**PAYLOAD, "class": "CheckoutErrors"})
    fired = bench.last()
    bench.stream.clock.move(10)
    assert await bench.accepted("resolve") == "checkout/1"
    ended = bench.stream.log[-1].data
    assert isinstance(ended, AlertResolved)
    assert (ended.episode, ended.rule, ended.labels) == (fired.episode, fired.rule, fired.labels)
    assert (ended.ends_at, ended.reason) == (at(10), "recovered")


@pytest.mark.parametrize("action", ["resolve", "acknowledge"])
async def test_of_what_does_not_fire_nothing_follows(bench: Bench, action: str) -> None:
    await bench.accepted(action)
    assert (bench.stream.log, bench.sent.commands) == ([], {})
    await bench.accepted()
    await bench.accepted("resolve")
    await bench.accepted(action)
    assert (bench.stream.story, bench.sent.commands) == (["fired critical", "resolved"], {})


async def test_after_its_end_it_can_fire_again(bench: Bench) -> None:
    for _ in range(2):
        await bench.accepted()
        await bench.accepted("resolve")
    assert bench.stream.story == ["fired critical", "resolved"] * 2
    assert len({envelope.data.episode for envelope in bench.stream.log}) == 2


# --- an acknowledgement -----------------------------------------------------------------------------------------------


async def test_an_acknowledgement_names_the_firing_and_who_sent_it(bench: Bench) -> None:
    await bench.accepted()
    await bench.accepted("acknowledge")
    (command,) = bench.sent.commands.values()
    fired = bench.last()
    assert (command.fingerprint, command.episode) == (fired.fingerprint, fired.episode)
    assert (command.rule, command.labels) == (fired.rule, fired.labels)
    assert command.by == Actor.person("grafana", "pagerduty-events")


async def test_what_another_replica_was_told_can_be_acknowledged_here(bench: Bench, keys: Keys) -> None:
    other = Bench(keys, bench.stream)
    await bench.accepted()
    await other.accepted("acknowledge", routing_key=bench.key)
    assert len(other.sent.commands) == 1


async def test_a_later_acknowledgement_is_another_command(bench: Bench) -> None:
    """By then it may have been escalated again."""
    await bench.accepted()
    await bench.accepted("acknowledge")
    bench.stream.clock.move(120)
    await bench.accepted("acknowledge")
    assert len(bench.sent.commands) == 2


async def test_an_end_that_another_replica_told_is_an_end_here(bench: Bench) -> None:
    await bench.accepted()
    fired = bench.last()
    ended = AlertResolved(
        fingerprint=fired.fingerprint,
        episode=fired.episode,
        rule=fired.rule,
        labels=fired.labels,
        source=fired.source,
        ends_at=at(1),
    )
    bench.stream.log.append(caused_by("other", 0, "detector", "", at(1), ended).at(2))
    await bench.accepted()
    assert bench.stream.story == ["fired critical", "resolved", "fired critical"]
    assert bench.last().episode != fired.episode
