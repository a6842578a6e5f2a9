"""From a press to a command on disk, and to an answer for who pressed: failures first."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from notifier_builders import INCIDENT, Log, acknowledged, grouped, opened, paged
from notifier_presses import Asked, Clock, Hooks, Shelf, click, value

from tocsin_notifier import presses as module
from tocsin_notifier.adapters.slack_replies import SlackReplies
from tocsin_notifier.core.clicks import Click
from tocsin_notifier.presses import Presses
from tocsin_runtime import BusUnavailableError
from tocsin_runtime.bus.errors import NotAllowedError
from tocsin_schemas import Actor, Envelope, EnvelopeError, Event
from tocsin_schemas.commands import Acknowledge, Escalate
from tocsin_schemas.events import IncidentEscalated

BY = Actor.person("ada", "slack")


class Room:
    """Who carries presses out, with everything around them."""

    def __init__(self, **more: Any) -> None:
        self.asked, self.hooks, self.clock, self.log = Asked(), Hooks(), Clock(), Log(opened(), grouped(), paged())
        self.asked.events = Log(acknowledged()).events
        self.log_fails: Exception | None = None
        self.loads: list[str] = []
        given: dict[str, Any] = {
            "asking": self.asked,
            "load": self.load,
            "playbooks": Shelf(),
            "replies": SlackReplies(self.hooks, self.clock, frozenset({"hooks.slack.com"})),
            "clock": self.clock,
            "teams": frozenset(),
            "vouches": lambda secret, slack: secret == "of the app",
            "drain": 5.0,
        }
        self.presses = Presses(**(given | more))

    async def load(self, incident: str) -> Sequence[Envelope[Event]]:
        self.loads.append(incident)
        if self.log_fails is not None:
            raise self.log_fails
        return self.log.events if incident == INCIDENT else ()

    async def take(self, pressed: Click, within: float = 2.5) -> bool:
        return await self.presses.take(pressed, within)

    async def told(self) -> list[str]:
        """What those who pressed were told, when everything has been answered."""
        while self.presses._tasks:
            await asyncio.wait(self.presses._tasks)
        return self.hooks.texts


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    made = Room()
    yield made
    await made.presses.drain()


# --- what goes wrong -------------------------------------------------------------------------------------------------


async def test_while_nats_is_away_it_is_not_sent_and_who_pressed_is_told_to_press_again(room: Room) -> None:
    room.asked.when_sent = BusUnavailableError("no answer")
    assert not await room.take(click())
    assert "press again" in (await room.told())[0]
    room.asked.when_sent = None
    assert await room.take(click())
    assert len(room.asked.sent) == 1


async def test_while_the_log_cannot_be_read_it_is_not_sent(room: Room) -> None:
    room.log_fails = BusUnavailableError("no answer")
    assert not await room.take(click())
    assert (room.asked.sent, "press again" in (await room.told())[0]) == ([], True)


async def test_a_log_with_something_that_a_newer_version_wrote_keeps_nobody_from_answering(room: Room) -> None:
    room.log_fails = EnvelopeError("ce-type", "is not known")
    assert await room.take(click())
    assert await room.told() == ["You are on it: paging has stopped."]


async def test_while_it_starts_nobody_is_called_a_stranger() -> None:
    shelf = Shelf()
    shelf.caught_up.clear()
    room = Room(playbooks=shelf)
    assert not await room.take(click())
    assert "does not know its playbooks yet" in (await room.told())[0]
    shelf.caught_up.set()
    assert await room.take(click())
    await room.presses.drain()


async def test_what_is_not_confirmed_in_slacks_patience_is_not_waited_for(room: Room) -> None:
    room.asked.may_send.clear()
    assert not await room.take(click(), within=0.05)
    assert "press again" in (await room.told())[0]
    room.asked.may_send.set()
    assert await room.take(click())


async def test_who_presses_again_because_it_may_not_have_been_sent_asks_for_the_same(room: Room) -> None:
    """It may have been sent, and to escalate twice pages two levels."""
    escalate = [click("tocsin:escalate:2", at=f"170000000{second}.000001") for second in range(5)]
    room.asked.when_sent = BusUnavailableError("not confirmed")
    assert not await room.take(escalate[0])
    await room.told()
    assert not await room.take(escalate[1])
    await room.told()
    room.asked.when_sent = None
    for pressed in escalate[2:4]:
        assert await room.take(pressed)
        await room.told()
    assert [cause for _, cause in room.asked.sent] == [escalate[0].cause, escalate[3].cause]
    room.asked.when_sent = BusUnavailableError("not confirmed")
    assert not await room.take(escalate[3])
    await room.told()
    room.asked.when_sent = None
    room.clock.passed += 61
    assert await room.take(escalate[4])
    assert room.asked.sent[-1][1] == escalate[4].cause


async def test_what_nats_does_not_allow_is_said_and_logged(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    room.asked.when_sent = NotAllowedError("tocsin.commands.escalator.acknowledge: nats does not allow it")
    assert await room.take(click())
    assert "does not let the notifier" in (await room.told())[0]
    assert "may not be sent" in capsys.readouterr().out
    room.asked.when_sent = None
    assert await room.take(again := click(at="1700000009.000001"))
    assert room.asked.sent[0][1] == again.cause


async def test_an_answer_that_is_lost_is_said_to_be_queued(room: Room) -> None:
    room.asked.when_asked = BusUnavailableError("no answer")
    assert await room.take(click())
    assert "it is queued" in (await room.told())[0]


async def test_what_nobody_has_carried_out_yet_is_said_to_be_queued(room: Room) -> None:
    room.asked.events = ()
    assert await room.take(click())
    assert "it is queued" in (await room.told())[0]


async def test_a_refusal_is_told_with_its_reason(room: Room) -> None:
    room.asked.refused = "ada is a viewer; Acknowledge asks for a responder"
    await room.take(click())
    assert await room.told() == ["Not done: ada is a viewer; Acknowledge asks for a responder."]


async def test_an_error_of_ours_ends_no_other_press(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    room.asked.when_asked = RuntimeError("hooks.slack.com/secret")
    assert await room.take(click())
    await room.told()
    await asyncio.sleep(0)
    out = capsys.readouterr().out
    assert ("was not answered" in out, "RuntimeError" in out, "secret" in out) == (True, True, False)
    room.asked.when_asked = None
    assert await room.take(click(at="1700000009.000001"))
    assert await room.told() == ["You are on it: paging has stopped."]


async def test_an_error_of_ours_before_it_is_sent_is_not_taken(room: Room) -> None:
    room.log_fails = RuntimeError("a bug")
    assert not await room.take(click())
    room.log_fails = None
    assert await room.take(click())


async def test_who_goes_away_while_it_is_sent_is_answered_all_the_same(room: Room) -> None:
    room.asked.may_send.clear()
    taking = asyncio.create_task(room.take(click()))
    while not room.loads:
        await asyncio.sleep(0)
    taking.cancel()
    await asyncio.wait([taking])
    room.asked.may_send.set()
    assert await room.told() == ["You are on it: paging has stopped."]


async def test_more_at_once_than_there_is_room_for_are_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    room.asked.may_answer.clear()
    assert await room.take(click())
    assert not await room.take(click("tocsin:escalate:1"))
    assert len(room.asked.sent) == 1
    room.asked.may_answer.set()
    await room.told()
    assert await room.take(click("tocsin:escalate:1"))


# --- who ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pressed", "said"),
    [({"user": "U0EVE"}, "no playbook in force names you"), ({"home": "T2"}, "another workspace")],
)
async def test_a_stranger_is_told_so_and_nothing_is_sent(room: Room, pressed: dict[str, str], said: str) -> None:
    assert await room.take(click(**pressed))
    assert said in (await room.told())[0]
    assert (room.asked.sent, room.loads) == ([], [])


async def test_the_settings_say_which_workspaces_may() -> None:
    room = Room(teams=frozenset({"T9"}))
    assert await room.take(click())
    assert await room.take(click(home="T9", at="1700000009.000001"))
    assert len(room.asked.sent) == 1
    await room.presses.drain()


# --- what ------------------------------------------------------------------------------------------------------------


async def test_a_press_is_sent_for_the_person_before_slack_is_told_and_then_answered(room: Room) -> None:
    room.asked.may_answer.clear()
    assert await room.take(click())
    assert room.asked.sent == [(Acknowledge(incident=INCIDENT, by=BY), click().cause)]
    assert room.hooks.told == []
    room.asked.may_answer.set()
    assert await room.told() == ["You are on it: paging has stopped."]


async def test_an_unknown_button_is_told_and_nothing_is_sent(room: Room) -> None:
    assert await room.take(click("tocsin:resolve:0"))
    assert await room.told() == ["Not sent: there is no such button."]
    assert room.asked.sent == []


async def test_an_incident_that_is_not_there_is_told_and_nothing_is_sent(room: Room) -> None:
    assert await room.take(click(value=value("nothinglikeit")))
    assert await room.told() == ["Not sent: there is no such incident."]
    assert room.asked.sent == []


async def test_a_press_that_slack_tells_again_is_the_same_command(room: Room) -> None:
    for _ in range(2):
        assert await room.take(click("tocsin:escalate:2"))
        await room.told()
    (first, cause), (second, again) = room.asked.sent
    assert (first, cause) == (second, again)
    assert first == Escalate(incident=INCIDENT, by=BY)


async def test_a_second_press_during_the_first_is_one(room: Room) -> None:
    room.asked.may_answer.clear()
    assert await room.take(click())
    assert await room.take(click(at="1700000001.000009"))
    assert len(room.asked.sent) == 1
    room.asked.may_answer.set()
    assert sorted(await room.told()) == [
        "You are on it: paging has stopped.",
        "Your press before this one is still being carried out.",
    ]


async def test_another_button_or_person_during_the_first_is_another(room: Room) -> None:
    room.asked.may_answer.clear()
    assert await room.take(click())
    assert await room.take(click("tocsin:escalate:2"))
    assert len(room.asked.sent) == 2
    room.asked.may_answer.set()


@pytest.mark.parametrize(("holder", "said"), [("ada", "You have"), ("grace", "grace has")])
async def test_what_is_acknowledged_already_is_not_acknowledged_again(room: Room, holder: str, said: str) -> None:
    room.log.add(acknowledged().model_copy(update={"by": Actor.person(holder, "cli")}))
    assert await room.take(click())
    assert await room.told() == [f"{said} acknowledged it already."]
    assert room.asked.sent == []


async def test_what_is_acknowledged_can_be_escalated(room: Room) -> None:
    room.log.add(acknowledged())
    room.asked.events = Log(IncidentEscalated(level=1, reason="command", targets=("person:grace",), by=BY)).events
    assert await room.take(click("tocsin:escalate:2"))
    assert await room.told() == ["Level 2 is told now: person:grace."]


# --- stopping --------------------------------------------------------------------------------------------------------


async def test_a_service_that_stops_answers_what_it_has_and_takes_no_more(room: Room) -> None:
    room.asked.may_answer.clear()
    await room.take(click())
    stopping = asyncio.create_task(room.presses.drain())
    await asyncio.sleep(0)
    assert not await room.take(click("tocsin:escalate:1"))
    room.asked.may_answer.set()
    await stopping
    assert room.hooks.texts == ["You are on it: paging has stopped."]


async def test_what_is_not_answered_in_time_at_the_stop_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    room = Room(drain=0.02)
    room.asked.may_answer.clear()
    await room.take(click())
    await room.presses.drain()
    assert "stay unanswered" in capsys.readouterr().out
    room.asked.may_answer.set()
    assert await room.told() == []


async def test_an_app_that_does_not_vouch_for_the_people_of_a_channel_is_not_believed(room: Room) -> None:
    assert await room.take(click(signed_with="of another app"))
    assert room.asked.sent == []
    (said,) = await room.told()
    assert said.startswith("Not sent: no playbook in force names you.")
