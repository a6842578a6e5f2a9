"""A virtual world: the real services, whatever is killed, cut or lost, as long as time goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from tocsin_escalator.audit import Audit
from tocsin_playbook import PlaybookError
from tocsin_rehearsal.outside.receivers import Reception
from tocsin_rehearsal.outside.web import Behaviour
from tocsin_rehearsal.world import MONDAY, ServiceDiedError, World
from tocsin_schemas import Actor
from tocsin_schemas.commands import Acknowledge, Resolve
from tocsin_schemas.events import (
    ActionClaimed,
    ActionOutcomeUnknown,
    ActionSucceeded,
    IncidentAcknowledged,
    IncidentOpened,
    IncidentResolved,
    NotificationFailed,
    ResponderPaged,
    VerificationPassed,
)

PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P1, acknowledge_within: 5m, automation: automatic}]
sources: [{name: shop, prometheus: {scrape: "http://127.0.0.1:1/metrics", every: 15s}}]
detect:
  every: 15s
  rules:
    - name: Errors
      expr: rate(errors_total[1m])
      labels: {service: shop}
      ladder: [{severity: P1, above: 1, for: 1m}]
group: {by: [service], watch_for: 5m, reopen_within: 10m}
oncall:
  people:
    - {name: ada, contacts: [{channel: slack, address: "#ada"}, {channel: mail, address: ada@example.com}]}
    - {name: grace, contacts: [{channel: mail, address: grace@example.com}]}
escalate: [{severities: [P1], levels: [{after: 0s, notify: ["person:ada"]}, {after: 10m, notify: ["person:grace"]}]}]
remediate:
  runbooks:
    - name: restart
      when: incident.labels.service == "shop"
      steps:
        - name: restart
          http: {url: "http://127.0.0.1:1/restart", method: POST}
          verify: {http: {url: "http://127.0.0.1:1/health"}, within: 1m}
communicate:
  channels:
    - {name: slack, slack: {url: "http://127.0.0.1:1/api", token: {env: NO_SUCH_TOKEN}}}
    - {name: mail, smtp: {host: 127.0.0.1, port: 1, from: tocsin@example.com, tls: none}}
"""
ALERT = {"alertname": "QueueStuck", "service": "queue", "severity": "P1"}
SHOP = {"alertname": "Broken", "service": "shop", "severity": "P1"}
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def world(**given: object) -> World:
    return World([PLAYBOOK], **given)  # type: ignore[arg-type]  # what a test wants


def kinds(made: World) -> list[str]:
    return [type(event.data).__name__ for event in made.log]


def of(made: World, kind: type) -> list[timedelta]:
    """When these events happened."""
    return [event.time - made.start for event in made.log if isinstance(event.data, kind)]


def pages(made: World) -> list[tuple[float, str]]:
    return [(sent.at.total_seconds(), sent.address) for sent in made.pages]


def test_from_a_series_to_a_person_and_back() -> None:
    made = world()
    made.feed("shop", {"errors_total": "0+60x80 4800x200"})
    made.run_until(timedelta(hours=1))
    (opened,), (resolved,) = of(made, IncidentOpened), of(made, IncidentResolved)
    assert timedelta(minutes=1) <= opened <= timedelta(minutes=2)
    assert resolved - opened > timedelta(minutes=5)
    assert [address for _, address in pages(made)] == ["#ada", "grace@example.com"]
    assert of(made, ResponderPaged)[1] - opened == timedelta(minutes=10)
    assert [call.kind for call in made.calls][:2] == ["action", "check"]
    assert len(of(made, VerificationPassed)) == 1
    assert made.broker.backlog == 0
    assert made.dead_letters == []


def test_the_same_calls_give_the_same_log_ids_included() -> None:
    logs = []
    for _ in range(2):
        made = world(replicas=2)
        made.alert(SHOP, lasts=20 * MINUTE)
        made.at(3 * MINUTE, lambda made=made: made.kill("escalator-1"))  # type: ignore[misc]
        made.at(4 * MINUTE, lambda made=made: made.restart("escalator-1"))  # type: ignore[misc]
        made.run_until(timedelta(hours=1))
        logs.append([(event.id, event.time, event.data) for event in made.log])
    assert logs[0] == logs[1]
    assert len(logs[0]) > 20


def test_an_acknowledgement_stops_the_next_level_and_a_resolution_the_rest() -> None:
    made = world()
    made.alert(ALERT)
    made.run_until(2 * MINUTE)
    (opened,) = (event for event in made.log if isinstance(event.data, IncidentOpened))
    ada = Actor.person("ada", "cli")
    made.command(Acknowledge(incident=opened.incident, by=ada), by="ada")
    made.run_until(30 * MINUTE)
    assert pages(made) == [(0.0, "#ada")]
    assert len(of(made, IncidentAcknowledged)) == 1
    made.command(Resolve(incident=opened.incident, by=ada, notes="done"), by="ada")
    made.run_for(SECOND)
    assert len(of(made, IncidentResolved)) == 1


def test_whoever_is_killed_goes_on_where_it_was_and_nobody_is_told_twice() -> None:
    """The escalator is dead when its deadline passes; the notifier when a page is decided."""
    made = world()
    made.alert(ALERT)
    made.at(1 * MINUTE, lambda: made.kill("escalator"))
    made.at(15 * MINUTE, lambda: made.kill("notifier"))
    made.at(16 * MINUTE, lambda: made.restart("escalator"))
    made.at(17 * MINUTE, lambda: made.restart("notifier"))
    made.run_until(timedelta(minutes=30))
    assert [address for _, address in pages(made)] == ["#ada", "grace@example.com"]
    decided = of(made, ResponderPaged)[1]
    assert timedelta(minutes=16) <= decided <= timedelta(minutes=16, seconds=5)
    assert made.pages[1].at >= timedelta(minutes=17)
    assert made.broker.backlog == 0


def test_without_nats_nothing_is_taken_and_nothing_is_lost() -> None:
    made = world()
    made.kill("nats")
    sent = made.alert(ALERT)
    made.run_until(5 * MINUTE)
    assert sent.taken == 0
    assert made.log == []
    made.restart("nats")
    made.run_until(7 * MINUTE)
    assert sent.taken >= 1
    assert [address for _, address in pages(made)] == ["#ada"]


def test_two_replicas_of_each_share_the_work() -> None:
    made = world(replicas=2)
    for number in range(20):
        made.alert({**SHOP, "service": f"s{number}"})
    made.alert(SHOP)
    made.run_until(5 * MINUTE)
    assert len(of(made, IncidentOpened)) == 21
    assert len(pages(made)) == 21
    assert len(of(made, ActionClaimed)) == 1
    assert set(made.web.done.values()) == {1}


def test_a_channel_that_hangs_is_left_for_the_next_contact() -> None:
    made = world()
    made.inbox.receive("slack", Reception(fault="hangs"))
    made.alert(ALERT)
    made.run_until(MINUTE)
    assert [address for _, address in pages(made)] == ["ada@example.com"]
    assert made.pages[0].at <= timedelta(seconds=15)
    assert len(of(made, NotificationFailed)) == 1


def test_an_answer_that_is_lost_is_not_asked_for_twice_and_a_person_hears_of_it() -> None:
    made = world()
    made.web.answer("/restart", Behaviour(fault="lost"))
    made.alert(SHOP)
    made.run_until(10 * MINUTE)
    assert list(made.web.done.values()) == [1]
    assert of(made, ActionSucceeded) == []
    assert len(of(made, ActionOutcomeUnknown)) == 1
    assert pages(made) == [(0.0, "#ada"), (30.0, "grace@example.com")]  # the next level, and at once


def test_a_remediator_killed_in_the_middle_of_its_action_does_not_do_it_again() -> None:
    made = world()
    made.web.answer("/restart", Behaviour(takes=5.0))
    made.alert(SHOP)
    made.at(2 * SECOND, lambda: made.kill("remediator"))
    made.at(10 * SECOND, lambda: made.restart("remediator"))
    made.run_until(10 * MINUTE)
    assert list(made.web.done.values()) == [1]
    assert len(of(made, ActionClaimed)) == 1


def test_what_a_playbook_needs_of_secrets_is_not_read() -> None:
    """Its token is in a variable that is not set: in a rehearsal the message arrives all the same."""
    made = world()
    made.alert(ALERT)
    made.run_until(SECOND)
    assert pages(made) == [(0.0, "#ada")]


def test_a_service_that_dies_by_itself_is_a_bug_and_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(_: Audit) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Audit, "run", breaks)
    with pytest.raises(ServiceDiedError, match="escalator-1 has died: ZeroDivisionError"):
        world().run_until(SECOND)


def test_nobody_of_that_name_can_be_killed() -> None:
    with pytest.raises(LookupError, match="there is no escalater; there are detector-1"):
        world().kill("escalater")


def test_a_playbook_with_errors_is_refused() -> None:
    with pytest.raises(PlaybookError, match="no person 'nobody'"):
        World([PLAYBOOK.replace("person:grace", "person:nobody")])


def test_it_is_monday_morning_unless_it_is_told_otherwise() -> None:
    assert world().now == MONDAY
    night = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    made = world(start=night)
    made.alert(ALERT)
    made.run_until(MINUTE)
    assert made.log[0].time == night
    assert made.now == night + MINUTE
