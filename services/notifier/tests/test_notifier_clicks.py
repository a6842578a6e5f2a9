"""What a press asks for, on whose behalf, and what is said of what came of it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notifier_builders import INCIDENT, NOW, Log, acknowledged, opened, paged, playbook
from notifier_presses import ADA, click, value

from tocsin_notifier.core.clicks import (
    UnknownButtonError,
    command_of,
    held_by,
    outcome,
    people_called,
    stranger,
)
from tocsin_playbook.model.channels import SlackChannel
from tocsin_schemas import Actor, Event
from tocsin_schemas.commands import Acknowledge, ApproveAction
from tocsin_schemas.events import (
    ActionApproved,
    IncidentAcknowledged,
    IncidentEscalated,
    IncidentReopened,
    NoteAdded,
    ResponderAnswered,
    ResponderDeclined,
)

BY = Actor.person("ada", "slack")


# --- which press it is -----------------------------------------------------------------------------------------------


def test_the_same_press_has_one_cause_however_often_it_is_told() -> None:
    assert click().cause == click(reply_to="https://hooks.slack.com/other", thread="1.2", value="{}").cause


@pytest.mark.parametrize(
    "other",
    [
        {"user": "U0BOB"}, {"team": "T2"}, {"channel": "C2"}, {"message": "1700000000.000002"},
        {"name": "tocsin:escalate:0"}, {"at": "1700000001.000002"},
    ],
)  # fmt: skip
def test_another_press_has_another_cause(other: dict[str, Any]) -> None:
    assert click(**other).cause != click().cause


def test_the_address_for_answers_is_in_no_log() -> None:
    assert "hooks.slack.com" not in repr(click())


# --- what it asks for ------------------------------------------------------------------------------------------------


def test_a_press_is_a_command_of_the_person() -> None:
    assert command_of("tocsin:acknowledge:0", value(), BY) == Acknowledge(incident=INCIDENT, by=BY)
    approve = command_of("tocsin:approve_action:3", value(action="a1"), BY)
    assert approve == ApproveAction(incident=INCIDENT, action="a1", by=BY)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resolve", value()),
        ("tocsin:resolve:0", value()),  # a command, but none that a button asks for
        ("tocsin:silence:0", value()),
        ("elsewhere:acknowledge:0", value()),
        ("", value()),
        ("tocsin:acknowledge:0", ""),
        ("tocsin:acknowledge:0", "{"),
        ("tocsin:acknowledge:0", "[" * 100_000),
        ("tocsin:acknowledge:0", "[]"),
        ("tocsin:acknowledge:0", "7"),
        ("tocsin:acknowledge:0", "{}"),
        ("tocsin:acknowledge:0", value("")),
        ("tocsin:acknowledge:0", value("a.b")),
        ("tocsin:acknowledge:0", value("*")),
        ("tocsin:acknowledge:0", value(">")),
        ("tocsin:acknowledge:0", value("x" * 1000)),
        ("tocsin:acknowledge:0", json.dumps({"incident": 7})),
        ("tocsin:acknowledge:0", value(by="bob")),
        ("tocsin:acknowledge:0", value(lasting="P30D")),
        ("tocsin:approve_action:0", value()),
    ],
)
def test_what_is_no_button_of_ours_asks_for_nothing(name: str, said: str) -> None:
    with pytest.raises(UnknownButtonError):
        command_of(name, said, BY)


@given(name=st.text(max_size=50), said=st.text(max_size=200))
def test_no_press_breaks_us(name: str, said: str) -> None:
    for each in (name, f"tocsin:acknowledge:{name}"):
        with pytest.raises(UnknownButtonError):
            command_of(each, said, BY)


def anybody(slack: SlackChannel) -> bool:
    return True


# --- who pressed -----------------------------------------------------------------------------------------------------


def test_a_person_is_who_the_playbook_reaches_under_that_id() -> None:
    assert people_called([playbook(), playbook(ada=ADA)], "U0ADA", anybody) == ("ada",)
    assert people_called([playbook(ada=ADA)], "U0EVE", anybody) == ()


def test_the_same_word_at_another_channel_than_slack_is_nobody() -> None:
    mail = playbook(ada="        - {channel: email, address: U0ADA}")
    assert people_called([mail], "U0ADA", anybody) == ()


def test_who_is_reached_at_a_channel_of_another_app_is_nobody() -> None:
    assert people_called([playbook(ada=ADA)], "U0ADA", lambda slack: False) == ()


def test_a_contact_at_a_channel_that_is_not_there_is_nobody() -> None:
    made = playbook(ada=ADA)
    communicate = made.communicate.model_copy(update={"channels": ()})
    assert people_called([made.model_copy(update={"communicate": communicate})], "U0ADA", anybody) == ()


def test_who_is_called_by_two_names_is_asked_to_settle_that() -> None:
    grace = playbook(oncall="    - {name: shop-2, members: []}").model_copy()
    people = tuple(
        person.model_copy(update={"name": "grace"}) if person.name == "ada" else person
        for person in playbook(ada=ADA).oncall.people
        if person.name != "grace"
    )
    other = grace.model_copy(update={"oncall": grace.oncall.model_copy(update={"people": people})})
    names = people_called([playbook(ada=ADA), other], "U0ADA", anybody)
    assert names == ("ada", "grace")
    assert stranger(click(), names, ()) == "Not sent: the playbooks in force call you by several names: ada, grace."


def test_somebody_of_the_workspace_whom_a_playbook_names_is_no_stranger() -> None:
    assert stranger(click(), ("ada",), ()) is None
    assert stranger(click(), ("ada",), ("T0", "T1")) is None


def test_who_no_playbook_names_is_told_what_is_missing() -> None:
    assert "the address U0EVE" in str(stranger(click(user="U0EVE"), (), ()))


@pytest.mark.parametrize(
    ("pressed", "teams"),
    [({"home": "T2"}, ()), ({"home": "T2"}, ("T1",)), ({}, ("T2",)), ({"home": "T2", "team": "T2"}, ("T1",))],
)
def test_somebody_of_another_workspace_is_a_stranger(pressed: dict[str, str], teams: tuple[str, ...]) -> None:
    assert "another workspace" in str(stranger(click(**pressed), ("ada",), teams))


# --- whether it is needed --------------------------------------------------------------------------------------------


def later(**more: timedelta) -> IncidentAcknowledged:
    return IncidentAcknowledged(by=BY, until=NOW + timedelta(**more))


@pytest.mark.parametrize(
    ("events", "holder"),
    [
        ((opened(),), ""),
        ((opened(), paged(), acknowledged()), "ada"),
        ((opened(), acknowledged(), NoteAdded(text="hm", by=BY)), "ada"),
        ((opened(), later(minutes=1)), "ada"),
        ((opened(), later(minutes=-1)), ""),
        ((opened(), later(minutes=-1), acknowledged()), "ada"),
        ((opened(), acknowledged(), paged("person:grace")), ""),
        ((opened(), acknowledged(), IncidentReopened(by=BY)), ""),
        # Whoever had it has given it back, and no further level was left: the next one who answers is not sent away.
        ((opened(), acknowledged(), ResponderDeclined(person="ada", by=BY)), ""),
        ((opened(), acknowledged(), ResponderDeclined(person="eve", by=Actor.person("eve", "slack"))), "ada"),
    ],
)
def test_it_is_held_until_that_lapses_or_somebody_is_paged(events: tuple[Event, ...], holder: str) -> None:
    assert held_by(Log(*events).events, NOW) == holder


# --- what is said of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ((acknowledged(),), "You are on it: paging has stopped."),
        ((IncidentAcknowledged(by=BY, until=NOW),), "You are on it: paging has stopped until 03:12 UTC."),
        ((ResponderAnswered(person="ada", waiting_for=("bob", "eve"), by=BY),), "waits for bob, eve."),
        ((ResponderAnswered(person="ada", waiting_for=tuple("abcdefg"), by=BY),), "a, b, c, d, e and 2 more."),
        ((ResponderDeclined(person="ada", by=BY),), "It is noted that you cannot take it."),
        (
            (
                ResponderDeclined(person="ada", by=BY),
                IncidentEscalated(level=1, reason="declined", targets=("person:bob",), by=BY),
            ),
            "It is noted that you cannot take it. Level 2 is told now: person:bob.",
        ),
        ((IncidentEscalated(level=0, reason="command", by=BY),), "Level 1 is told now: nobody."),
        ((ActionApproved(action="a1", runbook="r", step="restart", by=BY),), "You have approved restart."),
        ((NoteAdded(text="hm", by=BY),), "Done."),
    ],
)
def test_what_came_of_it_is_a_sentence(events: tuple[Event, ...], said: str) -> None:
    assert outcome(Log(*events).events).endswith(said)
