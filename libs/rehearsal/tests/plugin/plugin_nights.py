"""Playbooks, and recordings of what happened under them in virtual worlds."""

from collections.abc import Callable
from datetime import timedelta

from tocsin_rehearsal.outside.web import Behaviour
from tocsin_rehearsal.recorded import Recording, recorded_from
from tocsin_rehearsal.recording.format import Recorded, exact_time
from tocsin_rehearsal.staging import Stage
from tocsin_rehearsal.world import World
from tocsin_schemas import Actor, Command, Payload, caused_by, encode
from tocsin_schemas.commands import Acknowledge, AcknowledgeAlert, ApproveAction, Resolve
from tocsin_schemas.events import ActionProposed, AlertFired
from tocsin_schemas.moments import format_moment
from tocsin_schemas.subjects import command_subject

SHOP = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities:
  - {name: P1, acknowledge_within: 5m, automation: automatic}
  - {name: P2, automation: approve}
group: {by: [service], reopen_within: 5m, watch_for: 1m}
oncall:
  people:
    - {name: ada, contacts: [{channel: terminal, address: ada}]}
    - {name: grace, contacts: [{channel: terminal, address: grace}]}
escalate:
  - severities: [P1, P2]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 10m, notify: ["person:grace"]}
remediate:
  runbooks:
    - name: checkout
      when: incident.labels.service == 'checkout'
      steps:
        - name: clear-cache
          http: {method: POST, url: "https://shop.example/clear"}
          verify:
            http: {url: "https://shop.example/health", expect: {json: {checks.database: ok}, contains: ok}}
            within: 10s
          undo:
            on: failure
            http: {method: POST, url: "https://shop.example/unclear"}
          on_failure: fail-over
        - name: fail-over
          http:
            method: POST
            url: "https://shop.example/failover"
            probe: {url: "https://shop.example/executions/{execution_id}"}
          timeout: 5s
communicate:
  channels: [{name: terminal, console: {}}]
"""

CHECKOUT = {"alertname": "CheckoutErrors", "service": "checkout", "severity": "P1"}
ADA = Actor.person("ada", "cli")
OK = Behaviour(body='{"checks": {"database": "ok"}}')


def minutes(amount: float) -> timedelta:
    return timedelta(minutes=amount)


def shop(stage: Stage) -> World:
    return stage.make_world(text=SHOP)


def a_night(
    stage: Stage,
    *,
    labels: dict[str, str] = CHECKOUT,
    lasts: timedelta = timedelta(minutes=20),
    prepare: Callable[[World], object] = lambda world: None,
) -> Recording:
    """One alert in a world, recorded."""
    world = shop(stage)
    prepare(world)
    world.at(minutes(1), lambda: world.alert(labels, lasts=lasts))
    world.run_until(minutes(60))
    return Recording(recorded_from(world))


def ask(world: World, command: type[Acknowledge] | type[Resolve]) -> None:
    """About the incident that was opened last."""
    order: Command = command(incident=world.incidents[-1].incident, by=ADA)
    world.command(order, by="ada")


def approve(world: World) -> None:
    """The action that was proposed last."""
    event = [event for event in world.log if isinstance(event.data, ActionProposed)][-1]
    proposed: Payload = event.data
    assert isinstance(proposed, ActionProposed)
    world.command(ApproveAction(incident=event.incident, by=ADA, action=proposed.action), by="ada")


def acknowledge_alert(world: World) -> Recorded:
    """Acknowledge by its alert what was told of last; the answer is the command, as who listens records it."""
    alert = world.alerts[-1].data
    assert isinstance(alert, AlertFired)
    about = AcknowledgeAlert(
        fingerprint=alert.fingerprint, episode=alert.episode, rule=alert.rule, labels=alert.labels, by=ADA
    )
    subject, sent = command_subject(AcknowledgeAlert), caused_by("asked", 0, "detector", "", world.now, about)
    world.send(subject, sent)
    headers, body = encode(sent)
    return Recorded("COMMANDS", 1, exact_time(format_moment(world.now)), subject, tuple(headers.items()), body)
