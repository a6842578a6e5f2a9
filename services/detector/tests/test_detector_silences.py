"""Silences of the Alertmanager API v2 over HTTP: who may, what is refused, what a repetition does, what is shown."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from detector_doors import Desk, Keys
from detector_world import START, Stream, at, fired
from starlette.applications import Starlette

from tocsin_detector.adapters import requests, silences_api
from tocsin_detector.adapters.alertmanager_api import AlertmanagerApi
from tocsin_detector.adapters.silences_api import SilencesApi
from tocsin_detector.core.known import Word, after_word
from tocsin_detector.core.silences import OWN, silenced_by
from tocsin_playbook.standing_orders import StandingOrders
from tocsin_schemas import Actor, Command, Envelope, Event, Labels
from tocsin_schemas.commands import LiftSilence, Silence
from tocsin_schemas.events import SilenceSet
from tocsin_schemas.moments import format_moment

SHOP = {"name": "service", "value": "shop", "isRegex": False, "isEqual": True}


class Bench:
    def __init__(self, keys: Keys) -> None:
        self.stream, self.keys = Stream(), keys
        self.clock = self.stream.clock
        self.desk = Desk(self.clock)
        self.token = keys.give("ada")
        orders = self.desk.orders
        silences = SilencesApi(
            orders,
            self.desk.last_order,
            self.desk,  # type: ignore[arg-type]  # a double
            keys.tokens,
            self.clock,
        )
        self.book = self.stream.book()
        alerts = AlertmanagerApi(self.book, self.clock, max_body_bytes=100_000, standing=lambda: orders.standing)
        app = Starlette(routes=[*alerts.routes(), *silences.routes()])
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://detector")

    def headers(self, token: str | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {token or self.token}"}

    def silence(self, **more: Any) -> dict[str, Any]:
        now = self.clock.now()
        return {
            "matchers": [SHOP],
            "startsAt": format_moment(now),
            "endsAt": format_moment(now + timedelta(hours=2)),
            "createdBy": "ada",
            "comment": "an upgrade",
            **more,
        }

    async def post(self, document: Any = None, **more: Any) -> httpx.Response:
        given = self.silence(**more) if document is None else document
        return await self.client.post("/api/v2/silences", json=given, headers=self.headers())

    async def set(self, document: Any = None, **more: Any) -> str:
        answer = await self.post(document, **more)
        assert answer.status_code == 200, answer.text
        assert list(answer.json()) == ["silenceID"]
        return str(answer.json()["silenceID"])

    async def lift(self, silence: str) -> httpx.Response:
        return await self.client.delete(f"/api/v2/silence/{silence}", headers=self.headers())

    async def listed(self, *filters: str) -> list[tuple[str, str]]:
        answer = await self.client.get("/api/v2/silences", params={"filter": list(filters)})
        assert answer.status_code == 200, answer.text
        return [(each["id"], each["status"]["state"]) for each in answer.json()]

    @property
    def asked(self) -> list[str]:
        return [type(command).__name__ for command in self.desk.commands]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(Keys(tmp_path))
    yield made
    await made.client.aclose()


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [{}, {"authorization": "Bearer "}, {"authorization": "Bearer tcs_" + "A" * 43}, {"authorization": "Basic !"}],
)
async def test_without_a_known_token_nothing_is_asked(bench: Bench, given: dict[str, str]) -> None:
    silence = await bench.set()
    posted = await bench.client.post("/api/v2/silences", json=bench.silence(comment="other"), headers=given)
    deleted = await bench.client.delete(f"/api/v2/silence/{silence}", headers=given)
    for answer in (posted, deleted):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="tocsin"'
        assert "`tocsin tokens add NAME` makes one" in answer.json()
    assert bench.asked == ["Silence"]


async def test_a_token_that_was_taken_back_lets_nobody_in(bench: Bench) -> None:
    bench.keys.path.write_text("")
    assert (await bench.post()).status_code == 401


async def test_reading_asks_for_no_token(bench: Bench) -> None:
    silence = await bench.set()
    assert await bench.listed() == [(silence, "active")]
    assert (await bench.client.get(f"/api/v2/silence/{silence}")).status_code == 200


async def test_the_token_may_come_as_the_password_of_basic(bench: Bench) -> None:
    """As amtool sends it with `basic_auth` in its configuration of HTTP."""
    answer = await bench.client.post("/api/v2/silences", json=bench.silence(), auth=("whoever", bench.token))
    assert answer.status_code == 200
    assert bench.desk.commands[0].by == Actor.person("ada", "alertmanager-api")  # type: ignore[attr-defined]  # its own


async def test_the_author_is_whose_token_it_is_and_who_is_named_besides_stands_in_the_reason(bench: Bench) -> None:
    await bench.set(createdBy="eve")
    (command,) = bench.desk.commands
    assert isinstance(command, Silence)
    assert (command.by.name, command.because) == ("ada", "an upgrade (createdBy: eve)")


async def test_a_web_page_cannot_ask_in_a_persons_name(bench: Bench) -> None:
    """A form of another site can send texts with the browser's credentials, but no JSON and no DELETE."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {**bench.headers(), "content-type": kind}
        answer = await bench.client.post("/api/v2/silences", content=b"{}", headers=headers)
        assert answer.status_code == 415
    asked = {"origin": "https://mallory.example", "access-control-request-method": "DELETE"}
    answer = await bench.client.options("/api/v2/silence/x", headers=asked)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


# --- when it fails ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["is_away", "loses_answers", "sleeps"])
async def test_without_an_answer_it_is_503_and_the_repetition_is_the_same_silence(bench: Bench, trouble: str) -> None:
    document = bench.silence()
    setattr(bench.desk, trouble, True)
    answer = await bench.post(document)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json().startswith("not answered; send it again")
    setattr(bench.desk, trouble, False)
    silence = await bench.set(document)
    assert await bench.set(document) == silence
    assert bench.asked == ["Silence"]


@pytest.mark.parametrize("trouble", ["is_away", "loses_answers", "sleeps"])
async def test_a_lift_without_an_answer_is_503_and_its_repetition_is_well(bench: Bench, trouble: str) -> None:
    silence = await bench.set()
    setattr(bench.desk, trouble, True)
    assert (await bench.lift(silence)).status_code == 503
    setattr(bench.desk, trouble, False)
    for _ in range(2):
        assert (await bench.lift(silence)).status_code == 200
    assert bench.asked == ["Silence", "LiftSilence"]


async def test_a_replacement_that_got_half_way_is_completed_by_its_repetition(bench: Bench) -> None:
    old = await bench.set()
    document = bench.silence(id=old, comment="longer")

    async def lose(command: Command, cause: str) -> Any:
        bench.desk.loses_answers = isinstance(command, LiftSilence)
        return await ask(command, cause)

    ask, bench.desk.ask = bench.desk.ask, lose  # type: ignore[method-assign]  # a failure is planted
    assert (await bench.post(document)).status_code == 503
    bench.desk.ask = ask  # type: ignore[method-assign]  # a failure is planted
    bench.desk.loses_answers = False
    new = await bench.set(document)
    assert await bench.listed() == [(new, "active"), (old, "expired")]
    assert bench.asked == ["Silence", "Silence", "LiftSilence"]


async def test_what_others_have_ordered_is_read_before_anything_is_asked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was set by another replica a moment ago can be lifted here; as long as that is not read, nobody says
    that there is none."""
    monkeypatch.setattr(silences_api, "_SECONDS", 0.05)
    silence = await bench.set()
    bench.desk.unread = 1
    for answer in (await bench.lift(silence), await bench.lift("another"), await bench.post(comment="other")):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    bench.desk.unread = 0
    assert bench.asked == ["Silence"]
    assert (await bench.lift(silence)).status_code == 200


async def test_a_sender_that_drips_is_408(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    monkeypatch.setattr(requests, "_BODY_SECONDS", 0.02)
    headers = {**bench.headers(), "content-type": "application/json"}
    assert (await bench.client.post("/api/v2/silences", content=body(), headers=headers)).status_code == 408


# --- what is refused --------------------------------------------------------------------------------------------------


async def test_what_the_escalator_refuses_is_400_with_its_sentence(bench: Bench) -> None:
    bench.desk.refused = lambda _: "the silence could match every alert"
    answer = await bench.post()
    assert (answer.status_code, answer.json()) == (400, "the silence could match every alert")
    assert (await bench.post()).status_code == 400
    bench.desk.refused = lambda _: None
    await bench.set()  # the same again is decided again: it may be allowed by now


async def test_what_asks_for_more_access_is_403(bench: Bench) -> None:
    reason = "ada is a responder; Silence for more than 24 hours asks for a commander"
    bench.desk.refused = lambda _: reason
    answer = await bench.post(endsAt=format_moment(at(90_000)))
    assert (answer.status_code, answer.json()) == (403, reason)
    bench.desk.refused = lambda _: None
    silence = await bench.set()
    bench.token = bench.keys.give("eve")  # a viewer
    bench.desk.refused = lambda _: "eve is a viewer; LiftSilence asks for a responder"
    assert (await bench.lift(silence)).status_code == 403
    assert await bench.listed() == [(silence, "active")]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"matchers": []}, "matchers: at least one is needed"),
        ({"matchers": None}, "matchers: at least one is needed"),
        ({"matchers": {"name": "a"}}, "matchers: at least one is needed"),
        ({"matchers": [SHOP] * 21}, "matchers: 21 of them; at most 20 are allowed"),
        ({"matchers": ["service"]}, "matchers[0]: is not an object"),
        ({"matchers": [SHOP, {**SHOP, "name": 7}]}, "matchers[1].name: is not a text"),
        ({"matchers": [{**SHOP, "isRegex": "yes"}]}, "matchers[0].isRegex: is neither true nor false"),
        ({"matchers": [{**SHOP, "name": "no label"}]}, 'matchers[0]: no label="shop": this is no matcher'),
        ({"matchers": [{**SHOP, "value": "a\nb"}]}, 'matchers[0]: service="a\ufffdb": this is no matcher'),
        (
            {"matchers": [{**SHOP, "value": "(a+)+$", "isRegex": True}]},
            'matchers[0]: service=~"(a+)+$": the pattern is more than alternatives of words with .* in them',
        ),
        ({"startsAt": None}, "startsAt: is missing"),
        ({"endsAt": ""}, "endsAt: is missing"),
        ({"endsAt": "soon"}, "endsAt 'soon': Invalid isoformat string: 'soon'"),
        ({"endsAt": "2026-03-01T12:00:00"}, "endsAt '2026-03-01T12:00:00': has no time zone"),
        ({"comment": ""}, "comment: is missing"),
        ({"comment": "x" * 1025}, "comment: String should have at most 1024 characters"),
        ({"comment": "a\u202eb"}, "comment: contains the control or direction character U+202E at position 1"),
        ({"createdBy": 7}, "createdBy: is not a text"),
        ({"createdBy": "\x1b[2J"}, "comment: contains the control or direction character U+001B at position 23"),
        ({"id": 7}, "id: is not a text"),
    ],
)
async def test_each_wrong_field_is_named_and_nothing_is_asked(bench: Bench, given: dict[str, Any], reason: str) -> None:
    answer = await bench.post(**given)
    assert (answer.status_code, answer.json()) == (400, reason)
    assert bench.asked == []


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "not JSON"),
        (b"[]", 400, "the body is not a silence"),
        (b'{"id": "a", "id": "b"}', 400, "given twice"),
        (b" " * 65_537, 413, "more than 65536 bytes"),
    ],
)
async def test_a_body_that_is_no_silence_is_refused(bench: Bench, body: bytes, status: int, reason: str) -> None:
    headers = {**bench.headers(), "content-type": "application/json"}
    answer = await bench.client.post("/api/v2/silences", content=body, headers=headers)
    assert answer.status_code == status
    assert reason in answer.json()


@pytest.mark.parametrize("silence", ["0123456789", "x" * 500, "..%2f..%2fhealthz", "*", "%00", "a.b.>"])
async def test_one_that_does_not_exist_is_404(bench: Bench, silence: str) -> None:
    for method in ("GET", "DELETE"):
        answer = await bench.client.request(method, f"/api/v2/silence/{silence}", headers=bench.headers())
        assert answer.status_code == 404
    assert (await bench.post(id=silence)).status_code == 404
    assert bench.asked == []


# --- setting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matcher", "text"),
    [
        ({"name": "a", "value": "b", "isRegex": False}, 'a="b"'),
        ({"name": "a", "value": "b"}, 'a="b"'),
        ({"name": "a", "value": "b", "isRegex": False, "isEqual": False}, 'a!="b"'),
        ({"name": "a", "value": "b.*|c", "isRegex": True, "isEqual": True}, 'a=~"b.*|c"'),
        ({"name": "a", "value": "b.+", "isRegex": True, "isEqual": False}, 'a!~"b.+"'),
        ({"name": "a", "value": 'q"\\', "isRegex": False}, 'a="q\\"\\\\"'),
        ({"name": "a", "value": "b\\.c", "isRegex": True}, 'a=~"b\\\\.c"'),
    ],
)
async def test_a_matcher_is_understood_and_shown_as_it_was_posted(
    bench: Bench, matcher: dict[str, Any], text: str
) -> None:
    silence = await bench.set(matchers=[matcher, SHOP])
    (command,) = bench.desk.commands
    assert isinstance(command, Silence)
    assert command.match == (text, 'service="shop"')
    shown = (await bench.client.get(f"/api/v2/silence/{silence}")).json()
    assert shown["matchers"] == [{"isRegex": False, "isEqual": True, **matcher}, SHOP]


async def test_one_that_begins_now_or_began_begins_at_once_and_one_to_come_does_not(bench: Bench) -> None:
    await bench.set(startsAt=format_moment(at(-60)))
    later = await bench.set(startsAt=format_moment(at(60)))
    first, second = bench.desk.commands
    assert isinstance(first, Silence)
    assert isinstance(second, Silence)
    assert (first.begins_at, second.begins_at) == (None, at(60))
    assert (later, "pending") in await bench.listed()


async def test_the_same_again_is_a_new_one_when_the_first_was_lifted(bench: Bench) -> None:
    document = bench.silence()
    silences = []
    for _ in range(3):
        silences.append(await bench.set(document))
        assert await bench.set(document) == silences[-1]
        assert (await bench.lift(silences[-1])).status_code == 200
    assert len(set(silences)) == 3


async def test_two_people_who_ask_for_the_same_have_one_each(bench: Bench) -> None:
    document = bench.silence()
    first = await bench.set(document)
    bench.token = bench.keys.give("bob")
    assert await bench.set(document) != first


async def test_a_replacement_stands_before_the_old_one_is_lifted(bench: Bench) -> None:
    old = await bench.set()
    new = await bench.set(id=old, comment="longer")
    assert bench.asked == ["Silence", "Silence", "LiftSilence"]
    lifted = bench.desk.commands[-1]
    assert isinstance(lifted, LiftSilence)
    assert (lifted.silence, lifted.because) == (old, "replaced")
    assert await bench.listed() == [(new, "active"), (old, "expired")]


async def test_who_is_refused_again_and_again_costs_no_more_each_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.desk.refused = lambda _: "no"
    given, looked = bench.silence(), list[str]()
    answer_to = bench.desk.orders.answer_to

    def looking(command: str) -> Envelope[Event] | None:
        looked.append(command)
        return answer_to(command)

    monkeypatch.setattr(bench.desk.orders, "answer_to", looking)
    for _ in range(100):
        looked.clear()
        assert (await bench.client.post("/api/v2/silences", json=given, headers=bench.headers())).status_code == 400
    assert (len(bench.desk.commands), len(looked) < 50) == (100, True)


async def test_a_replacement_that_is_refused_leaves_the_old_one(bench: Bench) -> None:
    old = await bench.set()
    bench.desk.refused = lambda _: "no"
    assert (await bench.post(id=old)).status_code == 400
    assert await bench.listed() == [(old, "active")]


async def test_one_that_was_lifted_meanwhile_by_another_is_as_good_as_lifted(bench: Bench) -> None:
    silence = await bench.set()

    async def overtaken(command: Command, cause: str) -> Any:
        await ask(command, "another")
        bench.desk.refused = lambda _: f"there is no silence {silence}, or it is over"
        return await ask(command, cause)

    ask, bench.desk.ask = bench.desk.ask, overtaken  # type: ignore[method-assign]  # a failure is planted
    assert (await bench.lift(silence)).status_code == 200


async def test_one_that_is_over_needs_no_order(bench: Bench) -> None:
    silence = await bench.set()
    bench.clock.move(7200)
    assert (await bench.lift(silence)).status_code == 200
    assert bench.asked == ["Silence"]


# --- showing ----------------------------------------------------------------------------------------------------------


async def test_a_silence_is_shown_with_all_that_alertmanager_shows(bench: Bench) -> None:
    silence = await bench.set()
    bench.clock.move(60)
    assert (await bench.client.get(f"/api/v2/silence/{silence}")).json() == {
        "id": silence,
        "status": {"state": "active"},
        "updatedAt": format_moment(START),
        "matchers": [SHOP],
        "startsAt": format_moment(START),
        "endsAt": format_moment(at(7200)),
        "createdBy": "ada",
        "comment": "an upgrade",
    }
    await bench.lift(silence)
    shown = (await bench.client.get(f"/api/v2/silence/{silence}")).json()
    assert (shown["status"], shown["endsAt"], shown["updatedAt"]) == (
        {"state": "expired"},
        format_moment(at(60)),
        format_moment(at(60)),
    )


async def test_active_ones_come_first_and_old_ones_are_left_out(bench: Bench) -> None:
    over = await bench.set(endsAt=format_moment(at(60)))
    bench.clock.move(60)
    pending = await bench.set(startsAt=format_moment(at(600)))
    active = await bench.set()
    assert await bench.listed() == [(active, "active"), (pending, "pending"), (over, "expired")]
    bench.clock.move(timedelta(days=5).total_seconds())
    assert over not in [silence for silence, _ in await bench.listed()]
    assert (await bench.client.get(f"/api/v2/silence/{over}")).status_code == 200


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (['service="shop"'], 1),
        (["service=~sh.*"], 1),
        (['service!="shop"'], 1),
        (['service="search"', 'zone="eu"'], 1),
        (['service="shop"', 'zone="eu"'], 0),
        (['zone!=""'], 1),
    ],
)
async def test_silences_are_filtered_by_their_matchers(bench: Bench, filters: list[str], count: int) -> None:
    await bench.set()
    await bench.set(matchers=[{"name": "service", "value": "search"}, {"name": "zone", "value": "eu"}])
    assert len(await bench.listed(*filters)) == count


async def test_a_filter_that_is_not_carried_out_is_400(bench: Bench) -> None:
    answer = await bench.client.get("/api/v2/silences", params={"filter": "a=~(b+)+"})
    assert answer.status_code == 400
    assert answer.json().startswith("filter")


async def test_a_silenced_alert_is_shown_as_suppressed_by_it(bench: Bench) -> None:
    for service in ("shop", "search"):
        await bench.client.post("/api/v2/alerts", json=[{"labels": {"alertname": "Down", "service": service}}])
    silence = await bench.set()
    await bench.set(startsAt=format_moment(at(60)))  # not yet

    async def alerts(**query: str) -> dict[str, Any]:
        answer = await bench.client.get("/api/v2/alerts", params=query)
        return {alert["labels"]["service"]: alert["status"] for alert in answer.json()}

    shown = await alerts()
    assert shown["shop"] == {"state": "suppressed", "silencedBy": [silence], "inhibitedBy": [], "mutedBy": []}
    assert shown["search"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}
    assert list(await alerts(silenced="false")) == ["search"]
    assert list(await alerts(active="false")) == ["shop"]
    assert list(await alerts(active="false", silenced="false")) == []
    await bench.lift(silence)
    assert list(await alerts(silenced="false")) == ["shop", "search"]


@pytest.mark.parametrize(
    ("name", "match", "holds"),
    [("Down", 'zone="eu"', True), (f"{OWN}SourceDown", 'zone="eu"', False), ("Down", "nonsense", False)],
)
def test_none_holds_for_the_systems_own_alarms_or_by_what_nobody_can_read(name: str, match: str, holds: bool) -> None:
    by = Actor.person("ada", "cli")
    order = SilenceSet(silence="s", match=(match,), begins_at=START, ends_at=at(60), because="an upgrade", by=by)
    alert = after_word(None, Word(fired(Labels(alertname=name, zone="eu")), START))
    assert silenced_by(alert, StandingOrders((order,)), START) == (["s"] if holds else [])
    assert silenced_by(alert, StandingOrders((order,)), at(60)) == []
