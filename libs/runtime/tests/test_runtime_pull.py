"""A pull loop that is closed at each of the moments in which it may be closed."""

import asyncio
from typing import Any, cast

import pytest
from nats.aio.msg import Msg
from nats.errors import ConnectionReconnectingError
from structlog.testing import capture_logs

from tocsin_runtime import Connection, SystemClock
from tocsin_runtime.bus.pull import HEARTBEAT, PullLoop
from tocsin_runtime.topology import CONSUMERS


class Subscription:
    """One that has a message when a test says so."""

    subject = "_INBOX.x"

    def __init__(self) -> None:
        self.message: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

    async def next_msg(self, _: float) -> Msg:
        return await self.message

    async def unsubscribe(self) -> None:
        """Nothing comes any more."""


class Client:
    """In the place of a connection and of its client."""

    is_connected = True

    def __init__(self) -> None:
        self.client, self.clock = self, SystemClock()
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.subscription = Subscription()

    def new_inbox(self) -> str:
        return "_INBOX.x"

    def on_reconnect(self, _: Any) -> Any:
        return lambda: None

    async def subscribe(self, _: str, **__: object) -> Subscription:
        return self.subscription

    async def publish(self, *_: object, **__: object) -> None:
        self.is_asked.set()
        await self.may_answer.wait()


@pytest.fixture
async def client() -> Client:
    return Client()


@pytest.fixture
async def loop(client: Client) -> PullLoop:
    async def ensure() -> None:
        """It is there."""

    made = PullLoop(cast(Connection, client), CONSUMERS[0], ensure)
    await made.open()
    return made


async def test_closed_while_it_asks_it_has_nothing(client: Client, loop: PullLoop) -> None:
    client.may_answer.clear()
    asking = asyncio.create_task(loop.next(4))
    await client.is_asked.wait()
    await loop.close()
    client.may_answer.set()
    assert await asking == []


async def test_closed_while_it_waits_for_a_connection_it_has_nothing(
    client: Client, loop: PullLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def publish(*_: object, **__: object) -> None:
        client.is_asked.set()
        raise ConnectionReconnectingError

    monkeypatch.setattr(client, "publish", publish)
    asking = asyncio.create_task(loop.next(4))
    await client.is_asked.wait()
    await loop.close()
    assert await asking == []


async def test_closed_as_a_message_comes_it_hands_over_nothing_so_that_the_message_comes_again(
    client: Client, loop: PullLoop
) -> None:
    asking = asyncio.create_task(loop.next(4))
    while loop._waiting is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # it waits for a message
    client.subscription.message.set_result(Msg(cast(Any, None)))
    await asyncio.sleep(0)  # which is there, and not handed over yet
    await loop.close()
    assert await asking == []


async def test_asked_after_its_close_it_has_nothing(loop: PullLoop) -> None:
    await loop.close()
    assert await loop.next(4) == []


async def test_a_request_that_is_refused_is_told_and_not_made_again_at_once(
    client: Client, loop: PullLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", pause)
    refused = Msg(_client=None, headers={"Status": "400", "Description": "Bad Request"})  # type: ignore[arg-type]  # nobody answers
    client.subscription.message.set_result(refused)
    with capture_logs() as said:
        assert await loop.next(4) == []
    assert [(each["event"], each["status"], each["reason"]) for each in said] == [
        ("a request was refused", "400", "Bad Request")
    ]
    assert paused == [HEARTBEAT]
