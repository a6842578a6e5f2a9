"""Standing orders as the recorder shows them: what stands, what has been, and the words for it."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from recorder_builders import ADA, NOW
from starlette.applications import Starlette
from test_recorder_on_nats import Others, others, recording, until

from tocsin_recorder.adapters.orders_api import OrdersApi
from tocsin_recorder.core.order_sentences import ORDERS, order_sentence
from tocsin_recorder.core.orders import Lifted, overrides_of, silences_of
from tocsin_runtime import SystemClock
from tocsin_runtime.orders import Orders
from tocsin_schemas import Actor, Envelope, Event, caused_by
from tocsin_schemas.events import ORDER_EVENTS, OrderRejected, OverrideLifted, OverrideSet, SilenceLifted, SilenceSet
from tocsin_schemas.ids import derive_id
from tocsin_schemas.subjects import order_subject
from tocsin_testkit.nats import NatsServer

__all__ = ["others"]  # a fixture

HOUR = timedelta(hours=1)
BOB = Actor.person("bob", "cli")


def silence(name: str, begins: timedelta = -HOUR, ends: timedelta = HOUR, because: str = "a move") -> SilenceSet:
    return SilenceSet(
        silence=name, match=('a="b"',), begins_at=NOW + begins, ends_at=NOW + ends, because=because, by=ADA
    )


def override(name: str) -> OverrideSet:
    return OverrideSet(
        override=name, schedule="primary", person="bob", begins_at=NOW - HOUR, ends_at=NOW + HOUR, by=ADA
    )


EVERYTHING: tuple[Event, ...] = (
    silence("over", ends=-HOUR / 2),
    silence("pending", begins=HOUR / 2),
    silence("lifted"),
    SilenceLifted(silence="lifted", because="done", by=BOB),
    silence("active"),
    OrderRejected(command="Silence", reason="no", by=ADA),
    override("o1"),
    override("o2"),
    OverrideLifted(override="o1", by=BOB),
)


class NoFollower:
    position = 0

    def __init__(self, *_: object) -> None: ...


class Standing(SystemClock):
    def now(self) -> datetime:
        return NOW


def said(event: Event, number: int) -> Envelope[Event]:
    at = NOW + timedelta(seconds=number)
    return caused_by(derive_id("command", number), 0, "escalator", "", at, event).at(number)


def history(*events: Event) -> list[Envelope[Event]]:
    return [said(event, number) for number, event in enumerate(events, 1)]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    orders = Orders(NoFollower)  # type: ignore[arg-type]  # a double of Follower
    for envelope in history(*EVERYTHING):
        orders.take(envelope)
    app = Starlette(routes=OrdersApi(orders, Standing()).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://recorder") as made:
        yield made


async def get(client: httpx.AsyncClient, path: str, status: int = 200, **query: str) -> Any:
    answer = await client.get(path, params=query)
    assert answer.status_code == status, answer.text
    return json.loads(answer.content)


def names(orders: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["id"], each["state"]) for each in orders]


async def test_what_is_in_force_or_to_come_is_listed_the_last_one_first(client: httpx.AsyncClient) -> None:
    listed = (await get(client, "/api/v1/silences"))["silences"]
    assert names(listed) == [("active", "active"), ("pending", "pending")]
    assert names((await get(client, "/api/v1/overrides"))["overrides"]) == [("o2", "active")]


async def test_all_of_them_are_listed_with_what_became_of_them(client: httpx.AsyncClient) -> None:
    listed = (await get(client, "/api/v1/silences", all="true"))["silences"]
    assert names(listed) == [("active", "active"), ("lifted", "lifted"), ("pending", "pending"), ("over", "over")]
    assert listed[1] == {
        "id": "lifted",
        "state": "lifted",
        "match": ['a="b"'],
        "begins_at": "2026-03-01T11:00:00Z",
        "ends_at": "2026-03-01T13:00:00Z",
        "because": "a move",
        "by": "ada",
        "set_at": "2026-03-01T12:00:03Z",
        "lifted_at": "2026-03-01T12:00:04Z",
        "lifted_by": "bob",
        "lifted_because": "done",
    }
    overrides = (await get(client, "/api/v1/overrides", all="true"))["overrides"]
    assert [(each["id"], each["person"], each["schedule"], each["lifted_by"]) for each in overrides] == [
        ("o2", "bob", "primary", None),
        ("o1", "bob", "primary", "bob"),
    ]


async def test_a_list_can_be_cut(client: httpx.AsyncClient) -> None:
    assert names((await get(client, "/api/v1/silences", limit="1"))["silences"]) == [("active", "active")]


@pytest.mark.parametrize("query", [{"all": "perhaps"}, {"limit": "0"}, {"limit": "1001"}, {"state": "over"}])
async def test_what_is_asked_wrongly_is_refused_with_the_name_of_the_parameter(
    client: httpx.AsyncClient, query: dict[str, str]
) -> None:
    problem = await get(client, "/api/v1/silences", 400, **query)
    assert next(iter(query)) in problem["detail"]


def test_an_order_has_one_state_at_each_moment() -> None:
    (one,) = silences_of(history(silence("s", begins=timedelta(), ends=HOUR)))
    states = [one.state(NOW + after) for after in (-HOUR, timedelta(), HOUR / 2, HOUR)]
    assert states == ["pending", "active", "active", "over"]
    assert [one.stands(NOW + after) for after in (-HOUR, HOUR / 2, HOUR)] == [True, True, False]


def test_who_has_lifted_an_order_is_known_whenever_that_was_said() -> None:
    lifted = Lifted(NOW + timedelta(seconds=1), BOB, "")
    (one,) = overrides_of(history(OverrideLifted(override="o", by=BOB), override("o")))
    assert (one.lifted, one.state(NOW)) == (lifted, "lifted")


# --- words -----------------------------------------------------------------------------------------------------------


def test_every_order_is_one_sentence() -> None:
    assert set(ORDERS) == set(ORDER_EVENTS)
    assert [order_sentence(event) for event in EVERYTHING[3:]] == [
        "bob lifted the silence lifted: done",
        'ada silenced a="b" from 2026-03-01 11:00 UTC to 2026-03-01 13:00 UTC: a move (silence active)',
        "Silence asked for by ada was not carried out: no",
        "ada put bob on call for primary from 2026-03-01 11:00 UTC to 2026-03-01 13:00 UTC (override o1)",
        "ada put bob on call for primary from 2026-03-01 11:00 UTC to 2026-03-01 13:00 UTC (override o2)",
        "bob lifted the override o1",
    ]


def test_a_sentence_is_bounded_whatever_was_said() -> None:
    assert len(order_sentence(silence("s", because="x" * 1000))) == 400


# --- on nats ---------------------------------------------------------------------------------------------------------


async def test_the_recorder_shows_what_was_ordered_before_and_after_it_came_up(
    nats_server: NatsServer, tmp_path: Path, others: Others
) -> None:
    first, second = said(silence("before", ends=365 * 100 * 24 * HOUR), 1), said(override("after"), 2)
    await others.connection.publish(order_subject(SilenceSet), first)
    async with recording(nats_server, tmp_path / "timeline.db") as recorder:
        assert names((await recorder.get("/api/v1/silences"))["silences"]) == [("before", "active")]
        await others.connection.publish(order_subject(OverrideSet), second)

        async def there() -> bool:
            return bool((await recorder.get("/api/v1/overrides?all=true"))["overrides"])

        await until(there)
