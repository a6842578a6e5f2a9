"""Whatever comes, in whatever order and however often: what always holds of an incident."""

from collections import Counter
from datetime import timedelta

import pytest
from escalator_playbooks import MATRIX, STOREFRONT
from escalator_world import World, fired
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tocsin_escalator.core.incident import HELD, OVER, WAITING, Phase
from tocsin_escalator.core.policy import targets_of
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_schemas import DeadlineKind, Event, Impact, RunbookOutcome
from tocsin_schemas.commands import (
    Acknowledge,
    AddNote,
    AddResponder,
    Decline,
    Escalate,
    ReleaseSeverity,
    Reopen,
    Resolve,
    SetSeverity,
    StateImpact,
    TakeOver,
    Update,
)
from tocsin_schemas.events import (
    ActionOutcomeUnknown,
    ActionProposed,
    AlertGrouped,
    IncidentClosed,
    IncidentEscalated,
    IncidentReopened,
    IncidentResolved,
    NotificationFailed,
    ResponderPaged,
    RunbookFinished,
    SeverityChanged,
)

K = DeadlineKind
_WAITING = {K.ACKNOWLEDGE, K.ACKNOWLEDGE_SOON, K.RESOLVE, K.RESOLVE_SOON, K.ESCALATE, K.CONTACT, K.UPDATE}
_MAY_BE_OPEN = {
    Phase.NONE: set[DeadlineKind](),
    **dict.fromkeys(WAITING, _WAITING),
    **{phase: _WAITING - {K.ACKNOWLEDGE, K.ACKNOWLEDGE_SOON} for phase in HELD},
    Phase.MONITORING: {K.RESOLVE, K.RESOLVE_SOON, K.UPDATE, K.WATCH, K.CONTACT},
    **{phase: {K.CLOSE} for phase in OVER},
    Phase.CLOSED: set[DeadlineKind](),
}
_WAITS = st.sampled_from([0.0, 0.5, 3.0, 5.0, 14.9, 15.0, 31.0, 70.0, 400.0, 4000.0])
_ALERTS = st.sampled_from([("CheckoutErrors", "P1"), ("CheckoutErrors", "P0"), ("CheckoutLatency", "warning")])
_EPISODES = st.integers(0, 5)


class Lives(RuleBasedStateMachine):
    """Incidents of one group under everything that can come to them."""

    book: Rulebook = STOREFRONT

    @initialize()
    def begin(self) -> None:
        self.world = World(self.book)
        self.fire_alert(("CheckoutErrors", "P1"), 0)

    @rule(alert=_ALERTS, episode=_EPISODES)
    def fire_alert(self, alert: tuple[str, str], episode: int) -> None:
        message = fired(alert[0], alert[1], episode=f"{alert[0]}-{episode}")
        self.world.fire(message)
        assert self.world.fire(message) == (), "a renewal that says the same adds nothing"

    @rule(alert=_ALERTS, episode=_EPISODES)
    def end_alert(self, alert: tuple[str, str], episode: int) -> None:
        message = fired(alert[0], alert[1], episode=f"{alert[0]}-{episode}")
        self.world.end(message)
        assert self.world.end(message) == (), "an alert ends once"

    @rule(lasting=st.sampled_from([None, timedelta(seconds=10), timedelta(minutes=2)]))
    def acknowledge(self, lasting: timedelta | None) -> None:
        assert len(self.world.do(Acknowledge, lasting=lasting)) >= 1

    @rule(false_alarm=st.sampled_from([None, True]))
    def resolve(self, false_alarm: bool | None) -> None:
        assert len(self.world.do(Resolve, false_alarm=false_alarm)) >= 1

    @rule(by=st.sampled_from(["ada", "grace", "olga", "somebody"]))
    def take_over(self, by: str) -> None:
        assert len(self.world.do(TakeOver, by=by)) >= 1

    @rule(by=st.sampled_from(["ada", "grace", "olga", "somebody"]))
    def decline(self, by: str) -> None:
        assert len(self.world.do(Decline, by=by)) >= 1

    @rule(who=st.sampled_from(["person:ada", "person:lena", "team:shop", "schedule:primary", "person:nobody"]))
    def add_responder(self, who: str) -> None:
        assert len(self.world.do(AddResponder, target=who)) >= 1

    @rule(status=st.sampled_from([None, "investigating", "identified", "mitigating"]))
    def update(self, status: str | None) -> None:
        assert len(self.world.do(Update, text="we look", status=status)) >= 1

    @rule(share=st.sampled_from([0.0, 0.2, 0.6]), security=st.sampled_from([None, False, True]))
    def state_impact(self, share: float, security: bool | None) -> None:
        assert len(self.world.do(StateImpact, impact=Impact(users_affected=share, security=security))) >= 1

    @rule()
    def release_severity(self) -> None:
        assert len(self.world.do(ReleaseSeverity)) >= 1

    @rule()
    def reopen(self) -> None:
        assert len(self.world.do(Reopen)) >= 1

    @rule()
    def escalate(self) -> None:
        assert len(self.world.do(Escalate)) >= 1

    @rule(severity=st.sampled_from(["P0", "P2", "SEV1", "SEV4", "nonsense"]))
    def set_severity(self, severity: str) -> None:
        assert len(self.world.do(SetSeverity, severity=severity)) >= 1

    @rule()
    def note(self) -> None:
        assert len(self.world.do(AddNote, text="hm")) == 1

    @rule(outcome=st.sampled_from(RunbookOutcome), number=st.integers(0, 3))
    def finish_runbook(self, outcome: RunbookOutcome, number: int) -> None:
        self.world.report(RunbookFinished(runbook="r", outcome=outcome), message=f"runbook-{outcome}-{number}")

    @rule(number=st.integers(0, 3))
    def lose_an_outcome(self, number: int) -> None:
        unknown = ActionOutcomeUnknown(action="a", runbook="r", step="s", attempt=1, execution="x", reason="?")
        self.world.report(unknown, message=f"unknown-{number}")

    @rule(number=st.integers(0, 3))
    def propose(self, number: int) -> None:
        proposed = ActionProposed(action="a", runbook="r", step="s", description="d", target="t", needs_approval=True)
        self.world.report(proposed, message=f"proposed-{number}")

    @rule(which=st.integers(0, 20))
    def fail_a_page(self, which: int) -> None:
        pages = [event for event in self.world.events(ResponderPaged) if isinstance(event, ResponderPaged)]
        page = pages[which % len(pages)].page if pages else "none"
        failed = NotificationFailed(
            notification="n", page=page, channel="slack", recipient="person:ada", reason="gone", exhausted=True
        )
        self.world.report(failed, message=f"failed-{page}")

    @rule(seconds=_WAITS)
    def time_passes(self, seconds: float) -> None:
        self.world.advance(timedelta(seconds=seconds))

    @rule(seconds=_WAITS)
    def an_outage(self, seconds: float) -> None:
        self.world.sleep(timedelta(seconds=seconds))

    @rule()
    def a_deadline_rings_again(self) -> None:
        for incident, state in list(self.world.states.items()):
            for deadline in list(state.deadlines.values()):
                if deadline.due_at <= self.world.now and deadline.id in self.world.states[incident].deadlines:
                    assert self.world.ring(incident, deadline), "what is open and due has a consequence"
                assert self.world.ring(incident, deadline) == (), "and has it once"

    # --- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def nobody_is_paged_after_the_end(self) -> None:
        for events in self.logs():
            over = False
            for event in events:
                over = (over or isinstance(event, IncidentResolved)) and not isinstance(event, IncidentReopened)
                assert not (over and isinstance(event, ResponderPaged | IncidentEscalated))

    @invariant()
    def nothing_happens_in_an_incident_after_it_was_closed_but_a_rejection(self) -> None:
        for events in self.logs():
            names = [type(event).__name__ for event in events]
            if IncidentClosed.__name__ in names:
                assert set(names[names.index(IncidentClosed.__name__) + 1 :]) <= {"CommandRejected"}

    @invariant()
    def deadlines_are_open_only_where_something_can_follow(self) -> None:
        for state in self.world.states.values():
            assert {deadline.kind for deadline in state.deadlines.values()} <= _MAY_BE_OPEN[state.phase]
            assert sum(deadline.place is not None for deadline in state.deadlines.values()) <= 1

    @invariant()
    def an_incident_is_never_forgotten(self) -> None:
        for state in self.world.states.values():
            kinds = {deadline.kind for deadline in state.deadlines.values()}
            if state.phase in WAITING:
                plan = self.book.plan(state.severity)
                assert plan is not None
                assert state.severity_since is not None
                left = {
                    target
                    for step in plan.after(state.reached)
                    for target in targets_of(step, self.book, state.severity_since)
                }
                assert state.escalation is not None or left <= {page.target for page in state.pages.values()}
            elif state.phase is Phase.MONITORING:
                assert K.WATCH in kinds
                assert not state.firing
            elif state.phase in OVER:
                assert K.CLOSE in kinds

    @invariant()
    def each_place_of_the_plan_is_told_once_for_a_severity(self) -> None:
        for events in self.logs():
            told: Counter[tuple[int, int]] = Counter()
            for event in events:
                if isinstance(event, SeverityChanged | IncidentReopened):
                    told.clear()
                elif isinstance(event, IncidentEscalated):
                    told[event.round, event.level] += 1
                    assert told[event.round, event.level] == 1

    @invariant()
    def pages_can_be_told_apart(self) -> None:
        pages = [event.page for events in self.logs() for event in events if isinstance(event, ResponderPaged)]
        assert len(pages) == len(set(pages))

    @invariant()
    def one_firing_belongs_to_one_incident(self) -> None:
        owners: dict[tuple[str, str], str] = {}
        for incident, events in self.world.log.items():
            for envelope in events:
                if isinstance(envelope.data, AlertGrouped):
                    key = (envelope.data.alert.fingerprint, envelope.data.alert.episode)
                    assert owners.setdefault(key, incident) == incident

    @invariant()
    def the_state_is_the_fold_of_the_log(self) -> None:
        for incident, state in self.world.states.items():
            assert self.world.rebuilt(incident) == state

    def logs(self) -> list[list[Event]]:
        return [[envelope.data for envelope in events] for events in self.world.log.values()]


class MatrixLives(Lives):
    """The same, where nobody is paged at once."""

    book = MATRIX


_SETTINGS = settings(
    max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLives = Lives.TestCase
TestLives.settings = _SETTINGS
TestMatrixLives = MatrixLives.TestCase
TestMatrixLives.settings = _SETTINGS


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_alert_messages_in_any_order_and_however_often_lead_to_the_same_alerts(data: st.DataObject) -> None:
    """One alert keeps the incident open; what comes of the others does not depend on the order of their messages."""
    alerts = [fired(rule, "P1", episode=f"{rule}-{n}") for rule in ("A", "B") for n in range(2)]
    messages = [(kind, alert) for alert in alerts for kind in ("fired", "ended")]
    chosen = messages + data.draw(st.lists(st.sampled_from(messages), max_size=6))
    world = World(STOREFRONT)
    world.fire(fired("Base", "P1"))
    for kind, alert in data.draw(st.permutations(chosen)):
        (world.fire if kind == "fired" else world.end)(alert)
    assert world.state.phase is Phase.TRIGGERED
    assert [firing.rule for firing in world.state.firing.values()] == ["Base"]
    assert len(world.state.ended) == len(alerts)
    assert len(world.log) == 1


def test_the_machine_can_fail() -> None:
    """A page after the resolution is noticed by the invariant that forbids it."""
    machine = Lives()
    machine.begin()
    machine.resolve(None)
    page = next(
        envelope for envelope in machine.world.log[machine.world.incident] if isinstance(envelope.data, ResponderPaged)
    )
    machine.world.log[machine.world.incident].append(page)
    with pytest.raises(AssertionError):
        machine.nobody_is_paged_after_the_end()
