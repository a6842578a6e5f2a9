"""What nobody is told of: silences, maintenance windows, consequences of other alerts, the time to collect alerts."""

from datetime import timedelta

import pytest
from escalator_world import START, World, fired, minutes, rulebook

from tocsin_escalator.core.incident import AlertKey
from tocsin_escalator.core.muting import NOTHING_MUTES, Explaining, Mutes, mutes_of
from tocsin_schemas import Labels
from tocsin_schemas.commands import Acknowledge, Escalate, SetSeverity
from tocsin_schemas.events import AlertFired, AlertGrouped, IncidentMuted, RunbookFinished

BOOK = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P1, acknowledge_within: 5m, resolve_within: 1h, update_every: 30m}, {name: P2}]
group: {by: [service, alertname], reopen_within: 10m, watch_for: 5m, wait: %s}
silences: %s
inhibit:
  - name: the database is the cause
    while: ['alertname="DatabaseDown"']
    mute: ['tier="web"']
    same: [region]
oncall: {people: [{name: ada}, {name: grace}]}
escalate:
  - severities: [P1, P2]
    levels: [{after: 0s, notify: ["person:ada"]}, {after: 10m, notify: ["person:grace"]}]
"""
UPGRADE = """
  - name: upgrade
    match: ['service="checkout"']
    because: the database is upgraded
    until: 2026-03-02T13:00:00Z
"""
NIGHTLY = """
  - name: backup
    match: ['service="checkout"']
    because: it is slow while it is backed up
    every: {days: [monday, tuesday], from: "11:00", to: "12:30"}
"""


class Muting(World):
    """A world in which alerts of other incidents may explain an alert."""

    def __init__(self, silences: str = "[]", wait: str = "0s") -> None:
        super().__init__(rulebook(BOOK % (wait, silences)))
        self.explaining: list[Explaining] = []

    @property
    def mutes(self) -> Mutes:
        return mutes_of(self.book.playbook, self.explaining)

    def database(self, region: str = "eu") -> AlertFired:
        """The alert that explains the others, in an incident of its own."""
        alert = fired("DatabaseDown", "P1", service="database", region=region)
        self.fire(alert)
        self.explaining.append(Explaining(self.incident, alert.rule, alert.labels))
        return alert

    def recovered(self, database: AlertFired, *incidents: str) -> None:
        """As the handlers do: the end of an alert, and another look at what it explained."""
        self.end(database, message="the end")
        self.explaining.clear()
        for incident in incidents:
            self.look_again(incident, "the end")


def web(severity: str = "P1", **labels: str) -> AlertFired:
    return fired("Errors", severity, **{"tier": "web", "region": "eu", **labels})


def key(alert: AlertFired) -> AlertKey:
    return AlertKey(alert.fingerprint, alert.episode)


# --- silences ---------------------------------------------------------------------------------------------------------


def test_a_silenced_alert_is_recorded_and_nobody_is_paged_until_the_silence_ends() -> None:
    world = Muting(UPGRADE)
    world.fire(web())
    assert world.timeline(deadlines=True) == [
        "0s opened P1 Errors (checkout)",
        "0s grouped Errors P1, muted by silence: upgrade",
        "0s muted by silence upgrade until 1h: the database is upgraded",
        "0s set mute at 1h",
    ]
    world.advance(minutes(59))
    assert world.pages() == []
    world.advance(minutes(1))
    assert world.timeline()[3:] == [
        "1h unmuted: the silence upgrade is over",
        "1h page person:ada level 0.0 P1 (opened)",
    ]
    world.advance(minutes(10))
    assert world.pages()[1:] == ["1h10m page person:grace level 1.0 P1 (escalated)"]


def test_an_alert_that_recovers_while_it_is_silenced_ends_its_incident_and_nobody_hears_of_it() -> None:
    world = Muting(UPGRADE)
    alert = web()
    world.fire(alert)
    world.advance(minutes(10))
    world.end(alert)
    world.advance(minutes(120))
    assert [line.split(" ", 1)[1] for line in world.timeline()[3:]] == [
        "cleared Errors",
        "monitoring",
        "resolved by escalator",
        "closed",
    ]
    assert world.pages() == []


def test_a_window_that_comes_back_every_week_ends_by_the_clock() -> None:
    world = Muting(NIGHTLY)
    world.fire(web())
    muted = world.events(IncidentMuted)
    assert [each.until for each in muted if isinstance(each, IncidentMuted)] == [START + minutes(30)]
    world.advance(minutes(30))
    assert world.pages() == ["30m page person:ada level 0.0 P1 (opened)"]


def test_of_two_silences_the_one_that_lasts_longer_counts() -> None:
    world = Muting(UPGRADE + NIGHTLY)
    world.fire(web())
    world.advance(minutes(59))
    assert world.pages() == []
    world.advance(minutes(1))
    assert len(world.pages()) == 1


def test_an_alert_that_nothing_mutes_is_told_at_once_with_all_that_was_muted() -> None:
    world = Muting(UPGRADE.replace('service="checkout"', 'host="a"'))
    world.fire(web("P2", host="a"))
    world.advance(minutes(5))
    world.fire(web("P1", host="b"))
    assert world.timeline()[3:] == [
        "5m grouped Errors P1",
        "5m severity P2 -> P1 (alert)",
        "5m unmuted: Errors fires too, which nothing mutes",
        "5m page person:ada level 0.0 P1 (opened)",
    ]


def test_an_alert_that_is_silenced_joins_an_incident_of_which_people_know() -> None:
    world = Muting(UPGRADE.replace('service="checkout"', 'host="a"'))
    world.fire(web(host="b"))
    world.fire(web(host="a"))
    grouped = [each.alert.muted for each in world.events(AlertGrouped) if isinstance(each, AlertGrouped)]
    assert grouped == [None, "silence: upgrade"]
    assert world.state.muted is None
    assert len(world.pages()) == 1


def test_an_alert_of_the_systems_own_is_never_silenced() -> None:
    world = Muting(UPGRADE)
    world.fire(fired("TocsinSourceDown", "P1"))
    assert len(world.pages()) == 1


def test_a_person_may_do_with_a_muted_incident_what_they_may_with_any() -> None:
    world = Muting(UPGRADE)
    world.fire(web("P2"))
    world.do(SetSeverity, severity="P1")
    assert world.pages() == []
    world.do(Escalate)
    assert world.pages() == ["0s page person:ada level 0.0 P1 (command)"]
    world.do(Acknowledge)
    world.advance(minutes(60))
    assert world.state.muted is None
    assert len(world.pages()) == 1
    assert {deadline.kind.value for deadline in world.state.deadlines.values()} >= {"resolve", "update"}


def test_what_fires_again_in_a_maintenance_window_is_quiet_again() -> None:
    world = Muting(UPGRADE)
    world.advance(-minutes(120))
    world.start = world.now
    alert = web()
    world.book = rulebook(BOOK % ("0s", "[]"))
    world.fire(alert)
    assert len(world.pages()) == 1
    world.end(alert)
    world.book = rulebook(BOOK % ("0s", UPGRADE))
    world.advance(minutes(1))
    world.fire(web(episode="e2"))
    assert world.state.muted is not None
    world.advance(minutes(60))
    assert len(world.pages()) == 1
    assert world.rebuilt(world.incident) == world.state


# --- consequences -----------------------------------------------------------------------------------------------------


def test_a_consequence_pages_nobody_and_names_the_incident_that_explains_it() -> None:
    world = Muting()
    database = world.database()
    cause = world.incident
    world.fire(web())
    consequence = world.incident
    assert world.state.muted is not None
    assert world.state.muted.explained_by == cause
    world.advance(timedelta(days=1))
    assert [line for line in world.pages() if "P1 (opened)" in line] == ["0s page person:ada level 0.0 P1 (opened)"]
    world.recovered(database, consequence)
    assert world.timeline()[-2:] == [
        "1d unmuted: what explained it, the database is the cause is over",
        "1d page person:ada level 0.0 P1 (opened)",
    ]


@pytest.mark.parametrize("other", [{"region": "us"}, {"tier": "batch"}])
def test_what_the_cause_does_not_explain_pages(other: dict[str, str]) -> None:
    world = Muting()
    world.database()
    world.fire(web(**other))
    assert world.state.muted is None
    assert len([line for line in world.pages() if "(opened)" in line]) == 2


def test_a_cause_that_ends_while_a_silence_holds_leaves_it_muted() -> None:
    world = Muting(UPGRADE)
    database = world.database()
    world.fire(web())
    consequence = world.incident
    world.advance(minutes(10))
    world.recovered(database, consequence)
    assert world.states[consequence].muted is not None
    assert world.states[consequence].muted.why == "silence"


def test_when_the_silence_ends_and_the_cause_still_fires_it_stays_quiet() -> None:
    world = Muting(UPGRADE)
    database = world.database()
    world.fire(web())
    consequence = world.incident
    world.advance(minutes(60))
    muted = world.states[consequence].muted
    assert muted is not None
    assert (muted.why, muted.until) == ("inhibition", None)
    world.recovered(database, consequence)
    assert world.states[consequence].muted is None


def test_an_alert_does_not_explain_itself() -> None:
    mutes = mutes_of(rulebook(BOOK % ("0s", "[]")).playbook, [Explaining("inc", "DatabaseDown", Labels(tier="web"))])
    assert mutes.of("DatabaseDown", Labels(alertname="DatabaseDown", tier="web"), "inc", START) is None


def test_without_silences_and_inhibitions_nothing_is_looked_at() -> None:
    plain = rulebook((BOOK % ("0s", "[]")).partition("inhibit:")[0])
    assert mutes_of(plain.playbook, [Explaining("inc", "A", Labels())]) is NOTHING_MUTES


# --- collecting alerts ------------------------------------------------------------------------------------------------


def test_alerts_are_collected_before_anybody_is_told() -> None:
    world = Muting(wait="30s")
    world.fire(web("P2", host="a"))
    world.advance(timedelta(seconds=10))
    world.fire(web("P1", host="b"))
    assert world.pages() == []
    world.advance(timedelta(seconds=20))
    assert world.pages() == ["30s page person:ada level 0.0 P1 (opened)"]


def test_a_cause_that_comes_within_the_wait_keeps_its_consequences_quiet() -> None:
    world = Muting(wait="30s")
    world.fire(web())
    consequence = world.incident
    world.advance(timedelta(seconds=5))
    world.database()
    world.advance(minutes(5))
    assert world.states[consequence].muted is not None
    assert world.states[consequence].muted.why == "inhibition"
    assert world.pages() == ["35s page person:ada level 0.0 P1 (opened)"]


def test_automation_of_a_muted_incident_has_nothing_to_tell() -> None:
    """The remediator does not begin there; were it to report something, it is told when people are."""
    world = Muting(UPGRADE)
    world.fire(web())
    world.report(RunbookFinished(runbook="r", outcome="exhausted"))
    assert world.pages() == []


def test_that_another_alert_of_the_same_incident_explains_it_now_is_no_news() -> None:
    world = Muting()
    database = world.database()
    world.fire(web())
    consequence = world.incident
    cause = world.explaining[0].incident
    world.explaining = [Explaining(cause, "DatabaseDown2", Labels(alertname="DatabaseDown", region="eu"))]
    assert world.look_again(consequence) == ()
    world.recovered(database, consequence)
    assert world.states[consequence].muted is None
