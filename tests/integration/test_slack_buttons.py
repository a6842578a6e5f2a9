"""People answer an incident from Slack: the services as processes, a real NATS, and a Slack that signs."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from system import System
from target import Target

from tocsin_runtime.bus.log import IncidentLog
from tocsin_schemas import DeadlineKind, Envelope, Event
from tocsin_schemas.events import (
    ActionApproved,
    CommandRejected,
    DeadlineSet,
    IncidentAcknowledged,
    IncidentEscalated,
    ResponderDeclined,
    ResponderPaged,
    VerificationPassed,
)
from tocsin_testkit.receivers.slack import Press, SlackDouble, SlackMessage, SlackReply

SECRET = "a-signing-secret-of-the-tests"


def playbook_of(system: System, target: Target) -> str:
    return f"""\
apiVersion: tocsin/v1
kind: Playbook
metadata: {{name: buttons}}
severities:
  - {{name: P1, acknowledge_within: 5m, automation: automatic}}
group: {{by: [service]}}
oncall:
  people:
    - name: ada
      contacts: [{{channel: slack, address: U0ADA}}]
    - name: bob
      contacts: [{{channel: slack, address: U0BOB}}]
    - name: mallory
      access: viewer
      contacts: [{{channel: slack, address: U0MALLORY}}]
escalate:
  - severities: [P1]
    levels:
      - {{after: 0s, notify: ["person:ada"]}}
      - {{after: 5s, notify: ["person:bob"]}}
remediate:
  runbooks:
    - name: mend
      when: "incident.labels.service == 'asks'"
      steps:
        - name: restart
          does: Restart the shop
          approval: always
          http: {{method: POST, url: "{target.url}/second", probe: {{url: "{target.url}/executions/{{execution_id}}"}}}}
          timeout: 2s
          verify: {{http: {{url: "{target.url}/health"}}, within: 5s, every: 100ms}}
      budget: {{actions: 10, per: 10m}}
communicate:
  channels:
    - name: slack
      slack: {{url: "{system.slack.api_url}", token: {{env: TOCSIN_SLACK_TOKEN}}}}
  announce:
    - {{severities: [P1], to: ["slack:#incidents"], on: [opened]}}
"""


class WithButtons(System):
    """The system, with a Slack of these people, and the secret that it signs with."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        people = ("U0ADA", "U0BOB", "U0EVE", "U0MALLORY")
        self.slack = SlackDouble(token=self.slack.token, users=people, signing_secret=SECRET)

    def _settings(self, service: str, name: str) -> dict[str, str]:
        given = {"TOCSIN_NOTIFIER_SLACK_SIGNING_SECRET": SECRET, "TOCSIN_NOTIFIER_SLACK_RESPONSE_HOSTS": "127.0.0.1"}
        return super()._settings(service, name) | given

    @property
    def request_url(self) -> str:
        return f"{self.first('notifier').url}/slack/interactions"

    async def fire(self, service: str) -> None:
        alert = {"labels": {"alertname": "Broken", "service": service, "severity": "P1"}}
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.post(f"{self.first('detector').url}/api/v2/alerts", json=[alert])
            answer.raise_for_status()

    async def message(self, place: str, service: str, button: str) -> SlackMessage:
        """The message there about this service that has such a button."""
        return await self.slack.wait_for(
            lambda found: found.channel_name == place and service in found.text and button in str(found.blocks)
        )

    async def press(self, message: SlackMessage, button: str, user: str) -> SlackReply:
        """Somebody presses; the answer is what they, and only they, are told."""
        reply = await self.told(self.slack.press(message, button, user=user))
        assert (reply.user, reply.response_type) == (user, "ephemeral")
        return reply

    async def told(self, press: Press, status: int = 200) -> SlackReply:
        """The notifier is told of a press; the answer is what it says of it."""
        before = len(self.slack.replies)
        assert await press.tell(self.request_url) == status
        async with asyncio.timeout(15):
            while len(self.slack.replies) == before:
                await asyncio.sleep(0.02)
        return self.slack.replies[before]

    async def log(
        self, message: SlackMessage, holds: Callable[[Sequence[Envelope[Event]]], bool]
    ) -> list[Envelope[Event]]:
        """The log of the incident that the message is about, as soon as this holds of it."""
        assert message.metadata is not None
        incident = message.metadata["event_payload"]["incident"]
        connection = await self.connect()
        try:
            async with asyncio.timeout(30):
                while not holds(events := await IncidentLog(connection).load(incident)):
                    await asyncio.sleep(0.05)
            return events
        finally:
            await connection.close()


def those(events: Sequence[Envelope[Event]], kind: type[Event]) -> list[Event]:
    return [event.data for event in events if isinstance(event.data, kind)]


def has(kind: type[Event]) -> Callable[[Sequence[Envelope[Event]]], bool]:
    return lambda events: bool(those(events, kind))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithButtons]:
    """One system for all tests here; each has incidents of its own."""
    with Target() as target, WithButtons(tmp_path_factory.mktemp("buttons")) as system:
        asyncio.run(system.push(playbook_of(system, target)))
        del system.services["recorder"]  # nobody waits for it
        system.start_services()
        yield system
        system.slack.raise_unexpected_refusals()


@pytest.mark.timeout(240)
async def test_acknowledge_pressed_in_slack_stops_the_paging_and_a_second_press_changes_nothing(
    system: WithButtons,
) -> None:
    await system.fire("shop")
    page = await system.message("U0ADA", "shop", "Acknowledge")

    stranger = await system.press(page, "Acknowledge", "U0EVE")
    assert "no playbook in force names you" in stranger.text
    viewer = await system.press(page, "Acknowledge", "U0MALLORY")
    assert viewer.text == "Not done: mallory is a viewer; Acknowledge asks for a responder."
    reply = await system.press(page, "Acknowledge", "U0ADA")
    assert reply.text == "You are on it: paging has stopped."

    again = await system.press(page, "Acknowledge", "U0ADA")
    assert again.text == "You have acknowledged it already."
    announcement = await system.message("incidents", "shop", "Acknowledge")
    other = await system.press(announcement, "Acknowledge", "U0BOB")
    assert other.text == "ada has acknowledged it already."

    events = await system.log(page, has(IncidentAcknowledged))
    due = max(
        event.data.due_at
        for event in events
        if isinstance(event.data, DeadlineSet) and event.data.kind is DeadlineKind.ESCALATE
    )
    await asyncio.sleep(max((due - datetime.now(UTC)).total_seconds(), 0) + 1.5)
    events = await system.log(page, has(IncidentAcknowledged))
    assert [(e.by.name, e.by.via) for e in those(events, IncidentAcknowledged)] == [("ada", "slack")]  # type: ignore[attr-defined]  # its own
    assert [e.target for e in those(events, ResponderPaged)] == ["person:ada"]  # type: ignore[attr-defined]  # its own
    assert [e.by.name for e in those(events, CommandRejected)] == ["mallory"]  # type: ignore[attr-defined]  # its own


@pytest.mark.timeout(240)
async def test_cannot_take_it_and_escalate_tell_the_next_level_and_the_same_press_told_twice_is_one(
    system: WithButtons,
) -> None:
    await system.fire("shop2")
    page = await system.message("U0ADA", "shop2", "Escalate")
    press = system.slack.press(page, "Escalate", user="U0ADA")
    first = await system.told(press)
    assert first.text == "Level 2 is told now: person:bob."
    assert await system.told(press) == first  # Slack did not hear us, and tells it again
    page_of_bob = await system.message("U0BOB", "shop2", "Can't take it")
    declined = await system.press(page_of_bob, "Can't take it", "U0BOB")
    assert declined.text.startswith("It is noted that you cannot take it.")
    events = await system.log(page, has(ResponderDeclined))
    by_hand = [e for e in those(events, IncidentEscalated) if e.reason == "command"]  # type: ignore[attr-defined]  # its own
    assert [(e.by.name, e.by.via) for e in by_hand] == [("ada", "slack")]  # type: ignore[attr-defined]  # its own


@pytest.mark.timeout(240)
async def test_an_action_is_approved_from_slack_and_runs_once(system: WithButtons) -> None:
    await system.fire("asks")
    request = await system.message("U0ADA", "asks", "Approve restart")
    reply = await system.press(request, "Approve restart", "U0ADA")
    assert reply.text == "You have approved restart."
    events = await system.log(request, has(VerificationPassed))
    assert [(e.by.name, e.by.via) for e in those(events, ActionApproved)] == [("ada", "slack")]  # type: ignore[attr-defined]  # its own
    late = await system.press(request, "Approve restart", "U0ADA")
    assert late.text.startswith("Not done: ")


@pytest.mark.timeout(240)
async def test_while_nats_is_away_a_press_is_refused_in_time_and_the_next_one_counts(system: WithButtons) -> None:
    await system.fire("shop4")
    page = await system.message("U0ADA", "shop4", "Acknowledge")
    system.nats.kill()
    assert "press again" in (await system.told(system.slack.press(page, "Acknowledge", user="U0ADA"), 503)).text
    system.nats.start()
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(system.first("notifier").is_ready):
            await asyncio.sleep(0.1)
    reply = await system.press(page, "Acknowledge", "U0ADA")
    assert "You are on it" in reply.text
    events = await system.log(page, has(IncidentAcknowledged))
    assert len(those(events, IncidentAcknowledged)) == 1
