"""The recorder in a simulation: killed, cut off, it has the whole log on its timeline in the end."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from nats.errors import TimeoutError as NatsTimeoutError

from tocsin_rehearsal.simulate import be_quiet, draw, perform
from tocsin_rehearsal.simulate.playbook import Shape, playbook_text
from tocsin_rehearsal.simulate.recorder import RECORDER, Timeline, add_recorder
from tocsin_rehearsal.world import World


@pytest.fixture(autouse=True)
def quiet() -> None:
    be_quiet()


@pytest.fixture
def world() -> Iterator[World]:
    made = World([playbook_text(Shape())])
    yield made
    made.close()


@pytest.fixture
def timeline(world: World) -> Iterator[Timeline]:
    made = add_recorder(world)
    yield made
    made.close()


def an_alert(world: World, at: int) -> None:
    world.run_until(timedelta(seconds=at))
    world.alert({"alertname": "Errors", "service": f"shop-{at}", "severity": "critical"})


def test_a_recorder_finds_its_timeline_again_and_catches_up(world: World, timeline: Timeline) -> None:
    an_alert(world, 5)
    world.run_until(timedelta(seconds=10))
    before = timeline.position("INCIDENTS")
    assert before == len(timeline.entries()) == len(world.log)
    world.kill(RECORDER)
    an_alert(world, 15)
    world.run_until(timedelta(seconds=20))
    assert timeline.position("INCIDENTS") == before
    world.restart(RECORDER)
    world.run_until(timedelta(seconds=30))
    assert [entry.id for entry in sorted(timeline.entries(), key=lambda entry: entry.stream_sequence)] == [
        event.id for event in world.log
    ]


def test_a_recorder_makes_sure_of_the_log_after_the_broker_was_killed(world: World, timeline: Timeline) -> None:
    an_alert(world, 5)
    world.run_until(timedelta(seconds=10))
    world.kill("nats")
    world.run_until(timedelta(seconds=40))
    world.restart("nats")
    an_alert(world, 45)
    world.run_until(timedelta(seconds=60))
    assert timeline.position("INCIDENTS") == len(world.log)
    host = world.replicas[RECORDER].host
    assert host is not None
    assert host.problems() == {}


def test_who_asks_for_an_event_without_a_broker_gets_no_answer(world: World, timeline: Timeline) -> None:
    world.run_until(timedelta(seconds=5))
    world.kill("nats")
    replica, unanswered = world.replicas[RECORDER], []

    async def ask() -> None:
        assert replica.host is not None
        try:
            await replica.host.connection.client.request("$JS.API.DIRECT.GET.INCIDENTS", b'{"seq":1}', timeout=5)
        except NatsTimeoutError as error:
            unanswered.append(error)

    assert replica.life is not None
    world.loop.start(replica.life, ask())
    world.run_until(timedelta(seconds=30))
    assert len(unanswered) == 1


def test_other_profiles_have_no_recorder() -> None:
    assert perform(draw(0, "calm"))[1].timeline is None
