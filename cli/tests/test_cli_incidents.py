"""The commands about incidents: each sends what it says, and whatever cannot be is one clear line and exit status 1."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_desk import FIRST, SECOND, Desk, answer_with_a_note

from tocsin import operator
from tocsin_runtime import BusUnavailableError, Connection, RefusedError
from tocsin_runtime.bus.log import IncidentLog
from tocsin_schemas import COMMANDS, Actor, Command, Impact, Role
from tocsin_schemas.commands import (
    Acknowledge,
    AcknowledgeAlert,
    AddNote,
    AddResponder,
    ApproveAction,
    AssignRole,
    Decline,
    Escalate,
    LiftOverride,
    LiftSilence,
    Link,
    Merge,
    OverrideOnCall,
    ReleaseSeverity,
    Reopen,
    Resolve,
    RunAction,
    SetSeverity,
    Silence,
    Split,
    StateImpact,
    StopAutomation,
    TakeOver,
    Update,
)
from tocsin_schemas.events import CommandRejected, NoteAdded, RequestRefused

ADA = Actor.person("ada", "cli")
IT: dict[str, Any] = {"incident": FIRST, "by": ADA}
PRINT = "0123456789abcdef"

SENT: list[tuple[tuple[str, ...], Command]] = [
    (("ack", "fi"), Acknowledge(**IT)),
    (("ack", "fi", "--for", "30m"), Acknowledge(**IT, lasting="PT30M")),
    (("take", "fi"), TakeOver(**IT)),
    (("decline", "fi", "--because", "on a train"), Decline(**IT, because="on a train")),
    (("escalate", "fi", "--because", "stuck"), Escalate(**IT, because="stuck")),
    (("page", "fi", "person:bob"), AddResponder(**IT, target="person:bob")),
    (
        ("page", "fi", "team:data base", "--because", "disk"),
        AddResponder(**IT, target="team:data base", because="disk"),
    ),
    (("page", "fi", "schedule:night"), AddResponder(**IT, target="schedule:night")),
    (("assign", "fi", "technical_lead", "bob"), AssignRole(**IT, role=Role.TECHNICAL_LEAD, person="bob")),
    (("update", "fi", "we look"), Update(**IT, text="we look")),
    (("update", "fi", "the cable", "--status", "identified"), Update(**IT, text="the cable", status="identified")),
    (("note", "fi", "a note"), AddNote(**IT, text="a note")),
    (
        ("impact", "fi", "--users", "35%", "--no-data-loss"),
        StateImpact(**IT, impact=Impact(users_affected=0.35, data_loss=False)),
    ),
    (
        ("impact", "fi", "--security", "--data-at-risk", "--compliance", "--no-workaround", "--recent-deployment"),
        StateImpact(
            **IT,
            impact=Impact(security=True, data_at_risk=True, compliance=True, workaround=False, recent_deployment=True),
        ),
    ),
    (("severity", "fi", "P1", "--because", "worse"), SetSeverity(**IT, severity="P1", because="worse")),
    (("severity", "fi", "--release"), ReleaseSeverity(**IT)),
    (("resolve", "fi", "--notes", "the cable"), Resolve(**IT, notes="the cable")),
    (("resolve", "fi", "--false-alarm"), Resolve(**IT, false_alarm=True)),
    (("reopen", "fi", "--because", "again"), Reopen(**IT, because="again")),
    (("merge", "fi", "sec"), Merge(**IT, into=SECOND)),
    (("split", "fi"), Split(**IT)),
    (("split", "fi", "--alert", PRINT, "--alert", PRINT[::-1]), Split(**IT, alerts=(PRINT, PRINT[::-1]))),
    (("link", "fi", "sec", "--because", "same switch"), Link(**IT, other=SECOND, because="same switch")),
    (("approve", "fi", "act1"), ApproveAction(**IT, action="act1")),
    (("stop-automation", "fi", "--because", "no"), StopAutomation(**IT, because="no")),
]
NOT_ABOUT_AN_INCIDENT = {Silence, LiftSilence, OverrideOnCall, LiftOverride, AcknowledgeAlert}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Desk(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@pytest.fixture
def desk(running: Desk) -> Desk:
    running.answer = answer_with_a_note
    running.received.clear()
    return running


# --- what is sent -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "command"), SENT, ids=lambda given: " ".join(given) if type(given) is tuple else "")
def test_a_command_is_sent_with_who_asks_and_its_answer_is_shown(
    desk: Desk, words: tuple[str, ...], command: Command
) -> None:
    status, output, error = desk.tocsin(*words)
    assert (status, error) == (0, "")
    assert f"done: {type(command).__name__}" in output
    assert desk.commands() == [command]


def test_every_command_about_an_incident_can_be_typed() -> None:
    assert {type(command) for _, command in SENT} == set(COMMANDS.values()) - NOT_ABOUT_AN_INCIDENT - {RunAction}


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("ack", "x"), "There is no incident x."),
        (("ack", "fi/../sec"), "There is no incident fi/../sec."),
        (("merge", "fi", "x"), "There is no incident x."),
        (("link", "fi", "x"), "There is no incident x."),
        (
            ("ack", "fi", "--for", "soon"),
            "--for: 'soon' is no duration; expected a duration like 500ms, 15s, 1h30m, 2d or 1w",
        ),
        (("ack", "fi", "--for", "0s"), "lasting: Input should be greater than 0 seconds"),
        (("page", "fi", "bob"), "'bob' cannot be paged; expected person:NAME, team:NAME or schedule:NAME"),
        (("page", "fi", "person:"), "'person:' cannot be paged; expected person:NAME, team:NAME or schedule:NAME"),
        (("impact", "fi"), "nothing is said: give --users or one of the others (`tocsin impact --help`)"),
        (("impact", "fi", "--users", "101%"), "--users: '101%' is no share; expected 0% to 100%, such as 35%"),
        (("impact", "fi", "--users", "0.35"), "--users: '0.35' is no share; expected 0% to 100%, such as 35%"),
        (("severity", "fi"), "give a severity, or --release and no severity"),
        (("severity", "fi", "P1", "--release"), "give a severity, or --release and no severity"),
        (("split", "fi", "--alert", "x"), "alerts.0: String should match pattern '^[0-9a-f]{16}$'"),
        (
            ("note", "fi", "a\x1b[2J"),
            "text: contains the control or direction character U+001B at position 1",
        ),
        (("note", "fi", ""), "text: it is empty"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_sent(desk: Desk, words: tuple[str, ...], line: str) -> None:
    assert desk.tocsin(*words) == (1, "", f"{line}\n")
    assert desk.commands() == []


def test_a_command_that_is_rejected_says_why(desk: Desk) -> None:
    desk.answer = lambda command: CommandRejected(command="Acknowledge", reason="the incident is closed", by=ADA)
    assert desk.tocsin("ack", FIRST) == (1, "", "the incident is closed\n")


def test_a_request_that_the_remediator_refuses_says_why(desk: Desk) -> None:
    desk.answer = lambda command: RequestRefused(command="ApproveAction", reason="there is no action act1", by=ADA)
    assert desk.tocsin("approve", FIRST, "act1") == (1, "", "there is no action act1\n")


def test_a_command_that_was_parked_says_why(desk: Desk) -> None:
    def refuse(command: Command) -> NoteAdded:
        raise RefusedError("eve is a viewer; ApproveAction asks for a responder")

    desk.answer = refuse
    assert desk.tocsin("approve", FIRST, "act1") == (1, "", "eve is a viewer; ApproveAction asks for a responder\n")


def test_a_command_that_nobody_carries_out_says_that_it_is_queued(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "_ANSWER_WITHIN", 0.5)
    desk.answer = lambda command: None
    line = "nobody carried out Acknowledge within 0.5 s; it stays queued\n"
    assert desk.tocsin("ack", FIRST) == (1, "", line)


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "words", "may"),
    [
        ("viewer", ("ack", FIRST), False),
        ("responder", ("ack", FIRST), True),
        ("responder", ("merge", FIRST, SECOND), False),
        ("commander", ("merge", FIRST, SECOND), True),
        ("admin", ("merge", FIRST, SECOND), True),
        ("remediator", ("ack", FIRST), False),
    ],
)
def test_a_credential_that_does_not_allow_it_is_one_line(
    desk: Desk, identity: str, words: tuple[str, ...], may: bool
) -> None:
    status, output, error = desk.tocsin(*words, identity=identity)
    command = "Acknowledge" if words[0] == "ack" else "Merge"
    told = (0, True, "") if may else (1, False, f"the identity {identity} may not send {command}\n")
    assert (status, f"done: {command}" in output, error) == told
    assert output.count("\n") == may
    assert len(desk.commands()) == may


def test_a_playbook_is_put_in_force_by_admins_only(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("apiVersion: tocsin/v1\nkind: Playbook\nmetadata: {name: p}\nseverities: [{name: P1}]\n")
    line = "the identity commander may not put playbooks in force\n"
    assert desk.tocsin("playbook", "push", file, identity="commander") == (1, "", line)
    assert desk.tocsin("playbook", "push", file, identity="admin")[0] == 0


def test_a_wrong_password_is_one_line(desk: Desk) -> None:
    answer = desk.tocsin("ack", FIRST, TOCSIN_NATS_PASSWORD="guessed")
    assert answer == (1, "", "NATS does not let 'operator' in: nats: 'Authorization Violation'\n")


# --- what gets lost ---------------------------------------------------------------------------------------------------


def test_a_lost_confirmation_is_asked_for_again_under_the_same_id(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[str] = []
    request = Connection.request

    async def losing(self: Connection, subject: str, *given: Any, **more: Any) -> Any:
        answer = await request(self, subject, *given, **more)
        if subject.startswith("tocsin.commands.") and not lost:
            lost.append(subject)
            raise BusUnavailableError("the answer was lost")
        return answer

    monkeypatch.setattr(Connection, "request", losing)
    assert desk.tocsin("note", FIRST, "once")[0] == 0
    assert len(lost) == 1
    assert desk.commands() == [AddNote(**IT, text="once")]


def test_a_command_that_nats_never_confirms_may_have_been_sent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Connection.request

    async def losing(self: Connection, subject: str, *given: Any, **more: Any) -> Any:
        answer = await request(self, subject, *given, **more)
        if subject.startswith("tocsin.commands."):
            raise BusUnavailableError("no answer")
        return answer

    monkeypatch.setattr(Connection, "request", losing)
    line = "NATS did not confirm AddNote, it may have been sent: no answer\n"
    assert desk.tocsin("note", FIRST, "once") == (1, "", line)


def test_an_answer_that_cannot_be_read_now_is_read_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[str] = []
    load = IncidentLog.load

    async def failing(self: IncidentLog, incident: str, **more: Any) -> Any:
        if not failed:
            failed.append(incident)
            raise BusUnavailableError("reading: TimeoutError")
        return await load(self, incident, **more)

    monkeypatch.setattr(IncidentLog, "load", failing)
    assert desk.tocsin("ack", FIRST)[0] == 0
    assert failed == [FIRST]


def test_nats_that_is_away_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "_CONNECT_WITHIN", 0.3)
    status, _, error = desk.tocsin("ack", FIRST, TOCSIN_NATS_URL="nats://127.0.0.1:9")
    assert (status, error) == (1, "NATS does not answer\n")


def test_a_server_without_the_streams_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def compare(self: Connection) -> None:
        await asyncio.sleep(0)
        raise BusUnavailableError("the stream PLAYBOOKS: stream not found")

    monkeypatch.setattr(Connection, "compare_clocks", compare)
    assert desk.tocsin("ack", FIRST) == (1, "", "the stream PLAYBOOKS: stream not found\n")
