"""The escalator's pure core: decisions a second on one core, with 1,000 open incidents.

A decision is one input decided on and what follows folded into the state. The mix is that of a storm: most
inputs are renewals of alerts that are known, some are new alerts of known groups, outcomes, commands and timers.
The event ids are not derived here: that is the shell's work, measured end to end by `latency`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.figures import Figure, spread_of
from tocsin_escalator.core.fold import EscalatorFold
from tocsin_escalator.core.grouping import group_of
from tocsin_escalator.core.incident import IncidentState, empty
from tocsin_escalator.core.on_alert import Slot, decide_alert_fired
from tocsin_escalator.core.on_command import decide_command
from tocsin_escalator.core.on_outcome import decide_outcome
from tocsin_escalator.core.on_timer import decide_timer
from tocsin_escalator.core.rulebook import Rulebook, make_rulebook
from tocsin_playbook import load
from tocsin_schemas import Actor, Envelope, Event, Labels, PlaybookRef
from tocsin_schemas.commands import AddNote
from tocsin_schemas.events import AlertFired, NotificationDelivered
from tocsin_schemas.ids import fingerprint, incident_id

INCIDENTS = 1_000
INPUTS = 60_000
RUNS = 5
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)

PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: bench}
severities:
  - {name: P0, acknowledge_within: 15m, resolve_within: 1h, update_every: 30m}
  - {name: P1, acknowledge_within: 30m, resolve_within: 4h, update_every: 30m}
group: {by: [service]}
oncall:
  people:
    - {name: ada, contacts: [{channel: slack, address: "#incidents"}]}
    - {name: grace, contacts: [{channel: slack, address: "#incidents"}]}
escalate:
  - severities: [P0, P1]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 15m, notify: ["person:grace"]}
communicate:
  channels:
    - {name: slack, slack: {token: {env: TOKEN}}}
"""

Decision = Callable[[IncidentState], Sequence[Event]]


@dataclass(slots=True)
class Incident:
    name: str
    alert: AlertFired
    slot: Slot
    state: IncidentState


def measure() -> list[Figure]:
    """The mix in several runs, and each kind of input by itself."""
    mixed, cpu = [], []
    for run in range(RUNS):
        rate, used = _run(_MIX, run)
        mixed.append(rate)
        cpu.append(used)
    figures = [
        spread_of("decisions a second, mixed, 1,000 open incidents", mixed, "/s", target=50_000.0, side="at least"),
        spread_of("CPU seconds of 60,000 mixed decisions", cpu, "s"),
    ]
    for name in dict.fromkeys(_MIX):
        rates = [_run((name,), run)[0] for run in range(3)]
        figures.append(spread_of(f"decisions a second, {name} only", rates, "/s"))
    return figures


# Of twenty inputs: fourteen renewals, three new alerts, one receipt, one note, one alarm clock that finds nothing due.
_MIX = ("renewal",) * 14 + ("new alert",) * 3 + ("receipt", "note", "alarm clock")


def _run(mix: Sequence[str], run: int) -> tuple[float, float]:
    book, incidents = _open_incidents()
    inputs = [_input(mix[n % len(mix)], incidents[(n * 7919 + run) % INCIDENTS], n, book) for n in range(INPUTS)]
    fold = EscalatorFold()
    began, cpu = time.perf_counter(), time.process_time()
    for incident, decision in inputs:
        for event in decision(incident.state):
            incident.state = fold.evolve(incident.state, _wrapped(incident.name, event))
    return INPUTS / (time.perf_counter() - began), time.process_time() - cpu


def _input(kind: str, incident: Incident, number: int, book: Rulebook) -> tuple[Incident, Decision]:
    now = NOW + timedelta(seconds=1)
    match kind:
        case "renewal":
            alert, slot = incident.alert, incident.slot
            return incident, lambda state: decide_alert_fired(state, alert, slot, book, now)
        case "new alert":
            fresh, slot = _alert(incident.alert.labels["service"], f"host{number}"), incident.slot
            return incident, lambda state: decide_alert_fired(state, fresh, slot, book, now)
        case "receipt":
            receipt = NotificationDelivered(notification="n", channel="slack", recipient="person:ada")
            return incident, lambda state: decide_outcome(state, receipt, book, now)
        case "note":
            note = AddNote(incident=incident.name, by=Actor.person("ada", "cli"), text="looking")
            return incident, lambda state: decide_command(state, note, book, now)
        case _:
            return incident, lambda state: decide_timer(state, "no such deadline", book, now)


def _open_incidents() -> tuple[Rulebook, list[Incident]]:
    loaded = load(PLAYBOOK)
    book = make_rulebook(PlaybookRef(name="bench", revision=loaded.revision), loaded.playbook)
    fold, made = EscalatorFold(), []
    for number in range(INCIDENTS):
        alert = _alert(f"service{number}", "host")
        group = group_of(alert, book)
        name = incident_id(group.key, 0)
        slot = Slot(group, 0, name)
        state = empty(name)
        for event in decide_alert_fired(state, alert, slot, book, NOW):
            state = fold.evolve(state, _wrapped(name, event))
        made.append(Incident(name, alert, slot, state))
    return book, made


def _wrapped(incident: str, event: Event) -> Envelope[Event]:
    return Envelope("id", "tocsin/escalator", NOW, event, incident)


def _alert(service: str, host: str) -> AlertFired:
    labels = Labels(alertname="Broken", service=service, host=host)
    return AlertFired(
        fingerprint=fingerprint(labels),
        episode=f"episode-{host}",
        rule="Broken",
        labels=labels,
        source="bench",
        severity="P1",
        starts_at=NOW,
    )
