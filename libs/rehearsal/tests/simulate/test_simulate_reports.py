"""What is said of a seed that fails, and what makes it smaller."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from planted_bugs import receipts_before_sending

from tocsin_rehearsal.loop import Life, VirtualLoop
from tocsin_rehearsal.simulate import Plan, be_quiet, draw, perform, reproduction, simulate_many, story
from tocsin_rehearsal.simulate.shrink import shrink


@pytest.fixture(autouse=True)
def quiet() -> None:
    be_quiet()


@pytest.fixture
def a_bug() -> Iterator[None]:
    with receipts_before_sending():
        yield


def test_a_seed_that_holds_has_no_story() -> None:
    assert story(1, "calm") == []


def test_the_story_of_a_seed_that_fails_is_shrunken_and_says_what_broke(a_bug: None) -> None:
    lines = story(1, "everything", seconds=20)
    assert "are enough for ReceiptIsTrue" in lines[0]
    assert any("X ReceiptIsTrue" in line for line in lines)
    assert any("NotificationDelivered" in line for line in lines)


def test_how_to_see_it_again_is_one_line() -> None:
    assert reproduction(7, "crash") == "tocsin simulate --seeds 1 --seed 7 --profile crash"


def test_shrinking_leaves_out_what_is_not_needed() -> None:
    plan = replace(draw(5, "everything"), replicas=1)
    needed = plan.steps[0]
    small = shrink(plan, lambda candidate: needed in candidate.steps)
    assert (small.steps, small.upheavals, small.hazards) == ((needed,), (), ())


def test_shrinking_ends_when_its_time_is_over() -> None:
    plan = draw(5, "everything")
    assert shrink(plan, lambda candidate: True, seconds=0.0) == plan


def test_a_plan_that_was_shrunken_can_be_performed() -> None:
    plan: Plan = draw(5, "everything")
    outcome, course = perform(replace(plan, upheavals=(), hazards=()))
    assert outcome.holds
    assert course.plan.is_calm


def test_several_processes_give_what_one_gives() -> None:
    alone = {result.seed: result for result in simulate_many(range(4), "crash")}
    assert {result.seed: result for result in simulate_many(range(4), "crash", jobs=2)} == alone


def test_a_life_ends_at_the_step_that_was_said() -> None:
    loop, life, done = VirtualLoop(), Life("one#1"), []

    async def work() -> None:
        for number in range(10):
            done.append(number)
            await loop_turn(loop)

    life.steps_left = 4
    loop.start(life, work())
    loop.run_until(1.0)
    loop.close()
    assert life.is_over
    assert done == [0, 1]


async def loop_turn(loop: VirtualLoop) -> None:
    turn = loop.create_future()
    loop.call_soon(turn.set_result, None)
    await turn
