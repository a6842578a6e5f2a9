"""One message through one channel: attempts, deadlines, bulkheads, and what is put back."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notifier_letters import a_letter, a_message, channel

from tocsin_notifier.adapters.courier import Arrived, Courier, Failed, Later, Waits
from tocsin_notifier.adapters.gates import Gates
from tocsin_notifier.adapters.lanes import Lanes
from tocsin_notifier.adapters.rate_limit import RateLimiter
from tocsin_notifier.adapters.sending import Letter, Sender, permanent, temporary
from tocsin_notifier.core.attempts import Failure, GiveUp, Patience, Retry, after_failure
from tocsin_notifier.core.message import Message
from tocsin_playbook.model.channels import Channel, RateLimit
from tocsin_runtime import SystemClock

QUICK = Patience(channel=0.5, attempt=0.2, first_pause=0.02)
NEWS = a_message(page=None)


class Scripted:
    """A channel that fails as told, one entry an attempt, and takes everything afterwards."""

    def __init__(self, *script: Exception | Callable[[], object]) -> None:
        self._script = list(script)
        self.taken: list[Letter] = []
        self.attempts = 0

    async def send(self, letter: Letter) -> str:
        self.attempts += 1
        if self._script:
            step = self._script.pop(0)
            if isinstance(step, Exception):
                raise step
            await step()  # type: ignore[misc]  # something to wait for
        self.taken.append(letter)
        return f"ref{len(self.taken)}"


async def hang() -> None:
    await asyncio.Event().wait()


def courier(sender: Sender, *, room: int = 8, patience: Patience = QUICK, waits: Waits | None = None) -> Courier:
    clock = SystemClock()
    return Courier({"slack": sender}, RateLimiter(clock), Gates(room), clock, patience, waits or Waits(page=0.05))


def letter(message: Message | None = None, *, via: Channel | None = None, address: str = "#incidents") -> Letter:
    return a_letter(message, via=via or channel("slack"), address=address)


async def carry(made: Courier, what: Letter | None = None, age: float = 0.0) -> Arrived | Failed | Later:
    return await made.carry(what or letter(), playbook="storefront", age=age)


async def test_what_is_taken_has_arrived_under_the_channels_own_name() -> None:
    assert await carry(courier(Scripted())) == Arrived("ref1", 1)


async def test_what_will_pass_is_tried_again() -> None:
    assert await carry(courier(Scripted(temporary("busy"), temporary("busy")))) == Arrived("ref1", 3)


async def test_what_will_not_pass_is_not() -> None:
    assert await carry(courier(Scripted(permanent("no such channel")))) == Failed("no such channel", 1)


async def test_a_channel_that_asks_for_more_patience_than_there_is_is_given_up_at_once() -> None:
    outcome = await carry(courier(Scripted(temporary("too many", retry_after=30))))
    assert outcome == Failed("too many", 1)


async def test_a_channel_that_asks_for_a_little_patience_gets_it() -> None:
    started = asyncio.get_running_loop().time()
    assert await carry(courier(Scripted(temporary("too many", retry_after=0.2)))) == Arrived("ref1", 2)
    assert asyncio.get_running_loop().time() - started >= 0.2


async def test_a_channel_that_hangs_gets_the_message_twice_at_most_and_is_given_up_in_time() -> None:
    sender = Scripted(*[hang] * 9)
    started = asyncio.get_running_loop().time()
    outcome = await carry(courier(sender))
    assert outcome == Failed("no answer within 0.2 s", 2)
    assert sender.attempts == 2
    assert asyncio.get_running_loop().time() - started < 10


async def test_the_deadline_of_the_channel_holds_whatever_an_attempt_may_take() -> None:
    outcome = await carry(courier(Scripted(hang), patience=Patience(channel=0.2, attempt=30)))
    assert outcome == Failed("no answer, given up after 0.2 s", 1)


async def test_a_bug_in_a_sender_is_a_failure_of_that_channel_and_says_nothing_of_its_text() -> None:
    outcome = await carry(courier(Scripted(ZeroDivisionError("xoxb-secret"))))
    assert outcome == Failed("an error of ours: ZeroDivisionError", 1)


async def test_a_kind_of_channel_that_cannot_be_sent_through_is_said_to_be_so() -> None:
    via = channel("push", channels="    - {name: push, ntfy: {}}")
    assert await carry(courier(Scripted()), letter(via=via)) == Failed("this version cannot send through ntfy", 1)


async def test_a_channel_whose_deliveries_need_no_proof_is_believed() -> None:
    via = channel("slack").model_copy(update={"verify_delivery": False})
    sender = Scripted(temporary("lost", may_have_arrived=True))
    assert await carry(courier(sender), letter(via=via)) == Arrived("", 1)


async def test_an_announcement_on_a_channel_that_is_down_is_put_back_and_given_up_when_it_is_old() -> None:
    down = [temporary("busy", retry_after=7)] * 3
    made = courier(Scripted(*down))
    assert await carry(made, letter(NEWS)) == Later(7, "busy")
    assert await carry(made, letter(NEWS), age=601) == Failed("busy", 1)


async def test_an_announcement_that_may_have_arrived_is_not_put_back() -> None:
    lost = temporary("lost", may_have_arrived=True)
    assert await carry(courier(Scripted(lost, lost)), letter(NEWS)) == Failed("lost", 2)


async def test_announcements_keep_to_the_rate_and_pages_do_not() -> None:
    made = courier(Scripted())
    hourly = channel("slack").model_copy(update={"rate_limit": RateLimit(messages=4, per=timedelta(hours=1))})
    outcomes = [await carry(made, letter(NEWS, via=hourly)) for _ in range(5)]
    assert [type(outcome).__name__ for outcome in outcomes] == ["Arrived"] * 4 + ["Later"]
    assert isinstance(await carry(made, letter(via=hourly)), Arrived)


async def test_an_announcement_that_has_waited_long_enough_goes() -> None:
    made = courier(Scripted())
    for _ in range(4):
        await carry(made, letter(NEWS))
    assert isinstance(await carry(made, letter(NEWS), age=5.1), Arrived)


async def test_announcements_leave_room_for_pages() -> None:
    made = courier(Scripted(hang, hang), room=4, patience=Patience(channel=5, attempt=5))
    stuck = [asyncio.create_task(carry(made, letter(NEWS, address=f"#{n}"))) for n in range(2)]
    await asyncio.sleep(0.02)
    assert await carry(made, letter(NEWS, address="#3")) == Later(1.0, "the channel has its hands full")
    assert isinstance(await carry(made), Arrived)
    for task in stuck:
        task.cancel()


async def test_a_page_waits_for_room_within_its_deadline() -> None:
    made = courier(Scripted(hang, hang), room=2, patience=Patience(channel=0.3, attempt=0.3))
    stuck = [asyncio.create_task(carry(made)) for _ in range(2)]
    await asyncio.sleep(0.02)
    outcome = await carry(made)
    assert isinstance(outcome, Arrived | Failed)
    await asyncio.gather(*stuck)


async def test_more_announcements_than_may_wait_are_left_out_and_the_next_message_says_how_many() -> None:
    sender = Scripted()
    made = courier(sender, waits=Waits(page=0.0, room=1))
    for _ in range(4):
        await carry(made, letter(NEWS))
    waiting = await carry(made, letter(a_message(page=None, notification="n1")))
    left_out = [await carry(made, letter(a_message(page=None, notification=f"n{n}"))) for n in (2, 3)]
    assert isinstance(waiting, Later)
    assert [outcome.reason for outcome in left_out if isinstance(outcome, Failed)] == [
        "left out: 1 other messages wait for this channel"
    ] * 2
    await carry(made)
    await carry(made)
    mentioned, silent = (sent.message.paragraphs for sent in sender.taken[-2:])
    assert mentioned[-1] == ("2 other messages were left out here: too many at once. They are all on the timeline.")
    assert "left out" not in "".join(silent)


async def test_turns_are_granted_in_the_order_of_asking_and_whoever_cannot_wait_goes_without() -> None:
    lanes, order = Lanes(), []

    async def take_turn(name: str, most: float | None) -> None:
        async with lanes.turn("x", most=most) as held:
            order.append((name, held))
            await asyncio.sleep(0.05)

    await asyncio.gather(take_turn("a", None), take_turn("b", None), take_turn("hasty", 0.01))
    assert order == [("a", True), ("hasty", False), ("b", True)]
    assert lanes._lanes == {}


@given(
    permanent_=st.booleans(),
    lost=st.booleans(),
    retry_after=st.none() | st.floats(0, 100),
    attempts=st.integers(1, 50),
    elapsed=st.floats(0, 20),
)
def test_no_pause_leads_past_the_deadline(
    permanent_: bool, lost: bool, retry_after: float | None, attempts: int, elapsed: float
) -> None:
    patience = Patience()
    failure = Failure("x", permanent_, retry_after, lost)
    following = after_failure(failure, attempts, int(lost), elapsed, patience)
    if isinstance(following, Retry):
        assert not permanent_
        assert following.pause >= patience.first_pause
        assert elapsed + following.pause < patience.channel
        assert retry_after is None or following.pause >= retry_after


@pytest.mark.parametrize(("attempts", "pause"), [(1, 0.2), (2, 0.4), (3, 0.8), (4, 1.6)])
def test_pauses_double(attempts: int, pause: float) -> None:
    assert after_failure(Failure("x"), attempts, 0, 0.0, Patience()) == Retry(pause)


def test_two_lost_answers_are_enough() -> None:
    lost = Failure("x", may_have_arrived=True)
    assert isinstance(after_failure(lost, 1, 1, 0.0, Patience()), Retry)
    assert after_failure(lost, 2, 2, 0.0, Patience()) == GiveUp()
