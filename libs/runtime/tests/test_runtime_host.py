"""The life of a service, in this process: what holds it back, what ends it, what it does at its end."""

import asyncio
import gc
import json
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from runtime_builders import note, playbook
from structlog.testing import capture_logs

from tocsin_runtime import BusUnavailableError, Connection, Delivery, Host, ServiceSettings, load_settings, serve
from tocsin_runtime import service as service_module
from tocsin_runtime.playbooks import push
from tocsin_schemas import Envelope, Payload
from tocsin_schemas.subjects import INCIDENTS, incident_subject
from tocsin_testkit.nats import NatsServer

SUBJECT = incident_subject("inc1", type(note("x").data))


class Small(ServiceSettings):
    SERVICE: ClassVar[str] = "notifier"


Build = Callable[[Host[Small]], None]


def nothing(host: Host[Small]) -> None:
    """A service without any work."""


def host(server: NatsServer, build: Build, **settings: object) -> Host[Small]:
    defaults = {"nats_url": server.url, "nats_monitor_url": server.monitor_url, **settings}
    return Host(load_settings(Small, {}, **defaults), build)


@asynccontextmanager
async def running(made: Host[Small]) -> AsyncIterator[asyncio.Task[int]]:
    """Serving; told to end at the end, if it has not ended."""
    task = asyncio.create_task(serve([made]))
    try:
        yield task
    finally:
        if not task.done():
            signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(asyncio.wait([task]), 20)


async def status_of(made: Host[Small], seconds: float = 20) -> tuple[int, str]:
    """The exit status of a service that ends by itself, and what it logged."""
    with capture_logs() as logs:
        status = await asyncio.wait_for(serve([made]), seconds)
    return status, json.dumps(logs, default=repr)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.02)


async def get(made: Host[Small], path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"{made.ops.url}{path}")


# --- coming up --------------------------------------------------------------------------------------------------------


async def test_without_nats_a_service_is_alive_and_waits_and_can_be_ended(nats_server: NatsServer) -> None:
    await asyncio.to_thread(nats_server.kill)
    made = host(nats_server, nothing)
    async with running(made) as task:
        await asyncio.sleep(0.3)
        answer = await get(made, "/readyz")
        assert (answer.status_code, set(answer.json()["problems"])) == (503, {"life", "nats"})
        assert (await get(made, "/healthz")).status_code == 200
    assert task.result() == 0


async def test_garbage_is_looked_for_again_where_reading_takes_long(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_WITHOUT_COLLECTING", 0.3)
    reading = asyncio.Event()

    async def resume() -> int:
        reading.set()
        await asyncio.Event().wait()
        return 0

    async def on_events(events: Sequence[Envelope[Payload]]) -> None:
        raise AssertionError("nothing was read")

    def build(host: Host[Small]) -> None:
        host.follow("INCIDENTS", (INCIDENTS,), on_events, resume=resume)

    async with running(host(nats_server, build)):
        await reading.wait()
        assert not gc.isenabled()
        await until(gc.isenabled)


async def test_interrupted_by_hand_a_service_ends_as_well(nats_server: NatsServer) -> None:
    made = host(nats_server, nothing)
    async with running(made) as task:
        await until(lambda: not made.problems())
        signal.raise_signal(signal.SIGINT)
        assert await task == 0


async def test_a_check_of_the_services_own_holds_back_its_readiness(nats_server: NatsServer) -> None:
    found = ["none yet"]
    made = host(nats_server, lambda h: h.ready_when("playbook", lambda: found[0] if found else None))
    async with running(made):
        await until(lambda: made.problems() == {"playbook": "none yet"})
        found.clear()
        assert (await get(made, "/readyz")).status_code == 200


async def test_a_silent_consumer_makes_the_service_unready(nats_server: NatsServer) -> None:
    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        raise AssertionError("nothing was sent")

    made = host(nats_server, lambda h: h.consume("notifier-incidents", handle))
    async with running(made):
        await until(lambda: not made.problems())
        made._consumers[0]._pull.last_sign_of_life -= 11
        assert "no sign of life for " in made.problems().get("notifier-incidents", "")


async def test_everything_happens_in_its_order(nats_server: NatsServer, connection: Connection) -> None:
    happened: list[str] = []

    async def work() -> None:
        happened.append("background")
        await asyncio.Event().wait()

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        happened.append("handled")

    async def take(events: Sequence[Envelope[Payload]]) -> None:
        happened.append("followed")

    async def start() -> None:
        happened.append("started")

    async def stop() -> None:
        happened.append("stopped")

    def build(h: Host[Small]) -> None:
        h.consume("notifier-incidents", handle)
        h.follow("INCIDENTS", (INCIDENTS,), take)
        h.background("work", work)
        h.at_start(start)
        h.at_stop(stop)

    await connection.publish(SUBJECT, note("a"))
    made = host(nats_server, build)
    async with running(made) as task:
        await until(lambda: "handled" in happened and "background" in happened)
    assert task.result() == 0
    assert happened[:2] == ["started", "followed"]
    assert happened[-1] == "stopped"


# --- what keeps it from coming up -------------------------------------------------------------------------------------


async def test_a_stream_that_is_not_as_promised_is_refused(nats_server: NatsServer, connection: Connection) -> None:
    config = (await connection.request("$JS.API.STREAM.INFO.ALERTS"))["config"]
    changed = json.dumps({**config, "max_age": 3600 * 10**9}).encode()
    assert "error" not in await connection.request("$JS.API.STREAM.UPDATE.ALERTS", changed)
    status, logged = await status_of(host(nats_server, nothing))
    assert (status, "stream ALERTS, max_age" in logged) == (2, True)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"nats_monitor_url": None}, "TOCSIN_NATS_MONITOR_URL"),
        ({"nats_monitor_url": "http://127.0.0.1:1"}, "asking http://127.0.0.1:1/jsz"),
        ({"nats_replicas": 3}, "stream "),
    ],
)
async def test_what_nats_cannot_do_ends_the_service_with_its_reason(
    nats_server: NatsServer, settings: dict[str, object], reason: str
) -> None:
    status, logged = await status_of(host(nats_server, nothing, **settings))
    assert (status, reason in logged) == (2, True)


async def test_a_bug_at_the_start_ends_the_service_with_its_place(nats_server: NatsServer) -> None:
    async def broken() -> None:
        raise KeyError("bug")

    status, logged = await status_of(host(nats_server, lambda h: h.at_start(broken)))
    assert (status, "cannot start" in logged, "KeyError('bug')" in logged) == (1, True, True)


async def test_a_wrong_password_ends_the_service_and_is_not_shown(tmp_path: Path) -> None:
    """The client gives up after a second refusal: better an end that is seen than a wait that is not."""
    with NatsServer(tmp_path / "closed", users=[{"user": "notifier", "password": "right"}]) as closed:
        made = host(closed, nothing, nats_user="notifier", nats_password="canary")
        status, logged = await status_of(made)
    assert status == 1
    assert "authorization violation" in logged.lower()
    assert "canary" not in logged


# --- never half dead --------------------------------------------------------------------------------------------------


async def test_a_follower_that_dies_while_it_catches_up_ends_the_service(
    nats_server: NatsServer, connection: Connection
) -> None:
    async def take(events: Sequence[Envelope[Payload]]) -> None:
        raise KeyError("bug")

    await connection.publish(SUBJECT, note("a"))
    status, logged = await status_of(host(nats_server, lambda h: h.follow("INCIDENTS", (INCIDENTS,), take) and None))
    assert (status, "a part of the service has died" in logged) == (1, True)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_service_that_cannot_take_a_playbook_ends(
    nats_server: NatsServer, connection: Connection, when: str
) -> None:
    def broken() -> None:
        raise KeyError("bug")

    made = host(nats_server, lambda h: h.playbooks.on_change(broken))
    if when == "before":
        await push(connection, playbook(), source="p")
    ending = asyncio.create_task(status_of(made))
    if when == "after":
        await until(lambda: not made.problems())
        await push(connection, playbook(), source="p")
    status, logged = await ending
    assert (status, "a part of the service has died" in logged) == (1, True)


async def test_a_background_task_that_is_done_is_no_death(nats_server: NatsServer) -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    made = host(nats_server, lambda h: h.background("work", work))
    async with running(made) as task:
        await asyncio.wait_for(done.wait(), 20)
        await asyncio.sleep(0.7)  # the supervisor looks twice a second
        assert not task.done()
    assert task.result() == 0


# --- draining ---------------------------------------------------------------------------------------------------------


async def test_a_handler_that_takes_too_long_is_given_up_and_its_message_comes_again(
    nats_server: NatsServer, connection: Connection
) -> None:
    begun = asyncio.Event()

    async def handle(batch: Sequence[Delivery[Payload]]) -> None:
        begun.set()
        await asyncio.Event().wait()

    made = host(nats_server, lambda h: h.consume("notifier-incidents", handle), drain_seconds=0.2)
    async with running(made) as task:
        await connection.publish(SUBJECT, note("a"))
        await asyncio.wait_for(begun.wait(), 20)
    assert task.result() == 0
    info = await connection.request("$JS.API.CONSUMER.INFO.INCIDENTS.notifier-incidents")
    assert info["num_ack_pending"] == 1


async def test_clocks_are_compared_before_anything_is_handled_and_again_and_again(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_COMPARED_AGAIN", 0.01)
    monkeypatch.setattr(service_module, "_COMPARED_EVERY", 0.01)
    made = host(nats_server, nothing)
    compare, seen = made.connection.compare_clocks, []

    async def twice_in_vain() -> None:
        seen.append(made.clock.was_compared)
        if len(seen) in (1, 2, 5):
            raise BusUnavailableError("no answer")
        await compare()

    monkeypatch.setattr(made.connection, "compare_clocks", twice_in_vain)
    with capture_logs() as logs:
        async with running(made):
            await until(lambda: not made.problems() and len(seen) > 5)
    assert seen[:5] == [False, False, False, True, True]
    assert [each["event"] for each in logs].count("the clocks are compared later") == 3


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_CANCELLED_AGAIN", 0.05)
    swallowed: list[int] = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.append(1)
                if len(swallowed) > 2:
                    raise

    async with running(host(nats_server, lambda made: made.background("stubborn", stubborn))) as task:
        await asyncio.sleep(0.5)
    assert task.result() == 0
    assert len(swallowed) == 3
