"""The handlers on a real log: which incident an alert goes to, redelivery, lost races, replicas, the audit."""

from datetime import timedelta

import pytest
from escalator_playbooks import STOREFRONT, STOREFRONT_TEXT
from escalator_shell import EVERY, MovableClock, Shell, ShelvedPlaybooks
from escalator_world import START, ended, fired, person

from tocsin_escalator.core.grouping import group_of
from tocsin_escalator.core.incident import Phase
from tocsin_escalator.handlers import (
    LONGEST_WAIT,
    OVERTAKEN_FOR,
    OVERTAKEN_PAUSES,
    AlertNotTakenError,
    UnknownIncidentError,
)
from tocsin_runtime import BusUnavailableError, Connection
from tocsin_schemas import PlaybookRef, RunbookOutcome, TimerDue
from tocsin_schemas.commands import Acknowledge, AddNote, ApproveAction, Resolve
from tocsin_schemas.events import AlertFired, AlertResolved, IncidentOpened, ResponderPaged, RunbookFinished
from tocsin_schemas.ids import incident_id

KEY = group_of(fired(), STOREFRONT).key
FIRST, SECOND, THIRD = (incident_id(KEY, number) for number in range(3))
WINDOW = 60.0
"""Seconds within which the storefront's incidents are reopened."""


def alert(shell: Shell, episode: str = "e1", severity: str = "P1") -> AlertFired:
    return fired(severity=severity, episode=episode, at=shell.clock.now())


async def close_first(shell: Shell) -> None:
    """Open the first incident, resolve it, let it close."""
    await shell.handle(alert(shell))
    await shell.handle(Resolve(incident=FIRST, by=person("ada")))
    shell.clock.move(WINDOW)
    await shell.ring(tries=2)
    assert (await shell.said(FIRST))[-1] == "IncidentClosed"


# --- alerts -----------------------------------------------------------------------------------------------------------


async def test_an_alert_opens_an_incident_and_its_alarm_clocks_are_set(shell: Shell) -> None:
    assert await shell.handle(alert(shell)) == [None]
    assert await shell.said(FIRST) == [
        "IncidentOpened",
        "AlertGrouped",
        "DeadlineSet",
        "DeadlineSet",
        "DeadlineSet",
        "ResponderPaged",
        "DeadlineSet",
    ]
    offsets = sorted((at - START).total_seconds() for at in shell.shelf.armed.values())
    assert offsets == [15, 20, 60, 900]


async def test_a_batch_of_alerts_of_many_groups_is_decided_whole(shell: Shell) -> None:
    alerts = [fired(severity="P1", service=f"s{number % 20}", pod=f"{number}") for number in range(100)]
    await shell.handle(*alerts)
    for number in range(20):
        incident = incident_id(group_of(alerts[number], STOREFRONT).key, 0)
        said = await shell.said(incident)
        assert (said.count("IncidentOpened"), said.count("AlertGrouped"), said.count("ResponderPaged")) == (1, 5, 1)


async def test_the_same_message_twice_changes_nothing(shell: Shell) -> None:
    message = shell.envelope(alert(shell))
    await shell.deliver([message, message])
    before = await shell.log.load(FIRST)
    await shell.deliver([message])
    assert await shell.log.load(FIRST) == before


async def test_what_was_decided_before_a_crash_is_not_decided_again_but_its_clocks_are_set(
    shell: Shell, connection: Connection, playbooks: ShelvedPlaybooks, clock: MovableClock
) -> None:
    message = shell.envelope(alert(shell))
    shell.shelf.broken = True
    with pytest.raises(BusUnavailableError):
        await shell.deliver([message])
    before = await shell.log.load(FIRST)
    assert len(before) == 7

    after_the_crash = Shell(connection, playbooks, clock)
    assert await after_the_crash.deliver([message], tries=2) == [None]
    assert await shell.log.load(FIRST) == before
    # What is due before the next audit; the audit sets the clock of the resolution target in time.
    assert sorted((at - START).total_seconds() for at in after_the_crash.shelf.armed.values()) == [15, 20, 60, 900]


async def test_renewals_change_nothing_with_and_without_the_index(shell: Shell) -> None:
    await shell.handle(alert(shell))
    before = await shell.log.load(FIRST)
    await shell.handle(alert(shell))
    await shell.follow(FIRST)
    assert shell.index.incident_of((fired().fingerprint, "e1")) == FIRST  # type: ignore[arg-type]  # equal as a tuple
    await shell.handle(alert(shell))
    assert await shell.log.load(FIRST) == before


async def test_a_renewal_of_an_alert_that_a_person_resolved_opens_no_incident_however_late(shell: Shell) -> None:
    await close_first(shell)
    for _ in range(3):
        shell.clock.move(600)
        await shell.handle(fired(severity="P1", episode="e1"))
    assert await shell.said(SECOND) == []


async def test_another_episode_after_the_window_opens_the_next_incident(shell: Shell) -> None:
    await close_first(shell)
    await shell.handle(alert(shell, "e2"))
    opened = (await shell.events(SECOND))[0]
    assert isinstance(opened, IncidentOpened)
    assert (opened.episode, opened.previous) == (1, FIRST)


async def test_another_episode_within_the_window_reopens(shell: Shell) -> None:
    await shell.handle(alert(shell))
    await shell.handle(Resolve(incident=FIRST, by=person("ada")))
    shell.clock.move(WINDOW - 1)
    await shell.handle(alert(shell, "e2"))
    assert "IncidentReopened" in await shell.said(FIRST)
    assert await shell.said(SECOND) == []


async def test_a_message_of_an_earlier_incident_that_comes_again_late_finds_its_incident(shell: Shell) -> None:
    first = shell.envelope(alert(shell))
    await shell.deliver([first])
    await shell.handle(Resolve(incident=FIRST, by=person("ada")))
    shell.clock.move(WINDOW)
    await shell.ring(tries=2)
    await shell.handle(alert(shell, "e2"))
    await shell.follow(FIRST, SECOND)
    before = await shell.log.load(SECOND)
    await shell.deliver([first], tries=2)
    assert await shell.log.load(SECOND) == before
    assert await shell.said(THIRD) == []


async def test_the_end_of_an_alert_of_an_earlier_incident_is_not_taken_for_an_unknown_one(shell: Shell) -> None:
    await close_first(shell)
    await shell.handle(alert(shell, "e2"))
    before = await shell.log.load(SECOND)
    assert await shell.handle(ended(fired(severity="P1", episode="e1"))) == [None]
    assert await shell.log.load(SECOND) == before


async def test_the_end_of_an_unknown_alert_waits_for_its_beginning(shell: Shell) -> None:
    gone = ended(alert(shell))
    assert await shell.handle(gone, name="end") == [OVERTAKEN_PAUSES[0]]
    assert await shell.handle(gone, name="end", tries=2) == [OVERTAKEN_PAUSES[1]]
    await shell.handle(alert(shell))
    assert await shell.handle(gone, name="end", tries=3) == [None]
    assert (await shell.said(FIRST))[-3:] == ["AlertCleared", "IncidentMonitoring", "DeadlineSet"]


async def test_an_end_without_a_beginning_is_given_up_in_the_end_and_opens_nothing(shell: Shell) -> None:
    tries, hour = len(OVERTAKEN_PAUSES) + 1, OVERTAKEN_FOR.total_seconds()
    assert await shell.handle(ended(alert(shell)), tries=tries, age=hour) == [OVERTAKEN_PAUSES[-1]]
    assert await shell.handle(ended(alert(shell)), tries=tries, age=hour + 1) == [None]
    assert await shell.said(FIRST) == []


async def test_an_end_whose_beginning_waits_for_the_log_still_ends_the_incident(shell: Shell) -> None:
    tries = 2 * len(OVERTAKEN_PAUSES)
    assert await shell.handle(ended(alert(shell)), name="end", tries=tries, age=600) == [OVERTAKEN_PAUSES[-1]]
    await shell.handle(alert(shell))
    assert await shell.handle(ended(alert(shell)), name="end", tries=tries + 1, age=610) == [None]
    assert "IncidentMonitoring" in await shell.said(FIRST)


async def test_an_end_that_has_waited_in_vain_is_remembered_where_its_group_has_an_incident(shell: Shell) -> None:
    await shell.handle(alert(shell))
    late = fired("CheckoutLatency", "P2", episode="l1", at=shell.clock.now())
    await shell.handle(ended(late), tries=len(OVERTAKEN_PAUSES) + 1)
    await shell.handle(late)
    assert (await shell.said(FIRST))[-1] == "AlertCleared"


async def test_a_new_text_of_the_playbook_does_not_split_an_incident(shell: Shell, playbooks: ShelvedPlaybooks) -> None:
    await shell.handle(alert(shell))
    await shell.follow(FIRST)
    playbooks.publish(STOREFRONT_TEXT.replace("by: [service]", "by: [service, alertname]"))
    await shell.handle(alert(shell))
    await shell.handle(ended(alert(shell)))
    assert "IncidentMonitoring" in await shell.said(FIRST)


async def test_without_any_playbook_an_alert_waits(connection: Connection, clock: MovableClock) -> None:
    playbooks = ShelvedPlaybooks()
    shell = Shell(connection, playbooks, clock)
    assert shell.handlers.rulebooks.problem() == "no playbook has been published"
    assert await shell.handle(alert(shell), name="a") == [2.0]
    playbooks.publish(STOREFRONT_TEXT)
    assert shell.handlers.rulebooks.problem() is None
    assert await shell.handle(alert(shell), name="a", tries=2) == [None]
    assert (await shell.said(FIRST))[0] == "IncidentOpened"


async def test_an_alert_of_a_playbook_that_is_not_published_waits_a_little_and_is_taken_by_the_first(
    shell: Shell,
) -> None:
    named = alert(shell).model_copy(update={"playbook": PlaybookRef(name="new", revision="0" * 12)})
    assert await shell.handle(named, name="n") == [2.0]
    assert await shell.handle(named, name="n", tries=len(OVERTAKEN_PAUSES) + 1) == [None]
    assert (await shell.said(FIRST))[0] == "IncidentOpened"


async def test_what_is_no_alert_is_refused(shell: Shell) -> None:
    with pytest.raises(TypeError, match="not an alert"):
        await shell.handlers.on_alerts(
            [shell._delivery(shell.envelope(TimerDue(incident="a", deadline="d", due_at=START)), None, 1)]
        )  # type: ignore[arg-type]  # never answered


async def test_an_alert_that_no_incident_has_taken_is_a_mistake_of_ours_and_is_not_lost(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin_escalator.handlers.decide_alert_fired", lambda *_: ())
    with pytest.raises(AlertNotTakenError):
        await shell.handle(alert(shell))


# --- two replicas -----------------------------------------------------------------------------------------------------


@pytest.fixture
def other(connection: Connection, playbooks: ShelvedPlaybooks, clock: MovableClock) -> Shell:
    return Shell(connection, playbooks, clock)


async def test_two_replicas_open_one_incident(shell: Shell, other: Shell) -> None:
    await other.handle(ended(alert(other)))  # has read that there is no incident
    await shell.handle(alert(shell))
    await other.handle(fired("CheckoutLatency", "P2", at=START))
    said = await shell.said(FIRST)
    assert (said.count("IncidentOpened"), said.count("AlertGrouped")) == (1, 2)


async def test_a_replica_that_missed_a_reopening_does_not_open_a_second_incident(shell: Shell, other: Shell) -> None:
    await shell.handle(alert(shell))
    await other.handle(Resolve(incident=FIRST, by=person("ada")))  # the last that `other` has read
    shell.clock.move(WINDOW - 1)
    await shell.handle(alert(shell, "e2"))  # reopens
    shell.clock.move(1800)
    await other.handle(fired("CheckoutLatency", "P2", at=shell.clock.now()))
    assert await shell.said(SECOND) == []
    assert (await shell.said(FIRST))[-1] == "AlertGrouped"


async def test_a_deadline_that_rings_at_two_replicas_is_decided_once(shell: Shell, other: Shell) -> None:
    await shell.handle(alert(shell))
    other.shelf.armed = dict(shell.shelf.armed)
    shell.clock.move(15)
    await other.handle(AddNote(incident=FIRST, by=person("ada"), text="both have read it"))
    await shell.ring()
    await other.ring()
    assert (await shell.said(FIRST)).count("IncidentEscalated") == 1


async def test_a_deadline_that_another_replica_has_set_is_found(shell: Shell, other: Shell) -> None:
    await shell.handle(alert(shell))
    await other.handle(AddNote(incident=FIRST, by=person("ada"), text="the last that this one has read"))
    shell.clock.move(15)
    await shell.ring()  # the next level is due in another 15 seconds
    other.shelf.armed = dict(shell.shelf.armed)
    shell.clock.move(15)
    await other.ring()
    assert (await shell.said(FIRST)).count("IncidentEscalated") == 2


# --- deadlines --------------------------------------------------------------------------------------------------------


async def test_a_clock_that_rings_early_is_heard_when_it_is_time(shell: Shell) -> None:
    await shell.handle(alert(shell))
    ((incident, deadline), due_at) = min(shell.shelf.armed.items(), key=lambda each: each[1])
    timer = TimerDue(incident=incident, deadline=deadline, due_at=due_at)
    shell.clock.move(14.5)
    assert await shell.handle(timer) == [0.5]
    shell.clock.move(-3600)
    assert await shell.handle(timer) == [LONGEST_WAIT.total_seconds()]  # a clock that was set is set right again
    shell.clock.move(3600.5)
    assert await shell.handle(timer) == [None]
    assert "IncidentEscalated" in await shell.said(FIRST)


async def test_a_clock_of_an_incident_that_does_not_exist_is_ignored(shell: Shell) -> None:
    assert await shell.handle(TimerDue(incident="nowhere", deadline="d", due_at=START)) == [None]


async def test_after_an_outage_what_has_queued_up_is_heard_before_a_late_deadline(shell: Shell) -> None:
    await shell.handle(alert(shell))
    shell.clock.move(3600)
    clocks = [TimerDue(incident=i, deadline=d, due_at=at) for (i, d), at in shell.shelf.armed.items()]
    assert await shell.handle(*clocks) == [1.0] * 4
    await shell.handle(alert(shell, episode="e2"), age=3000)
    assert await shell.handle(*clocks, tries=2) == [0.5] * 4  # there may be more in the queue
    await shell.handle(Resolve(incident=FIRST, by=person("ada")), age=3000)
    assert await shell.handle(*clocks, tries=3) == [None] * 4
    said = await shell.said(FIRST)
    assert said.count("ResponderPaged") == 1
    assert said[-2:] == ["IncidentResolved", "DeadlineSet"]


async def test_clocks_that_the_audit_sets_in_time_are_not_set_before(
    connection: Connection, playbooks: ShelvedPlaybooks
) -> None:
    clock = MovableClock()
    shell = Shell(connection, playbooks, clock, every=EVERY)
    await shell.handle(alert(shell))
    assert sorted((at - START).total_seconds() for at in shell.shelf.armed.values()) == [15, 20, 60]
    await shell.follow(FIRST)
    clock.move(785)
    await shell.audit.once()
    assert 900 in {(at - START).total_seconds() for at in shell.shelf.armed.values()}


async def test_a_late_deadline_is_not_put_off_for_ever(shell: Shell) -> None:
    await shell.handle(alert(shell))
    timers = [TimerDue(incident=i, deadline=d, due_at=at) for (i, d), at in shell.shelf.armed.items()]
    shell.clock.move(3600)
    await shell.handle(alert(shell), age=3000)  # old alerts keep coming in
    assert set(await shell.handle(*timers, tries=10)) == {0.5}
    assert set(await shell.handle(*timers, tries=11)) == {None}
    assert "IncidentEscalated" in await shell.said(FIRST)


async def test_what_is_no_clock_is_refused(shell: Shell) -> None:
    with pytest.raises(TypeError, match="not an alarm clock"):
        await shell.handlers.on_timers([shell._delivery(shell.envelope(alert(shell)), None, 1)])  # type: ignore[arg-type]  # never answered


# --- the audit --------------------------------------------------------------------------------------------------------


async def test_the_audit_does_what_a_clock_that_did_not_ring_should_have_led_to(shell: Shell) -> None:
    await shell.handle(alert(shell))
    await shell.follow(FIRST)
    shell.shelf.armed.clear()
    shell.clock.move(18)
    assert await shell.audit.once() == 1
    assert (await shell.said(FIRST)).count("IncidentEscalated") == 1
    await shell.follow(FIRST)
    assert await shell.audit.once() == 0
    assert (await shell.said(FIRST)).count("IncidentEscalated") == 1


async def test_the_audit_leaves_alone_what_is_only_just_due_and_sets_its_clock_again(shell: Shell) -> None:
    await shell.handle(alert(shell))
    await shell.follow(FIRST)
    shell.shelf.armed.clear()
    shell.clock.move(16)
    assert await shell.audit.once() == 0
    offsets = sorted((at - START).total_seconds() for at in shell.shelf.armed.values())
    assert offsets == [15, 20, 60]  # due by the audit after the next; the resolution target is not


async def test_the_audit_believes_the_log_and_not_its_index(shell: Shell, other: Shell) -> None:
    await shell.handle(alert(shell))
    await shell.follow(FIRST)
    await other.handle(Acknowledge(incident=FIRST, by=person("ada")))
    shell.clock.move(18)
    assert await shell.audit.once() == 0
    assert (await shell.said(FIRST))[-1] == "IncidentAcknowledged"


async def test_the_audit_heals_the_most_severe_incidents_first_and_of_those_the_oldest(shell: Shell) -> None:
    incidents = []
    for service, severity in (("a", "P1"), ("b", "P0"), ("c", "P1"), ("d", "P0")):
        one = fired(severity=severity, service=service, at=shell.clock.now())
        await shell.handle(one)
        incidents.append(incident_id(group_of(one, STOREFRONT).key, 0))
        shell.clock.move(1)
    await shell.follow(*incidents)
    shell.clock.move(17)
    overdue = shell.audit.overdue(shell.index.incidents(), shell.clock.now())
    first_of_each = list(dict.fromkeys(each.incident for each in overdue))
    assert first_of_each == [incidents[1], incidents[3], incidents[0], incidents[2]]


async def test_the_audit_waits_while_an_outages_queue_is_still_being_heard(shell: Shell) -> None:
    await shell.handle(alert(shell))
    await shell.follow(FIRST)
    shell.clock.move(3600)
    await shell.handle(alert(shell), age=3000)
    assert await shell.audit.once() == 0
    shell.clock.move(2)
    assert await shell.audit.once() > 0


async def test_the_audit_goes_on_after_the_bus_could_not_be_reached(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[timedelta] = []

    class EnoughError(Exception):
        pass

    async def once() -> int:
        seen.append(shell.clock.now() - START)
        if len(seen) == 1:
            raise BusUnavailableError("no answer")
        if len(seen) == 4:
            raise EnoughError
        return 0

    monkeypatch.setattr(shell.audit, "once", once)
    with pytest.raises(EnoughError):
        await shell.audit.run()
    assert [each.total_seconds() for each in seen] == [2, 4, 64, 124]


async def test_the_index_forgets_what_is_closed(shell: Shell) -> None:
    await close_first(shell)
    await shell.handle(AddNote(incident=FIRST, by=person("ada"), text="late"))
    await shell.follow(FIRST)
    again = await shell.log.load(FIRST)
    await shell.index.on_events(again[:3])  # a follower hands over at least once
    assert shell.index.incidents() == ()
    assert shell.index.incident_of((fired().fingerprint, "e1")) is None  # type: ignore[arg-type]  # equal as a tuple
    assert shell.index.latest(KEY) == 0


# --- commands and outcomes --------------------------------------------------------------------------------------------


async def test_a_command_changes_its_incident_once(shell: Shell) -> None:
    await shell.handle(alert(shell))
    acknowledge = shell.envelope(Acknowledge(incident=FIRST, by=person("ada")))
    await shell.deliver([acknowledge])
    await shell.deliver([acknowledge], tries=2)
    assert (await shell.said(FIRST)).count("IncidentAcknowledged") == 1
    known = await shell.decider.read_on(FIRST, (await shell.decider.load(FIRST))[0])
    assert known.state.phase is Phase.ACKNOWLEDGED


async def test_a_command_for_an_incident_that_does_not_exist_is_an_error_that_names_it(shell: Shell) -> None:
    with pytest.raises(UnknownIncidentError, match="there is no incident nowhere"):
        await shell.handle(Acknowledge(incident="nowhere", by=person("ada")))


async def test_a_command_to_another_service_is_refused(shell: Shell) -> None:
    with pytest.raises(TypeError, match="not a command to the escalator"):
        await shell.handle(ApproveAction(incident=FIRST, action="a", by=person("ada")))


async def test_an_outcome_is_decided_on_in_its_incident(shell: Shell) -> None:
    await shell.handle(alert(shell))
    finished = RunbookFinished(runbook="r", outcome=RunbookOutcome.EXHAUSTED)
    message = shell.envelope(finished, incident=FIRST)
    await shell.deliver([message])
    await shell.deliver([message], tries=2)
    pages = [event for event in await shell.events(FIRST) if isinstance(event, ResponderPaged)]
    assert [page.target for page in pages] == ["person:ada", "person:grace"]


async def test_an_outcome_of_an_incident_that_does_not_exist_is_passed_over(shell: Shell) -> None:
    finished = RunbookFinished(runbook="r", outcome=RunbookOutcome.EXHAUSTED)
    assert await shell.deliver([shell.envelope(finished, incident="nowhere")]) == [None]
    assert await shell.deliver([shell.envelope(finished)]) == [None]


async def test_an_incident_whose_revision_cannot_be_had_goes_on_under_the_one_in_force(
    shell: Shell, other: Shell, playbooks: ShelvedPlaybooks
) -> None:
    await shell.handle(alert(shell))
    old = next(iter(playbooks.heads().values()))
    playbooks.publish(STOREFRONT_TEXT + "\n# a later text\n")
    playbooks.forget(old)
    await other.handle(Acknowledge(incident=FIRST, by=person("ada")))
    assert (await shell.said(FIRST))[-1] == "IncidentAcknowledged"


async def test_an_input_waits_for_the_playbook_of_its_incident(
    connection: Connection, shell: Shell, clock: MovableClock
) -> None:
    await shell.handle(alert(shell))
    elsewhere = Shell(connection, ShelvedPlaybooks(), clock)
    clock.move(15)
    acknowledge = Acknowledge(incident=FIRST, by=person("ada"))
    assert await elsewhere.handle(acknowledge) == [2.0]
    elsewhere.shelf.armed = dict(shell.shelf.armed)
    assert await elsewhere.ring() == [2.0]


async def test_labels_from_outside_never_reach_a_subject(shell: Shell) -> None:
    hostile = fired(severity="P1", service="a.*.> b", at=START)
    await shell.handle(hostile)
    (opened, *_) = await shell.events(incident_id(group_of(hostile, STOREFRONT).key, 0))
    assert isinstance(opened, IncidentOpened)
    assert opened.labels["service"] == "a.*.> b"


def test_an_end_has_the_same_group_as_its_beginning() -> None:
    assert isinstance(ended(fired()), AlertResolved)
    assert group_of(ended(fired()), STOREFRONT) == group_of(fired(), STOREFRONT)
