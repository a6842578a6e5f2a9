"""The command API: who asks is known, what is asked for is checked, and every answer says what happened."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from recorder_builders import INCIDENT, OTHER, opened
from recorder_doors import ADA, EVE, Doors, answered

from tocsin_recorder.adapters import bodies
from tocsin_recorder.adapters.database import Database, DatabaseUnavailableError
from tocsin_recorder.adapters.doing import BY_SLUG
from tocsin_recorder.adapters.queries import Queries
from tocsin_runtime import BusUnavailableError
from tocsin_runtime.asking import Answer
from tocsin_runtime.bus.errors import NotAllowedError
from tocsin_schemas import COMMANDS, Actor, Command
from tocsin_schemas import commands as asked
from tocsin_schemas.events import CommandRejected, IncidentAcknowledged, OrderRejected, SilenceLifted

BY = Actor.person("ada", "api")
IT = {"incident": INCIDENT}


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/timeline.db")
    await database.open()
    made = Doors(database, tmp_path)
    await made.tell((0, opened()))
    await made.tell((0, opened()), incident=OTHER)
    yield made
    await made.client.aclose()
    await database.close()


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["detail"].endswith(".")
    return document


# --- what is done -----------------------------------------------------------------------------------------------------


async def test_a_command_is_carried_out_for_who_asks_and_its_answer_is_what_happened(doors: Doors) -> None:
    doors.answering.answer = lambda name, command: answered(name, IncidentAcknowledged(by=BY))
    answer = await doors.post("acknowledge", {"incident": "k3vq", "lasting": "PT30M"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    assert document["state"] == "done"
    (event,) = document["events"]
    assert (event["type"], event["incident"]) == ("tocsin.IncidentAcknowledged.v1", INCIDENT)
    assert event["at"] == "2026-03-01T12:01:01Z"
    assert event["sentence"].startswith("ada is on it")
    assert doors.answering.last == asked.Acknowledge(incident=INCIDENT, by=BY, lasting="PT30M")


EVERY: list[tuple[str, dict[str, object], Command]] = [
    ("take_over", IT, asked.TakeOver(**IT, by=BY)),
    ("decline", {**IT, "because": "on a train"}, asked.Decline(**IT, by=BY, because="on a train")),
    ("escalate", IT, asked.Escalate(**IT, by=BY)),
    ("add_responder", {**IT, "target": "person:bob"}, asked.AddResponder(**IT, by=BY, target="person:bob")),
    ("update", {**IT, "text": "x", "status": "mitigating"}, asked.Update(**IT, by=BY, text="x", status="mitigating")),
    ("add_note", {**IT, "text": "a\nb"}, asked.AddNote(**IT, by=BY, text="a\nb")),
    ("resolve", {**IT, "false_alarm": True}, asked.Resolve(**IT, by=BY, false_alarm=True)),
    ("reopen", IT, asked.Reopen(**IT, by=BY)),
    ("set_severity", {**IT, "severity": "P0"}, asked.SetSeverity(**IT, by=BY, severity="P0")),
    ("release_severity", IT, asked.ReleaseSeverity(**IT, by=BY)),
    ("state_impact", {**IT, "impact": {"users_affected": 1}},
     asked.StateImpact(**IT, by=BY, impact={"users_affected": 1.0})),
    ("merge", {**IT, "into": "zzzz"}, asked.Merge(**IT, by=BY, into=OTHER)),
    ("link", {**IT, "other": "zzzz"}, asked.Link(**IT, by=BY, other=OTHER)),
    ("split", {**IT, "alerts": ["0123456789abcdef"]}, asked.Split(**IT, by=BY, alerts=("0123456789abcdef",))),
    ("assign_role", {**IT, "role": "technical_lead", "person": "bob"},
     asked.AssignRole(**IT, by=BY, role="technical_lead", person="bob")),
    ("silence", {"match": ['a="b"'], "until": "2026-03-02T12:00:00Z", "because": "x"},
     asked.Silence(match=('a="b"',), until="2026-03-02T12:00:00Z", because="x", by=BY)),
    ("lift_silence", {"silence": "s1"}, asked.LiftSilence(silence="s1", by=BY)),
    ("override_on_call", {"schedule": "s", "person": "bob", "until": "2026-03-02T14:00:00+02:00"},
     asked.OverrideOnCall(schedule="s", person="bob", until="2026-03-02T12:00:00Z", by=BY)),
    ("lift_override", {"override": "o1"}, asked.LiftOverride(override="o1", by=BY)),
    ("approve_action", {**IT, "action": "a1"}, asked.ApproveAction(**IT, by=BY, action="a1")),
    ("run_action", {**IT, "runbook": "r", "step": "s"}, asked.RunAction(**IT, by=BY, runbook="r", step="s")),
    ("stop_automation", IT, asked.StopAutomation(**IT, by=BY)),
]  # fmt: skip


@pytest.mark.parametrize(("slug", "body", "command"), EVERY, ids=[slug for slug, _, _ in EVERY])
async def test_every_command_can_be_asked_for(
    doors: Doors, slug: str, body: dict[str, object], command: Command
) -> None:
    assert (await doors.post(slug, body)).status_code == 200
    assert doors.answering.last == command


def test_there_is_a_path_for_every_command_that_is_answered_to_who_asks() -> None:
    assert set(BY_SLUG) == {slug for slug, _, _ in EVERY} | {"acknowledge"}
    assert set(COMMANDS.values()) - set(BY_SLUG.values()) == {asked.AcknowledgeAlert}


async def test_a_standing_order_is_answered_in_its_own_words(doors: Doors) -> None:
    doors.answering.answer = lambda name, command: Answer(
        name, (answered(name, SilenceLifted(silence="s1", by=BY)).events[0],)
    )
    (event,) = (await doors.post("lift_silence", {"silence": "s1"})).json()["events"]
    assert event["sentence"] == "ada lifted the silence s1"


async def test_what_nobody_has_carried_out_yet_is_pending(doors: Doors) -> None:
    doors.answering.answer = lambda name, command: Answer(name)
    answer = await doors.post("acknowledge", IT)
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["events"]) == ("pending", [])


# --- once -------------------------------------------------------------------------------------------------------------


async def test_the_same_key_is_the_same_command_and_another_one_is_another(doors: Doors) -> None:
    key = {"idempotency-key": "a key"}
    first, again = [await doors.post("add_note", {**IT, "text": "x"}, **key) for _ in range(2)]
    assert first.json() == again.json()
    await doors.post("add_note", {**IT, "text": "x"}, **{"idempotency-key": "another"})
    await doors.post("add_note", {**IT, "text": "x"})
    await doors.post("add_note", {**IT, "text": "x"})
    assert len(doors.answering.done) == 4


async def test_another_command_with_a_key_that_was_used_is_not_said_to_be_done(doors: Doors) -> None:
    for text in ("x", "y", "x"):
        await doors.post("add_note", {**IT, "text": text}, **{"idempotency-key": "k"})
    assert [command.text for command in doors.answering.done.values()] == ["x", "y"]  # type: ignore[attr-defined]  # its own


async def test_who_gave_no_key_is_told_one_with_which_it_is_done_once(doors: Doors) -> None:
    """It may have been sent: without a key the same request is another command."""
    doors.answering.failure = BusUnavailableError("not confirmed within 8 s")
    detail = problem(await doors.post("escalate", IT), 503)["detail"]
    (key,) = re.findall(r"Idempotency-Key: ([0-9a-f]{32}),", detail)
    doors.answering.failure = None
    assert (await doors.post("escalate", IT, **{"idempotency-key": key})).status_code == 200
    (_, first), (_, again) = doors.answering.asked
    assert first == again
    doors.answering.failure = BusUnavailableError("not confirmed within 8 s")
    refused = problem(await doors.post("escalate", IT, **{"idempotency-key": "mine"}), 503)
    assert "ask again in the same way" in refused["detail"]


async def test_a_key_is_its_persons_own(doors: Doors) -> None:
    for token in (ADA, EVE):
        await doors.post("add_note", {**IT, "text": "x"}, token=token, **{"idempotency-key": "k"})
    causes = {cause for _, cause in doors.answering.asked}
    assert len(causes) == 2


@pytest.mark.parametrize("keys", [[""], ["x" * 256], ["\xe4"], ["a", "b"]])
async def test_what_is_no_key_is_refused(doors: Doors, keys: list[str]) -> None:
    headers = [("authorization", f"Bearer {ADA}"), *(("idempotency-key", key.encode("latin-1")) for key in keys)]
    answer = await doors.client.post("/api/v1/commands/escalate", json=IT, headers=headers)  # type: ignore[arg-type]  # as given
    assert "Idempotency-Key" in problem(answer, 400)["detail"]
    assert doors.answering.asked == []


# --- who --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", f"tcs_{'n' * 43}", ADA[:-1], "x" * 10_000])
async def test_who_has_no_token_that_counts_is_told_how_to_get_one(doors: Doors, token: str | None) -> None:
    for slug in ("acknowledge", "no_such"):
        answer = await doors.post(slug, IT, token=token)
        assert "`tocsin tokens add NAME`" in problem(answer, 401)["detail"]
        assert answer.headers["www-authenticate"] == 'Bearer realm="tocsin"'
        assert not token or token not in answer.text
    assert doors.answering.asked == []


async def test_a_token_that_was_revoked_lets_nobody_in(doors: Doors) -> None:
    assert (await doors.post("acknowledge", IT)).status_code == 200
    doors.give(eve=EVE)
    problem(await doors.post("acknowledge", IT), 401)


async def test_a_cookie_of_the_console_lets_nobody_in_here(doors: Doors) -> None:
    await doors.client.post("/sign-in", data={"token": ADA})
    assert doors.client.cookies
    problem(await doors.post("acknowledge", IT, token=None), 401)


async def test_two_tokens_at_once_are_none(doors: Doors) -> None:
    headers = [("authorization", f"Bearer {token}") for token in (ADA, EVE)]
    problem(await doors.client.post("/api/v1/commands/escalate", json=IT, headers=headers), 401)


async def test_nobody_says_who_they_are_otherwise(doors: Doors) -> None:
    body = {**IT, "by": {"kind": "person", "name": "bob"}}
    assert problem(await doors.post("acknowledge", body), 422)["field"] == "by"


# --- what is refused --------------------------------------------------------------------------------------------------


async def test_who_may_not_is_refused_with_what_they_are(doors: Doors) -> None:
    reason = "eve is a viewer; Acknowledge asks for a responder"
    doors.answering.answer = lambda name, command: Answer(
        name, answered(name, CommandRejected(command="Acknowledge", reason=reason, by=BY)).events, reason
    )
    refused = problem(await doors.post("acknowledge", IT, token=EVE), 403)
    assert refused["detail"] == f"{reason}."
    assert refused["command"]


@pytest.mark.parametrize("in_log", [True, False])
async def test_what_cannot_be_in_this_state_is_a_conflict(doors: Doors, in_log: bool) -> None:
    event = OrderRejected(command="LiftSilence", reason="there is no silence s1", by=BY)
    doors.answering.answer = lambda name, command: Answer(
        name, answered(name, event).events if in_log else (), "there is no silence s1"
    )
    assert problem(await doors.post("lift_silence", {"silence": "s1"}), 409)["detail"] == "there is no silence s1."


@pytest.mark.parametrize(
    ("slug", "body", "field"),
    [
        ("acknowledge", {}, "incident"),
        ("acknowledge", {"incident": 7}, "incident"),
        ("acknowledge", {**IT, "lasting": "soon"}, "lasting"),
        ("acknowledge", {**IT, "until": "x"}, "until"),
        ("resolve", {**IT, "false_alarm": "perhaps"}, "false_alarm"),
        ("add_note", {**IT, "text": ""}, "text"),
        ("add_note", {**IT, "text": "x" * 4097}, "text"),
        ("add_note", {**IT, "text": "a\u202eb"}, "text"),
        ("add_note", {**IT, "text": "a\u0000b"}, "text"),
        ("decline", {**IT, "because": "a\nb"}, "because"),
        ("state_impact", {**IT, "impact": {"users_affected": 2}}, "impact.users_affected"),
        ("silence", {"match": [], "until": "2026-03-02T12:00:00Z", "because": "x"}, "match"),
        ("silence", {"match": ["x"], "until": "tomorrow", "because": "x"}, "until"),
        ("assign_role", {**IT, "role": "king", "person": "bob"}, "role"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_asked(
    doors: Doors, slug: str, body: dict[str, object], field: str
) -> None:
    refused = problem(await doors.post(slug, body), 422)
    assert refused["field"] == field
    assert refused["detail"].startswith(f"{field}: ")
    assert doors.answering.asked == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b"{}x", b"[" * 40 + b"]" * 40],
)
async def test_what_is_no_json_object_is_refused(doors: Doors, body: bytes) -> None:
    headers = {"authorization": f"Bearer {ADA}", "content-type": "application/json"}
    problem(await doors.client.post("/api/v1/commands/escalate", content=body, headers=headers), 400)


async def test_nobody_and_nothing_that_is_not_there(doors: Doors) -> None:
    assert "acknowledge, add_note" in problem(await doors.post("acknowledge_alert", IT), 404)["detail"]
    assert (
        problem(await doors.post("escalate", {"incident": "nobody"}), 404)["detail"] == "There is no incident 'nobody'."
    )
    problem(await doors.post("merge", {**IT, "into": "nobody"}), 404)
    problem(await doors.post("escalate", {"incident": "*.>"}), 400)
    assert (await doors.client.get("/api/v1/commands/escalate")).status_code in (404, 405)


@pytest.mark.parametrize(
    "headers",
    [{"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}, {"content-type": ""},
     {"content-type": "application/json", "content-encoding": "gzip"}],
)  # fmt: skip
async def test_only_plain_json_is_taken(doors: Doors, headers: dict[str, str]) -> None:
    headers = {"authorization": f"Bearer {ADA}", **headers}
    answer = await doors.client.post("/api/v1/commands/escalate", content=json.dumps(IT), headers=headers)
    problem(answer, 415)


async def test_a_body_that_is_too_large_is_not_read(doors: Doors) -> None:
    problem(await doors.post("add_note", {**IT, "text": "x" * 70_000}), 413)


async def test_a_body_that_does_not_come_is_not_waited_for(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_WITHIN", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    headers = {"authorization": f"Bearer {ADA}", "content-type": "application/json"}
    problem(await doors.client.post("/api/v1/commands/escalate", content=slow(), headers=headers), 408)


async def test_a_body_that_breaks_off_is_refused(doors: Doors) -> None:
    sent: list[dict[str, Any]] = []
    parts = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> dict[str, Any]:
        return next(parts)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {ADA}".encode()), (b"content-type", b"application/json")]
    path = "/api/v1/commands/escalate"
    await doors.app(
        {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}, receive, send
    )
    assert sent[0]["status"] == 400


# --- what is away -----------------------------------------------------------------------------------------------------


async def test_while_nats_is_away_it_says_when_to_ask_again(doors: Doors) -> None:
    doors.answering.failure = BusUnavailableError("not confirmed within 8 s")
    answer = await doors.post("acknowledge", IT)
    assert "done once" in problem(answer, 503)["detail"]
    assert answer.headers["retry-after"] == "2"


async def test_an_identity_that_may_not_ask_is_told_from_a_nats_that_is_away(doors: Doors) -> None:
    doors.answering.failure = NotAllowedError("tocsin.commands.escalator.acknowledge: nats does not allow it")
    assert "`tocsin nats-config`" in problem(await doors.post("acknowledge", IT), 503)["detail"]


async def test_a_page_can_be_stopped_while_the_timeline_cannot_be_read(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(self: Queries, prefix: str, limit: int = 11) -> list[str]:
        raise DatabaseUnavailableError("gone")

    monkeypatch.setattr(Queries, "names_like", away)
    assert (await doors.post("acknowledge", IT)).status_code == 200
    assert "timeline cannot be read" in problem(await doors.post("acknowledge", {"incident": "k3vq"}), 503)["detail"]


async def test_a_page_can_be_stopped_before_the_timeline_has_its_incident(doors: Doors) -> None:
    """Where the timeline lags, or is made anew, a whole id counts."""
    assert (await doors.post("acknowledge", {"incident": " NEWNEWNEWNEW"})).status_code == 200
    assert doors.answering.last == asked.Acknowledge(incident="newnewnewnew", by=BY)
    doors.answering.answer = lambda name, command: Answer(name, refused="there is no incident newnewnewnew")
    refused = problem(await doors.post("acknowledge", {"incident": "newnewnewnew"}), 404)
    assert refused["detail"] == "there is no incident newnewnewnew."
