"""Recordings that are lived through again: what was decided comes out the same, and what does not is named."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from plugin_nights import CHECKOUT, OK, SHOP, a_night, approve, ask, minutes, shop

from tocsin_rehearsal import factories
from tocsin_rehearsal.outside.web import Behaviour
from tocsin_rehearsal.recorded import Recording, recorded_from
from tocsin_rehearsal.recording import Recorded
from tocsin_rehearsal.replaying import NothingToReplayError, replay_into
from tocsin_rehearsal.staging import Stage, quiet
from tocsin_rehearsal.world import World
from tocsin_schemas import PlaybookRef
from tocsin_schemas.commands import Acknowledge, Resolve
from tocsin_schemas.events import ActionApproved, IncidentAcknowledged, IncidentOpened
from tocsin_schemas.moments import format_moment


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with quiet():
        made = Stage(tmp_path)
        yield made
        made.close()


def outcomes(recording: Recording) -> list[str]:
    """What was said of actions, in order."""
    names = [type(event.data).__name__ for event in recording.log if event.data.OWNER == "remediator"]
    return [name for name in names if name.startswith(("ActionS", "ActionF", "ActionO", "Verification"))]


# --- the same ---------------------------------------------------------------------------------------------------------


def test_incidents_have_the_names_that_they_had(stage: Stage) -> None:
    night = a_night(stage)
    replay = stage.replay(night)

    assert [event.id for event in replay.world.log] == [event.id for event in night.log]


def test_several_replicas_decide_as_one_did(stage: Stage) -> None:
    assert stage.replay(a_night(stage), replicas=2).differences == []


def healthy_after(span: timedelta) -> Callable[[World], object]:
    """So long after something was done."""

    def prepare(world: World) -> None:
        world.web.answer("/health", Behaviour(status=503))
        world.web.on_done.append(lambda call: world.at(world.elapsed + span, lambda: world.web.answer("/health", OK)))

    return prepare


def answers(**behaviours: Behaviour) -> Callable[[World], object]:
    """By the last part of the address."""

    def prepare(world: World) -> None:
        for part, behaviour in behaviours.items():
            world.web.answer(f"/{part}", behaviour)

    return prepare


REFUSED = Behaviour(403)

NIGHTS: dict[str, tuple[Callable[[World], object], list[str]]] = {
    "it helps at once": (
        answers(health=OK),
        ["ActionSucceeded", "VerificationPassed"],
    ),
    "it helps after a while": (
        healthy_after(timedelta(seconds=6.5)),
        ["ActionSucceeded", "VerificationPassed"],
    ),
    "it does not help, is taken back, and the next step is slow": (
        answers(health=Behaviour(503), failover=Behaviour(takes=3.0)),
        ["ActionSucceeded", "VerificationFailed", "ActionSucceeded", "ActionSucceeded"],
    ),
    "the target refuses": (
        answers(clear=REFUSED, failover=REFUSED),
        ["ActionFailed", "ActionFailed"],
    ),
    "there is no connection": (
        answers(clear=Behaviour(fault="refused"), failover=Behaviour(fault="refused")),
        ["ActionFailed", "ActionFailed"],
    ),
    "nobody can say": (
        answers(clear=Behaviour(500)),
        ["ActionOutcomeUnknown"],
    ),
    "the answer is lost, and nobody can be asked": (
        answers(clear=Behaviour(fault="lost")),
        ["ActionOutcomeUnknown"],
    ),
    "the answer is lost, and the target knows of it": (
        answers(clear=REFUSED, failover=Behaviour(fault="lost")),
        ["ActionFailed", "ActionSucceeded"],
    ),
    "there is no answer, and the target knows nothing of it": (
        answers(clear=REFUSED, failover=Behaviour(fault="hangs")),
        ["ActionFailed", "ActionFailed"],
    ),
    "the answer is lost, and the target cannot be asked": (
        answers(clear=REFUSED, failover=Behaviour(fault="lost"), executions=Behaviour(fault="refused")),
        ["ActionFailed", "ActionOutcomeUnknown"],
    ),
}


@pytest.mark.parametrize("name", NIGHTS)
def test_targets_answer_as_they_did(stage: Stage, name: str) -> None:
    prepare, seen = NIGHTS[name]
    night = a_night(stage, prepare=prepare)
    assert outcomes(night) == seen

    assert stage.replay(night).differences == []


def test_what_people_asked_for_is_asked_again(stage: Stage) -> None:
    def prepare(world: World) -> None:
        world.web.answer("/health", OK)
        world.at(minutes(3), partial(approve, world))
        world.at(minutes(4), partial(ask, world, Acknowledge))
        world.at(minutes(8), partial(ask, world, Resolve))

    night = a_night(stage, labels=CHECKOUT | {"severity": "P2"}, prepare=prepare)
    assert [type(each.data).__name__ for each in night.commands] == ["ApproveAction", "Acknowledge", "Resolve"]

    assert stage.replay(night).differences == []


# --- other names ------------------------------------------------------------------------------------------------------


def without_the_first_hour(recording: Recording, begin: str) -> Recording:
    """As `tocsin record --since` does: the playbook that was in force, and what came later."""
    return Recording([each for each in recording.messages if each.time >= begin or each.stream == "PLAYBOOKS"])


def test_commands_find_an_incident_that_has_another_name_here(stage: Stage) -> None:
    world = shop(stage)
    world.web.answer("/health", OK)
    for begin in (minutes(1), minutes(61)):
        world.at(begin, lambda: world.alert(CHECKOUT | {"severity": "P2"}, lasts=minutes(10)))
    world.at(minutes(62), partial(approve, world))
    world.at(minutes(63), partial(ask, world, Acknowledge))
    world.run_until(minutes(120))
    night = without_the_first_hour(Recording(recorded_from(world)), format_moment(world.start + minutes(60)))
    recorded = {event.incident for event in night.log}

    replay = stage.replay(night)

    assert replay.not_sent == []
    assert replay.differences == []
    assert recorded.isdisjoint(event.incident for event in replay.world.log)
    answers = [
        event.data for event in replay.world.log if isinstance(event.data, ActionApproved | IncidentAcknowledged)
    ]
    assert len(answers) == 2


def test_an_incident_that_began_before_the_recording_is_left_out(stage: Stage) -> None:
    night = a_night(stage, lasts=minutes(30), prepare=lambda world: world.at(minutes(12), partial(ask, world, Resolve)))
    later = without_the_first_hour(night, night.log[0].time.replace(minute=5).strftime("%Y-%m-%dT%H:%M:%S"))
    assert later.alerts
    assert later.commands

    replay = stage.replay(later)

    assert replay.differences == []
    assert replay.world.log == []
    assert {reason.split(":")[0].split()[0] for reason in replay.not_sent} == {"AlertFired", "AlertResolved", "Resolve"}


def test_an_approval_of_what_is_not_proposed_here_is_not_sent(stage: Stage) -> None:
    def prepare(world: World) -> None:
        world.web.answer("/health", OK)
        world.at(minutes(3), partial(approve, world))

    night = a_night(stage, labels=CHECKOUT | {"severity": "P2"}, prepare=prepare)
    text = SHOP.replace("when: incident.labels.service == 'checkout'", "when: 'false'")
    replay = replay_into(partial(World), night, playbooks=[text])

    assert replay.not_sent == ["ApproveAction: there is no such incident or action here"]
    replay.world.close()


# --- something else ---------------------------------------------------------------------------------------------------


def under(stage: Stage, night: Recording, text: str, folder: Path) -> list[str]:
    (folder / "today.yaml").write_text(text)
    return list(map(str, stage.replay(night, playbook="today.yaml").differences))


def test_another_revision_that_decides_the_same_is_no_difference(stage: Stage, tmp_path: Path) -> None:
    assert under(stage, a_night(stage), SHOP + "# reviewed\n", tmp_path) == []


@pytest.mark.parametrize("name", NIGHTS)
def test_steps_that_ask_at_other_addresses_today_are_answered_as_they_were_then(
    stage: Stage, name: str, tmp_path: Path
) -> None:
    night = a_night(stage, prepare=NIGHTS[name][0])
    differences = under(stage, night, SHOP.replace("https://shop.example/", "https://moved.example/"), tmp_path)

    assert all("target was POST https://shop.example/" in each for each in differences)
    assert differences


def test_another_playbook_differs_in_what_it_decides(stage: Stage, tmp_path: Path) -> None:
    differences = under(stage, a_night(stage), SHOP.replace("after: 10m", "after: 15m"), tmp_path)

    assert any("IncidentEscalated" in each and "was +600.0 s, is +900.0 s" in each for each in differences)


def test_todays_playbook_takes_the_place_of_a_revision_that_came_during_the_night(stage: Stage, tmp_path: Path) -> None:
    changed = SHOP.replace("after: 10m", "after: 12m")
    night = a_night(stage, prepare=lambda world: world.at(minutes(2), lambda: world.publish(changed)))
    assert [given.stream for given in night.inputs.messages].count("PLAYBOOKS") == 1

    assert stage.replay(night).differences == []
    assert under(stage, night, SHOP, tmp_path) == []


def test_a_revision_that_is_taken_back_before_the_night_is_not_in_force(stage: Stage) -> None:
    other = SHOP.replace("after: 10m", "after: 12m")
    night = a_night(stage)
    (playbook,) = [message for message in night.messages if message.stream == "PLAYBOOKS"]
    between = published(other, playbook, 2)
    again = replace(playbook, sequence=3)
    rest = [message for message in night.messages if message is not playbook]

    assert stage.replay(Recording([playbook, between, again, *rest])).differences == []


def published(text: str, like: Recorded, sequence: int) -> Recorded:
    """A message that publishes this text, as the other one publishes its own."""
    data = factories.playbook_published(text=text)
    headers = tuple((name, f"{value}-{sequence}" if "id" in name.lower() else value) for name, value in like.headers)
    return replace(like, sequence=sequence, headers=headers, data=data.to_json())


def test_a_recording_without_inputs_cannot_be_replayed(stage: Stage) -> None:
    night = a_night(stage)
    playbooks = [message for message in night.messages if message.stream == "PLAYBOOKS"]

    for messages in ([], playbooks, [message for message in night.messages if message.stream != "PLAYBOOKS"]):
        with pytest.raises(NothingToReplayError):
            stage.replay(Recording(messages))


# --- recordings in memory ---------------------------------------------------------------------------------------------


def test_a_recording_gives_its_envelopes_in_order(stage: Stage) -> None:
    night = a_night(stage)
    envelopes = list(night)

    assert len(envelopes) == len(night)
    assert envelopes[0].data == night.playbooks[0].data
    assert [each for each in envelopes if each in night.log] == night.log
    assert night.alerts
    assert isinstance(night.log[0].data, IncidentOpened)
    assert night.log[0].data.playbook == PlaybookRef.model_validate(night.playbooks[0].data.playbook)  # type: ignore[attr-defined]  # its opening


def test_a_message_that_cannot_be_read_is_passed_over_and_named(stage: Stage) -> None:
    night = a_night(stage)
    broken = [replace(each, data=b"[]") if each.stream == "ALERTS" else each for each in night.messages]
    recording = Recording(broken)

    assert recording.alerts == []
    assert len(list(recording)) < len(recording)
    assert all(reason.startswith("ALERTS") for reason in recording.inputs.left_out)
