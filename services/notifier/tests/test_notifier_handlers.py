"""The handler by itself, with a log that is slow, away or lies behind."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import pytest
from notifier_builders import Log, opened, paged, resolved, rulebook

from tocsin_notifier.adapters.courier import Arrived, Courier, Failed, Later, Outcome
from tocsin_notifier.adapters.lanes import Lanes
from tocsin_notifier.adapters.rulebooks import Rulebooks
from tocsin_notifier.adapters.sending import Letter
from tocsin_notifier.adapters.writer import Writer
from tocsin_notifier.core.incident import Incident
from tocsin_notifier.handlers import Notifier
from tocsin_notifier.watch import Watch
from tocsin_runtime import BusUnavailableError, Decider, NotYetError, SystemClock
from tocsin_schemas import Event
from tocsin_schemas.events import NotificationDelivered, NotificationFailed


@dataclass
class InMemory:
    """A log in memory, in place of the runtime's decider. `loads` and `writes` are what happens before each of them."""

    log: Log
    loads: list[object] = field(default_factory=list)
    writes: list[object] = field(default_factory=list)
    causes: set[str] = field(default_factory=set)

    async def load(self, _: str, *, seen: int = 0, within: float = 0.0) -> tuple[Any, bool]:
        await _happen(self.loads)
        return type("Known", (), {"state": self.log.incident}), True  # of the runtime's Known only the state is read

    async def one(self, _: str, cause: str, decide: Callable[[Incident, datetime], Sequence[Event]]) -> None:
        await _happen(self.writes)
        if cause not in self.causes:
            self.causes.add(cause)
            for event in decide(self.log.incident, self.log.at):
                self.log.add(event)

    @property
    def receipts(self) -> list[Event]:
        return [e.data for e in self.log.events if isinstance(e.data, NotificationDelivered | NotificationFailed)]


async def _happen(planned: list[object]) -> None:
    if planned:
        happening = planned.pop(0)
        if isinstance(happening, Exception):
            raise happening
        if isinstance(happening, float):
            await asyncio.sleep(happening)


class Post:
    """A courier that takes everything, but for what it is told. Notes who got what, in order."""

    def __init__(self, *outcomes: Outcome, seconds: float = 0.01) -> None:
        self.outcomes, self.seconds = list(outcomes), seconds
        self.letters: list[Letter] = []

    async def carry(self, letter: Letter, *, playbook: str, age: float) -> Outcome:
        self.letters.append(letter)
        await asyncio.sleep(self.seconds)
        return self.outcomes.pop(0) if self.outcomes else Arrived(f"ts{len(self.letters)}", 1)

    @property
    def addresses(self) -> list[str]:
        return [letter.address for letter in self.letters]


def notifier(log: InMemory, post: Post, page_wait: float = 0.5) -> Notifier:
    clock = SystemClock()
    books = type("Books", (), {"of_incident": lambda self, ref: rulebook()})()
    return Notifier(
        decider=cast(Decider[Incident], log),
        rulebooks=cast(Rulebooks, books),
        writer=Writer(clock),
        courier=cast(Courier, post),
        clock=clock,
        watch=Watch(clock),
        lanes=Lanes(),
        page_wait=page_wait,
    )


async def test_messages_of_an_incident_to_one_place_go_out_in_the_logs_order_however_slow_it_is_read() -> None:
    log = Log()
    first, second = log.add(opened()), log.add(paged("channel:slack:#incidents"))
    memory, post = InMemory(log, loads=[0.1]), Post()
    made = notifier(memory, post)
    await asyncio.gather(made.tell(first), made.tell(second))
    assert [letter.message.kind for letter in post.letters] == ["opened", "page"]
    assert post.letters[1].thread == "ts1"


async def test_a_receipt_waits_until_the_log_takes_it_and_the_message_is_not_sent_again() -> None:
    log = Log(opened("P3"))
    page = log.add(paged())
    away = BusUnavailableError("away")
    memory, post = InMemory(log, writes=[away, away, away]), Post(Failed("down", 1))
    await notifier(memory, post).tell(page)
    assert post.addresses == ["#incidents", "ada@shop.example"]
    assert [type(receipt).__name__ for receipt in memory.receipts] == ["NotificationFailed", "NotificationDelivered"]


async def test_the_next_channel_does_not_wait_for_the_log() -> None:
    log = Log(opened("P3"))
    page = log.add(paged())
    memory = InMemory(log, loads=[None, None, BusUnavailableError("away")], writes=[0.3])
    post = Post(Failed("down", 1))
    task = asyncio.create_task(notifier(memory, post).tell(page))
    await asyncio.sleep(0.15)
    assert post.addresses == ["#incidents", "ada@shop.example"]
    assert memory.receipts == []
    await task
    assert len(memory.receipts) == 2


async def test_a_log_that_cannot_be_read_at_first_brings_the_event_again() -> None:
    log = Log(opened("P3"))
    page = log.add(paged())
    memory, post = InMemory(log, loads=[BusUnavailableError("away")]), Post()
    with pytest.raises(BusUnavailableError):
        await notifier(memory, post).tell(page)
    assert post.letters == []


async def test_a_resolution_between_two_channels_ends_the_page() -> None:
    log = Log(opened("P3"))
    page = log.add(paged())

    class Slow(Post):
        async def carry(self, letter: Letter, *, playbook: str, age: float) -> Outcome:
            log.add(resolved())
            return await super().carry(letter, playbook=playbook, age=age)

    memory, post = InMemory(log), Slow(Failed("down", 1))
    await notifier(memory, post).tell(page)
    assert post.addresses == ["#incidents"]
    reasons = [receipt.reason for receipt in memory.receipts if isinstance(receipt, NotificationFailed)]
    assert reasons == ["down", "the incident was resolved before it was sent"]


async def test_an_announcement_that_has_to_wait_comes_again_and_the_others_of_its_event_are_not_repeated() -> None:
    log = Log(opened())
    event = log.add(resolved())
    memory, post = InMemory(log), Post(Later(3.0, "down"))
    made = notifier(memory, post)
    with pytest.raises(NotYetError) as later:
        await made.tell(event)
    assert (later.value.seconds, memory.receipts) == (3.0, [])
    await made.tell(event)
    await made.tell(event)
    assert post.addresses == ["#incidents"] * 2


async def test_the_same_event_twice_at_once_is_told_once() -> None:
    log = Log(opened("P3"))
    page = log.add(paged())
    memory, post = InMemory(log), Post(seconds=0.2)
    made = notifier(memory, post, page_wait=0.02)
    await asyncio.gather(made.tell(page), made.tell(page), made.tell(page))
    assert len(post.letters) == len(memory.receipts) == 1


async def test_an_event_that_concerns_nobody_is_not_even_looked_up() -> None:
    log = Log(opened())
    memory = InMemory(log, loads=[AssertionError("looked up")])
    await notifier(memory, Post()).tell(log.add(NotificationDelivered(notification="n", channel="c", recipient="r")))


async def test_stopping_in_the_middle_leaves_nothing_running() -> None:
    log = Log(opened("P3"))
    page = log.add(paged())
    memory = InMemory(log, writes=[BusUnavailableError("away")] * 1000)
    before = asyncio.all_tasks()
    post = Post(Failed("down", 1), seconds=0.2)
    task = asyncio.create_task(notifier(memory, post).tell(page))
    await asyncio.sleep(0.3)  # the first way's receipt waits for the log, and the message is on its second way
    assert len(post.letters) == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_way_through_a_channel_that_the_playbook_no_longer_has_is_a_failure_like_any_other() -> None:
    log = Log(opened("P3"))
    page = log.add(paged("channel:pager:desk"))
    memory, post = InMemory(log), Post()
    made = notifier(memory, post)
    await made.tell(page)
    (receipt,) = memory.receipts
    assert isinstance(receipt, NotificationFailed)
    assert (receipt.exhausted, receipt.reason) == (True, "the playbook has no channel pager")
    assert made.watch.problem() == "1 page reached nobody, and none has arrived since"
    await made.tell(log.add(paged("person:grace")))
    assert made.watch.problem() is None
