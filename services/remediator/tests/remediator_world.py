"""An incident's log in memory, and playbooks to decide it by: given these facts, what is the next move?"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin_playbook import Playbook, load
from tocsin_remediator.core.incident import Incident, evolve
from tocsin_remediator.core.moves import Claiming, Ended, Here, Move, Policy, Say, Trigger, Verify, Wait
from tocsin_remediator.core.plan import next_move
from tocsin_schemas import Actor, Envelope, Event, GroupedAlert, Labels, PlaybookRef, caused_by
from tocsin_schemas.events import (
    ActionFailed,
    ActionOutcomeUnknown,
    ActionSucceeded,
    AlertGrouped,
    IncidentOpened,
    VerificationFailed,
    VerificationPassed,
)
from tocsin_schemas.ids import derive_id

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
SYSTEM = Actor.system("escalator")
ADA = Actor.person("ada", "cli")
GRACE = Actor.person("grace", "cli")
EVE = Actor.person("eve", "cli")
REF = PlaybookRef(name="shop", revision="0" * 12)
HERE = Here("replica-a")

TWO_STEPS = """
    - name: failing
      when: "incident.labels.service == 'checkout'"
      steps:
        - name: clear-cache
          http: {url: "http://127.0.0.1:1/clear"}
          timeout: 2s
          verify: {http: {url: "http://127.0.0.1:1/health"}, within: 3s}
          on_failure: failover
        - name: failover
          http: {url: "http://127.0.0.1:1/failover"}
          timeout: 2s
          verify: {http: {url: "http://127.0.0.1:1/health"}, within: 3s}
"""


def playbook_text(runbooks: str = TWO_STEPS, *, rest: str = "", remediate: str = "", oncall: str = "") -> str:
    """A playbook of four severities: automatic, approve, off, and automatic again."""
    return f"""
apiVersion: tocsin/v1
kind: Playbook
metadata: {{name: shop}}
severities:
  - {{name: P0, automation: automatic}}
  - {{name: P1, automation: automatic}}
  - {{name: P2, automation: approve}}
  - {{name: P3, automation: "off"}}
oncall:
  people:
    - {{name: ada, access: commander, contacts: [{{channel: chat, address: ada}}]}}
    - {{name: grace, contacts: [{{channel: chat, address: grace}}]}}
    - {{name: eve, access: viewer, contacts: [{{channel: chat, address: eve}}]}}
  teams: [{{name: shop, members: [ada, grace]}}]
  {oncall}
communicate:
  channels: [{{name: chat, console: {{}}}}]
{rest}
remediate:
{remediate}
  runbooks:{runbooks}
"""


def playbook(runbooks: str = TWO_STEPS, *, rest: str = "", remediate: str = "", oncall: str = "") -> Playbook:
    return load(playbook_text(runbooks, rest=rest, remediate=remediate, oncall=oncall)).playbook


def step(text: str, *, more: str = "", name: str = "only") -> str:
    """A runbook for every incident, with one step (and `more` of them)."""
    return f"""
    - name: book
      when: "true"
      steps:
        - {{name: {name}, {text}}}
{more}"""


def opened(severity: str = "P1", **labels: str) -> IncidentOpened:
    return IncidentOpened(
        group_key="g",
        episode=0,
        title="checkout fails",
        severity=severity,
        labels=Labels(labels or {"service": "checkout"}),
        playbook=REF,
        started_at=T0,
    )


def grouped(rule: str, fingerprint: str = "0" * 16) -> AlertGrouped:
    alert = GroupedAlert(fingerprint=fingerprint, episode="e", rule=rule, labels=Labels(), starts_at=T0)
    return AlertGrouped(alert=alert)


@dataclass
class World:
    """One incident as everybody sees it. Time stands still until it is moved."""

    playbook: Playbook = field(default_factory=playbook)
    policy: Policy = field(default_factory=Policy)
    now: datetime = T0
    log: list[Envelope[Event]] = field(default_factory=list)
    state: Incident = field(default_factory=lambda: Incident("inc"))

    def tell(self, event: Event, cause: str = "") -> Envelope[Event]:
        """Somebody states this."""
        cause = cause or derive_id("test", len(self.log))
        envelope = caused_by(cause, 0, event.OWNER, "inc", self.now, event).at(len(self.log) + 1)
        self.log.append(envelope)
        self.state = evolve(self.state, envelope)
        return envelope

    def begin(self, severity: str = "P1", **labels: str) -> "World":
        """The incident is opened."""
        self.tell(opened(severity, **labels))
        return self

    @property
    def trigger(self) -> Trigger:
        """The newest event of the escalator, as one that may start a runbook."""
        newest = next(event for event in reversed(self.log) if event.data.OWNER == "escalator")
        return Trigger(newest.id, newest.time, may_start=True)

    def next(self, here: Here = HERE, **trigger: Any) -> Move:
        return next_move(self.state, self.playbook, self.policy, here, replace(self.trigger, **trigger), self.now)

    def pass_time(self, seconds: float) -> "World":
        self.now += timedelta(seconds=seconds)
        return self

    def make(self, move: Move) -> tuple[Event, ...]:
        """Write down what a move says, or what it claims."""
        match move:
            case Say(cause, events):
                for position, event in enumerate(events):
                    envelope = caused_by(cause, position, "remediator", "inc", self.now, event).at(len(self.log) + 1)
                    self.log.append(envelope)
                    self.state = evolve(self.state, envelope)
                return events
            case Claiming(cause, event):
                self.tell(event, cause)
                return (event,)
            case _:
                raise AssertionError(f"{move} says nothing")

    def until_it_rests(self, here: Here = HERE) -> Move:
        """Say what is to be said until something else is to be done."""
        for _ in range(50):
            move = self.next(here)
            if not isinstance(move, Say):
                return move
            self.make(move)
        raise AssertionError("it talks for ever")

    def claim(self, here: Here = HERE) -> Claiming:
        """Go on to the next claim and make it."""
        move = self.until_it_rests(here)
        assert isinstance(move, Claiming), move
        self.make(move)
        return move

    def ended(self, result: str = "succeeded", reason: str = "because") -> Ended:
        """The open claim ends so."""
        track = next(track for track in self.state.tracks if track.current and track.current.open_claim)
        action = track.current
        assert action is not None
        claim = action.open_claim
        assert claim is not None
        common: dict[str, Any] = {
            "action": action.id,
            "runbook": track.runbook,
            "step": action.step,
            "attempt": claim.attempt,
            "execution": claim.execution,
        }
        said: Ended
        match result:
            case "succeeded":
                said = ActionSucceeded(**common)
            case "failed":
                said = ActionFailed(**common, reason=reason)
            case _:
                said = ActionOutcomeUnknown(**common, reason=reason)
        self.tell(said, claim.mark.id)
        return said

    def verified(self, *, helped: bool) -> None:
        """The verification that is due ends so."""
        move = self.until_it_rests()
        assert isinstance(move, Verify), move
        model = VerificationPassed if helped else VerificationFailed
        said = model(action=move.action.id, runbook=move.track.runbook, step=move.action.step)
        self.tell(said, move.action.last.id)

    @property
    def said(self) -> list[str]:
        """The names of what the remediator has stated."""
        return [type(event.data).__name__ for event in self.log if event.data.OWNER == "remediator"]

    @property
    def last(self) -> Any:
        """The last event."""
        return self.log[-1].data

    def waits(self) -> Wait:
        move = self.until_it_rests()
        assert isinstance(move, Wait), move
        return move
