"""Replay into a real nats-server: what is sent, when, and under which names."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import pytest
from recording_builders import (
    ADA,
    NOW,
    SECOND,
    Message,
    StillClock,
    asked,
    connected,
    fired,
    grouped,
    note,
    opened,
    published,
    recorded,
    stated,
)  # fmt: skip

from tocsin_escalator.core.standing import order_id
from tocsin_rehearsal.recording import (
    MAX_SPEED,
    Input,
    Inputs,
    describe,
    inputs_of,
    new_run,
    parse_speed,
    redirect,
    replay,
)
from tocsin_rehearsal.recording.renew import Renewal
from tocsin_rehearsal.recording.streams import StreamReader
from tocsin_runtime import Connection
from tocsin_runtime.bus.provision import ensure_streams
from tocsin_schemas import Envelope, Payload
from tocsin_schemas.commands import (
    AcknowledgeAlert,
    AddNote,
    ApproveAction,
    LiftOverride,
    LiftSilence,
    OverrideOnCall,
    Silence,
)
from tocsin_schemas.events import ActionProposed, AlertFired
from tocsin_schemas.subjects import alert_subject
from tocsin_testkit.nats import NatsServer

PROPOSED = ActionProposed(action="then", runbook="mend", step="first", description="d", target="t")
SAID = AddNote(incident="inc1", by=ADA, text="looking")


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOW + timedelta(days=1))


@pytest.fixture
async def bus(nats_server: NatsServer, clock: StillClock) -> AsyncIterator[Connection]:
    async with connected(nats_server, clock) as connection:
        await ensure_streams(connection)
        yield connection


@pytest.fixture
async def live(nats_server: NatsServer) -> AsyncIterator[Connection]:
    """By the computer's clock: for what others do meanwhile."""
    async with connected(nats_server) as connection:
        await ensure_streams(connection)
        yield connection


async def there(bus: Connection, stream: str) -> list[Envelope[Payload]]:
    return [message.decode() async for message in StreamReader(bus, stream).read(2**62)]


def three_alerts() -> Inputs:
    messages = [fired(at=NOW + after * SECOND, cause=str(after)) for after in (0, 6, 66)]
    return inputs_of(recorded(*messages))


# --- when -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "pauses"), [(1.0, [6.0, 60.0]), (60.0, [0.1, 1.0]), (0.5, [12.0, 120.0])])
async def test_the_spacing_is_kept_at_any_speed(
    bus: Connection, clock: StillClock, speed: float, pauses: list[float]
) -> None:
    done = await replay(three_alerts(), bus, speed=speed, run="run")
    assert clock.slept == pytest.approx(pauses, abs=1e-3)
    times = [envelope.time for envelope in await there(bus, "ALERTS")]
    assert [after - before for before, after in pairwise(times)] == [
        pytest.approx(timedelta(seconds=pause), abs=timedelta(milliseconds=1)) for pause in pauses
    ]
    assert done.alerts == 3


async def test_at_full_speed_nothing_is_waited_for(bus: Connection, clock: StillClock) -> None:
    many = inputs_of(recorded(*(fired(at=NOW + n * SECOND, cause=str(n)) for n in range(1200))))
    done = await replay(many, bus, speed=MAX_SPEED, run="run")
    assert clock.slept == []
    assert done.alerts == len(await there(bus, "ALERTS")) == 1200


async def test_playbooks_from_before_the_first_alert_are_sent_at_once(bus: Connection, clock: StillClock) -> None:
    done = await replay(inputs_of(recorded(published(at=NOW - timedelta(days=9)), fired())), bus, speed=1, run="run")
    assert (done.playbooks, done.alerts, done.total, clock.slept) == (1, 1, 2, [])


async def test_moments_within_the_data_move_to_now(bus: Connection, clock: StillClock) -> None:
    await replay(three_alerts(), bus, speed=1, run="run")
    first = (await there(bus, "ALERTS"))[0]
    assert isinstance(first.data, AlertFired)
    assert first.time == NOW + timedelta(days=1)
    assert first.data.starts_at == first.time - 3 * SECOND


@pytest.mark.parametrize(("text", "speed"), [("1x", 1), ("60x", 60), ("0.5", 0.5), ("max", math.inf)])
def test_a_speed_can_be_read(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "x", "fast", "0x", "-1x", "nan", "inf", "1e99"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no speed"):
        parse_speed(text)


# --- what -------------------------------------------------------------------------------------------------------------


async def test_only_inputs_are_sent_and_not_what_services_decided(bus: Connection) -> None:
    await replay(inputs_of(recorded(fired(), opened(), stated(PROPOSED))), bus, speed=MAX_SPEED, run="run")
    assert len(await there(bus, "ALERTS")) == 1
    assert await there(bus, "INCIDENTS") == []


async def test_what_is_sent_stands_where_its_kind_belongs(bus: Connection) -> None:
    await replay(three_alerts(), bus, speed=MAX_SPEED, run="run")
    subjects = {message.subject async for message in StreamReader(bus, "ALERTS").read(2**62)}
    assert subjects == {alert_subject("Errors")}


async def test_each_is_told_when_it_is_sent(bus: Connection) -> None:
    told: list[Input] = []
    await replay(three_alerts(), bus, speed=60, run="run", on_sent=told.append)
    assert told == list(three_alerts().messages)


def test_a_line_says_when_and_what() -> None:
    first, second, _ = three_alerts().messages
    assert describe(second, first, 60) == "+0.1 s  AlertFired  Errors"
    (rebuilt,) = inputs_of(recorded(note("t"))).messages
    assert describe(rebuilt, rebuilt, 1) == "+0.0 s  AddNote  inc1  (rebuilt from its answer)"
    (playbook,) = inputs_of(recorded(published())).playbooks
    assert describe(playbook, first, 1) == "+0.0 s  PlaybookPublished  shop"


# --- names ------------------------------------------------------------------------------------------------------------


async def test_the_same_ids_are_taken_once(bus: Connection) -> None:
    first = await replay(three_alerts(), bus, speed=MAX_SPEED, run=None)
    again = await replay(three_alerts(), bus, speed=MAX_SPEED, run=None)
    assert (first.alerts, first.duplicates) == (3, 0)
    assert (again.alerts, again.duplicates) == (0, 3)
    assert [envelope.id for envelope in await there(bus, "ALERTS")] == [
        given.envelope.id for given in three_alerts().messages
    ]


async def test_another_replay_is_taken_as_new_and_the_same_is_not(bus: Connection) -> None:
    await replay(three_alerts(), bus, speed=MAX_SPEED, run="one")
    again = await replay(three_alerts(), bus, speed=MAX_SPEED, run="one")
    other = await replay(three_alerts(), bus, speed=MAX_SPEED, run="two")
    assert (again.alerts, again.duplicates, other.alerts, other.duplicates) == (0, 3, 3, 0)


async def test_a_replay_that_begins_later_has_another_name(bus: Connection, clock: StillClock) -> None:
    first = new_run(bus)
    await clock.sleep(1)
    assert new_run(bus) != first


# --- commands ---------------------------------------------------------------------------------------------------------


def decide(bus: Connection, *answers: Message) -> "list[asyncio.Task[None]]":
    """Somebody decides, once an alert is there: the test in the place of the services."""

    async def work() -> None:
        while not await there(bus, "ALERTS"):
            await asyncio.sleep(0.01)
        for subject, envelope in answers:
            await bus.publish(subject, envelope)

    return [asyncio.create_task(work())]


def renewed(alert: Message, run: str | None) -> Message:
    (given,) = inputs_of(recorded(alert)).messages
    return alert[0], Renewal(run).moved(given, NOW)


async def test_a_command_goes_to_the_incident_that_has_taken_the_alerts(live: Connection) -> None:
    alert = fired()
    working = decide(live, grouped(renewed(alert, "run"), "inc9"))
    inputs = inputs_of(recorded(alert, grouped(alert, "inc1"), asked(SAID)))
    done = await replay(inputs, live, speed=MAX_SPEED, run="run")
    (sent,) = await there(live, "COMMANDS")
    assert sent.data == SAID.model_copy(update={"incident": "inc9"})
    assert sent.incident == "inc9"
    assert (done.commands, done.not_sent) == (1, [])
    await asyncio.gather(*working)


async def test_an_approval_goes_to_the_action_that_is_proposed_now(live: Connection) -> None:
    alert = fired()
    proposed_now = PROPOSED.model_copy(update={"action": "now"})
    working = decide(live, grouped(renewed(alert, "run"), "inc9"), stated(proposed_now, "inc9", cause="p"))
    approve = ApproveAction(incident="inc1", by=ADA, action="then")
    inputs = inputs_of(recorded(alert, grouped(alert, "inc1"), stated(PROPOSED), asked(approve)))
    await replay(inputs, live, speed=MAX_SPEED, run="run")
    (sent,) = await there(live, "COMMANDS")
    assert sent.data == ApproveAction(incident="inc9", by=ADA, action="now")
    await asyncio.gather(*working)


async def test_an_approval_of_what_nobody_proposes_is_not_sent(
    live: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redirect, "_PATIENCE", 3.0)
    alert = fired()
    working = decide(live, grouped(renewed(alert, "run"), "inc9"))
    approve = asked(ApproveAction(incident="inc1", by=ADA, action="then"), cause="1")
    unknown = asked(ApproveAction(incident="inc1", by=ADA, action="never proposed"), cause="2")
    inputs = inputs_of(recorded(alert, grouped(alert, "inc1"), stated(PROPOSED), approve, unknown))
    done = await replay(inputs, live, speed=MAX_SPEED, run="run")
    assert [reason.split(": ")[1] for reason in done.not_sent] == [
        "mend/first was not proposed", "an action was not proposed",
    ]  # fmt: skip
    assert await there(live, "COMMANDS") == []
    await asyncio.gather(*working)


async def test_a_command_without_an_incident_is_not_sent_and_says_why(bus: Connection, clock: StillClock) -> None:
    alert = fired()
    inputs = inputs_of(recorded(alert, grouped(alert, "inc1"), asked(SAID)))
    done = await replay(inputs, bus, speed=MAX_SPEED, run="run")
    assert done.not_sent == ["AddNote for inc1: no incident has taken its alerts"]
    assert clock.monotonic() >= 10
    assert await there(bus, "COMMANDS") == []


async def test_with_the_same_ids_a_command_goes_to_the_same_incident(bus: Connection) -> None:
    await bus.publish(*opened("inc1"))
    done = await replay(inputs_of(recorded(asked(SAID))), bus, speed=MAX_SPEED, run=None)
    (sent,) = await there(bus, "COMMANDS")
    assert sent.data == SAID
    assert done.commands == 1


async def test_a_command_about_no_incident_is_sent_as_it_is(bus: Connection) -> None:
    silence = Silence(match=('service="a"',), until=NOW + SECOND, because="b", by=ADA)
    done = await replay(inputs_of(recorded(asked(silence, ""))), bus, speed=MAX_SPEED, run="run")
    (sent,) = await there(bus, "COMMANDS")
    assert isinstance(sent.data, Silence)
    assert done.commands == 1


@pytest.mark.parametrize("run", ["run", None])
async def test_a_command_about_an_alert_is_about_its_firing_in_this_replay(bus: Connection, run: str | None) -> None:
    alert = fired()
    told = alert[1].data
    assert isinstance(told, AlertFired)
    about = AcknowledgeAlert(
        fingerprint=told.fingerprint, episode=told.episode, rule=told.rule, labels=told.labels, by=ADA
    )
    done = await replay(inputs_of(recorded(alert, asked(about, ""))), bus, speed=MAX_SPEED, run=run)
    (sent,) = await there(bus, "COMMANDS")
    assert sent.data == about.model_copy(update={"episode": Renewal(run).episode(told.episode)})
    assert done.commands == 1


async def test_what_is_lifted_is_called_as_what_was_set_in_this_replay(bus: Connection) -> None:
    silence = Silence(match=('service="a"',), until=NOW + 60 * SECOND, because="b", by=ADA)
    override = OverrideOnCall(schedule="primary", person="bob", until=NOW + 60 * SECOND, by=ADA)
    given = [asked(silence, "", cause="one"), asked(override, "", cause="two")]
    lifts = (
        LiftSilence(silence=order_id(given[0][1].id), by=ADA),
        LiftOverride(override=order_id(given[1][1].id), by=ADA),
        LiftSilence(silence="older", by=ADA),
    )
    given += [asked(lift, "", cause=str(number)) for number, lift in enumerate(lifts)]
    await replay(inputs_of(recorded(fired(), *given)), bus, speed=MAX_SPEED, run="run")
    set_silence, set_override, lift_silence, lift_override, older = await there(bus, "COMMANDS")
    assert isinstance(lift_silence.data, LiftSilence)
    assert isinstance(lift_override.data, LiftOverride)
    assert isinstance(older.data, LiftSilence)
    assert lift_silence.data.silence == order_id(set_silence.id) != lifts[0].silence
    assert lift_override.data.override == order_id(set_override.id)
    assert older.data.silence == "older"


# --- a server that goes away ------------------------------------------------------------------------------------------


async def test_a_server_that_restarts_in_the_middle_takes_each_once(nats_server: NatsServer) -> None:
    many = inputs_of(recorded(*(fired(at=NOW + n * SECOND, cause=str(n)) for n in range(40))))
    restarting: list[asyncio.Task[NatsServer]] = []

    def restart(given: Input) -> None:
        if given is many.messages[10]:
            nats_server.kill()
            restarting.append(asyncio.create_task(asyncio.to_thread(nats_server.start)))

    async with connected(nats_server) as bus:
        await ensure_streams(bus)
        async with asyncio.timeout(60):
            await replay(many, bus, speed=100, run="run", on_sent=restart)
        await restarting[0]
        assert len(await there(bus, "ALERTS")) == 40
