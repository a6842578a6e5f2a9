"""Combinations in which a page could be lost: parts and wholes, mutes, answers for a time, many at once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from escalator_shell import Shell, ShelvedPlaybooks
from escalator_world import START, World, ended, fired, in_words, minutes, person, rulebook
from test_escalator_answering import TEXT as ANSWERING
from test_escalator_impact import BOOK as IMPACT
from test_escalator_kin import BOOK, KIN, TEXT, opened_in
from test_escalator_relations import alert, of, state, told, two

from tocsin_escalator.core.incident import IncidentState, Mute, Phase
from tocsin_escalator.core.kin import relative_of
from tocsin_escalator.core.merging import decide_absorbed
from tocsin_escalator.core.muting import Mutes
from tocsin_escalator.core.on_timer import decide_unmuted
from tocsin_escalator.core.placing import is_over
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_runtime import Connection
from tocsin_schemas import DeadlineKind, Impact, Payload, TimerDue
from tocsin_schemas.commands import (
    Acknowledge,
    AddResponder,
    Decline,
    Merge,
    ReleaseSeverity,
    Resolve,
    SetSeverity,
    Silence,
    Split,
    StateImpact,
    Update,
)
from tocsin_schemas.events import (
    AlertMoved,
    CommandRejected,
    IncidentMuted,
    IncidentResolved,
    ResponderPaged,
    WarRoomRequested,
)

ADA = person("ada")


@pytest.fixture
def playbooks() -> ShelvedPlaybooks:
    return ShelvedPlaybooks(TEXT.replace("{name: ada}", "{name: ada, access: commander}"))


def paged(world: World, who: str) -> list[str]:
    return [line for line in world.pages() if f"person:{who}" in line]


def muted(world: World, incident: str, by: Mute) -> None:
    event = IncidentMuted(why=by.why, name=by.name, explained_by=by.explained_by, until=by.until)
    world.decide(incident, None, lambda _: (event,))


def unmuted(world: World, incident: str) -> None:
    world.decide(incident, None, lambda s: decide_unmuted(s, world.book, world.now, Mutes()))


# --- answers for a time -----------------------------------------------------------------------------------------------

LEVELS = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P1, acknowledged_for: 30m}]
group: {by: [service], reopen_within: 30m, watch_for: 5m}
oncall:
  people: [{name: ada}, {name: bob}, {name: eve}, {name: cto}]
  teams: [{name: pair, members: [ada, bob]}]
escalate:
  - severities: [P1]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 15m, notify: ["person:bob"]}
      - {after: 30m, notify: ["person:eve"]}
      - {after: 2h, notify: ["person:cto"], until: resolved}
"""


def opened(text: str | Rulebook, severity: str = "P1") -> World:
    world = World(rulebook(text) if isinstance(text, str) else text)
    world.fire(fired(severity=severity))
    return world


def test_who_gives_back_what_they_had_for_long_leaves_nobody_waiting_for_their_time_to_end() -> None:
    world = opened(LEVELS)
    world.do(Acknowledge, lasting=timedelta(hours=8))
    world.advance(minutes(1))
    world.do(Decline)
    world.advance(minutes(20))
    assert paged(world, "bob") == ["1m page person:bob level 1.0 P1 (declined)"]
    assert paged(world, "eve") == ["16m page person:eve level 2.0 P1 (escalated)"], "fifteen minutes after bob"


def test_who_gives_it_back_when_the_plan_is_used_up_leaves_it_to_those_who_were_told_with_them() -> None:
    text = LEVELS[: LEVELS.index('      - {after: 0s, notify: ["person:ada"]}')]
    world = opened(text + '      - {after: 0s, notify: ["team:pair"]}\n')
    world.do(Acknowledge)
    world.advance(minutes(1))
    world.do(Decline)
    assert world.pages()[-1] == "1m page person:bob level 0.1 P1 (declined)"


def test_who_declines_twice_escalates_once() -> None:
    world = opened(LEVELS)
    world.do(Decline)
    world.do(Decline)
    assert world.timeline()[-1] == "0s declined by ada"
    assert len(world.pages()) == 2


def test_who_declines_what_is_muted_pages_nobody() -> None:
    world = opened(LEVELS)
    muted(world, world.incident, Mute("merge", "disk", explained_by="other"))
    world.do(Decline)
    assert len(world.pages()) == 1


def test_updates_do_not_put_off_a_level_that_is_told_until_the_resolution() -> None:
    world = opened(LEVELS)
    world.do(Acknowledge)
    for _ in range(8):
        world.advance(minutes(20))
        world.do(Update, text="still at it")
    assert paged(world, "cto") == ["2h page person:cto level 3.0 P1 (escalated)"]
    assert world.state.phase is Phase.ACKNOWLEDGED


def test_a_severity_that_changes_meanwhile_counts_from_its_own_beginning() -> None:
    world = opened(LEVELS.replace("{name: P1, ", "{name: P0}, {name: P1, ").replace("[P1]", "[P0, P1]"))
    world.advance(minutes(10))
    world.do(Acknowledge, lasting=timedelta(hours=5))
    world.advance(minutes(10))
    world.do(SetSeverity, severity="P0")
    world.do(Update, text="still at it")
    world.advance(minutes(150))
    assert paged(world, "cto") == ["2h20m page person:cto level 3.0 P0 (escalated)"]


def test_an_update_of_who_is_on_it_does_not_stop_the_other_ways_of_who_was_added_since() -> None:
    world = opened(ANSWERING)
    world.do(Acknowledge, by="bob")
    world.do(AddResponder, target="person:ada", by="bob")
    world.advance(minutes(1))
    world.do(Update, text="ada is asked", by="bob")
    world.advance(minutes(2))
    assert paged(world, "ada")[-1] == "2m page person:ada level 0.0 P1 (unanswered) way 1"
    world.do(Acknowledge, by="ada")
    world.advance(minutes(5))
    assert len(paged(world, "ada")) == 3, "an answer of hers stops them"


def test_who_was_added_and_says_how_it_stands_has_answered() -> None:
    world = opened(ANSWERING)
    world.do(Acknowledge, by="bob")
    world.do(AddResponder, target="person:ada", by="bob")
    world.advance(minutes(1))
    before = len(paged(world, "ada"))
    world.do(Update, text="I look at the disks", by="ada")
    world.advance(minutes(2))
    assert len(paged(world, "ada")) == before


def test_who_says_it_again_answers_for_their_own_ways_too() -> None:
    world = opened(ANSWERING)
    world.do(Acknowledge, by="ada")
    world.do(AddResponder, target="person:ada", by="bob")
    world.do(Acknowledge, by="ada")
    world.advance(minutes(6))
    assert len(paged(world, "ada")) == 2


# --- mutes ------------------------------------------------------------------------------------------------------------


def test_of_what_is_quiet_nobody_is_told_when_its_mute_ends() -> None:
    world = opened(LEVELS)
    muted(world, world.incident, Mute("merge", "disk", explained_by="other"))
    world.end(fired())
    world.do(Split)
    assert world.state.muted is None
    assert len(world.pages()) == 1
    world.fire(fired(episode="e2"))
    world.advance(minutes(16))
    assert paged(world, "bob"), "the plan goes on when an alert fires again"


def test_an_answer_that_lapsed_while_it_was_muted_holds_no_longer_when_it_is_told_again() -> None:
    world = opened(ANSWERING)
    world.do(Acknowledge, lasting=minutes(5))
    muted(world, world.incident, Mute("silence", "upgrade"))
    world.advance(minutes(10))
    unmuted(world, world.incident)
    assert world.state.phase is Phase.TRIGGERED
    assert world.state.acknowledged is None
    assert world.pages()[-1] == "10m page person:ada level 0.0 P1 (opened)"


def test_what_is_at_risk_is_told_at_once_when_a_mute_ends() -> None:
    world = opened(IMPACT)
    muted(world, world.incident, Mute("silence", "upgrade"))
    world.do(StateImpact, impact=Impact(security=True))
    assert len(world.pages()) == 1
    unmuted(world, world.incident)
    assert paged(world, "bob") == ["0s page person:bob level 1.0 P1 (escalated)"]


def test_a_false_alarm_of_long_ago_takes_no_more_alerts() -> None:
    world = opened(LEVELS)
    world.do(Resolve, false_alarm=True)
    world.sleep(minutes(31))
    assert is_over(world.state, world.book, world.now)


# --- what alerts say of the impact ------------------------------------------------------------------------------------


def test_an_alert_that_says_worse_than_another_is_believed() -> None:
    world = World(IMPACT)
    world.fire(fired(severity="P3").model_copy(update={"annotations": {"users_affected": "0.01"}}))
    world.fire(fired("Other", "P3").model_copy(update={"annotations": {"users_affected": "0.9"}}))
    assert world.state.severity == "P0"
    assert world.state.impact == Impact(users_affected=0.9)


def test_an_alert_that_comes_to_say_worse_is_believed() -> None:
    world = World(IMPACT)
    first = fired(severity="P3").model_copy(update={"annotations": {"users_affected": "0.01"}})
    world.fire(first)
    world.fire(first.model_copy(update={"annotations": {"users_affected": "0.9"}}))
    assert world.state.severity == "P0"


def test_a_person_is_believed_in_what_they_said_and_alerts_in_the_rest() -> None:
    world = opened(IMPACT, "P3")
    world.do(StateImpact, impact=Impact(users_affected=0.01))
    other = fired("Other", "P3").model_copy(update={"annotations": {"users_affected": "0.9", "security": "true"}})
    world.fire(other)
    assert world.state.impact == Impact(users_affected=0.01, security=True)
    assert world.state.severity == "P2"


# --- parts ------------------------------------------------------------------------------------------------------------


def part_of(whole: IncidentState, part: IncidentState) -> IncidentState:
    return part._replace(muted=Mute("merge", "whole", explained_by=whole.incident))


def test_a_part_whose_playbook_has_other_severities_raises_its_whole_all_the_same() -> None:
    world = opened(LEVELS.replace("{name: P1, ", "{name: P0}, {name: P1, ").replace("[P1]", "[P0, P1]"))
    other = World(rulebook(TEXT.replace("P0", "critical").replace("P1", "major").replace("P2", "minor")))
    other.fire(fired(severity="critical", service="web"))
    said = decide_absorbed(world.state, part_of(world.state, other.state), world.book, world.now)
    assert "severity P1 -> P0 (merge)" in [in_words(event, START) for event in said]


def test_what_is_at_risk_in_a_part_is_told_at_once_of_the_whole() -> None:
    world, other = opened(IMPACT, "P1"), World(IMPACT)
    world.do(Acknowledge)
    other.fire(fired(severity="P1", service="mail", security="true"))
    part = part_of(world.state, other.state)
    said = world.decide(world.incident, None, lambda s: decide_absorbed(s, part, world.book, world.now))
    assert "page person:bob level 1.0 P1 (escalated)" in [in_words(event, START) for event in said]
    known = part._replace(incident=part.incident)
    assert decide_absorbed(world.state, known, world.book, world.now) == ()


def test_an_incident_that_is_quiet_takes_no_parts_of_which_nobody_would_be_told() -> None:
    world = World(BOOK)
    whole = opened_in(world, "database", "P2")
    world.end(fired("Errors", "P2", service="database"))
    known = relative_of(world.states[whole], BOOK.playbook)
    assert known is not None
    assert known.is_quiet
    part = opened_in(world, "checkout", "P0", Mutes(kin=replace(KIN, heard=frozenset({whole}), relatives=(known,))))
    assert world.states[part].muted is None


async def test_a_part_that_fires_on_while_its_whole_is_only_watched_is_told_by_the_audit(shell: Shell) -> None:
    whole, part = alert(shell, "database"), alert(shell, "checkout")
    await shell.handle(whole)
    await shell.follow(of(whole))
    await shell.handle(part)
    await shell.handle(ended(whole, shell.clock.now()))
    await shell.follow(of(whole), of(part))
    assert await told(shell, of(part), ResponderPaged) == []
    await shell.audit.once()
    assert len(await told(shell, of(part), ResponderPaged)) == 1


async def test_what_is_only_watched_takes_in_nothing_that_fires(shell: Shell) -> None:
    part, whole = await two(shell)
    await shell.handle(ended(whole, shell.clock.now()))
    await shell.handle(Merge(incident=of(part), into=of(whole), by=ADA))
    assert (await state(shell, of(part))).muted is None
    assert len(await told(shell, of(part), CommandRejected)) == 1


async def test_a_part_that_a_person_makes_more_severe_raises_its_whole(shell: Shell) -> None:
    part, whole = await two(shell)
    await shell.handle(Merge(incident=of(part), into=of(whole), by=ADA))
    await shell.handle(SetSeverity(incident=of(part), severity="P0", because="it spreads", by=ADA))
    assert (await state(shell, of(whole))).severity == "P0"


async def test_a_whole_that_is_released_stays_as_severe_as_its_parts(shell: Shell) -> None:
    part, whole = alert(shell, "mail", severity="P1"), alert(shell, "loop", severity="P2")
    await shell.handle(part, whole)
    await shell.handle(Merge(incident=of(part), into=of(whole), by=ADA))
    await shell.handle(SetSeverity(incident=of(whole), severity="P0", by=ADA))
    await shell.follow(of(part), of(whole))
    await shell.handle(ReleaseSeverity(incident=of(whole), by=ADA))
    assert (await state(shell, of(whole))).severity == "P1"


async def test_a_part_of_what_was_resolved_an_instant_ago_is_told_at_once(shell: Shell, connection: Connection) -> None:
    """This replica has not heard yet that another has resolved the whole."""
    whole, part = alert(shell, "database"), alert(shell, "checkout")
    await shell.handle(whole)
    await shell.follow(of(whole))
    other = Shell(connection, shell.playbooks, shell.clock)
    await other.handle(Resolve(incident=of(whole), by=ADA))
    await shell.handle(part)
    assert (await state(shell, of(part))).muted is None
    assert len(await told(shell, of(part), ResponderPaged)) == 1


async def test_a_part_of_two_that_were_resolved_an_instant_ago_is_told_at_once(
    shell: Shell, connection: Connection
) -> None:
    """Two replicas had opened them in the same instant; a third knows of both, and not that they are over."""
    wholes, part = [alert(shell, "checkout"), alert(shell, "database")], alert(shell, "search")
    for each in wholes:
        await Shell(connection, shell.playbooks, shell.clock).handle(each)
    await shell.follow(*map(of, wholes))
    other = Shell(connection, shell.playbooks, shell.clock)
    await other.handle(*(Resolve(incident=of(each), by=ADA) for each in wholes))
    await shell.handle(part)
    assert (await state(shell, of(part))).muted is None
    assert len(await told(shell, of(part), ResponderPaged)) == 1


async def test_what_turns_out_to_be_a_part_of_yet_another_raises_that_one(shell: Shell) -> None:
    """The whole is over; its part is a part of the next one that people are told of."""
    whole, part, third = alert(shell, "database"), alert(shell, "checkout", severity="P1"), alert(shell, "web")
    await shell.handle(Silence(match=('service="database"',), until=START + minutes(1), because="known", by=ADA))
    await shell.handle(third)
    await shell.handle(part)
    await shell.follow(of(third), of(part))
    assert (await state(shell, of(part))).part_of == of(third)
    assert (await state(shell, of(third))).severity == "P1"
    await shell.handle(whole.model_copy(update={"severity": "P0"}))
    await shell.follow(of(whole))
    shell.clock.move(61)
    await shell.ring()
    assert (await state(shell, of(whole))).part_of == of(third)
    assert (await state(shell, of(third))).severity == "P0"


async def test_a_replica_that_has_not_followed_yet_resolves_the_parts_of_the_log(
    shell: Shell, connection: Connection
) -> None:
    part, whole = await two(shell)
    await shell.handle(Merge(incident=of(part), into=of(whole), by=ADA))
    other = Shell(connection, shell.playbooks, shell.clock)
    await other.handle(Resolve(incident=of(whole), by=ADA))
    assert (await state(other, of(part))).phase is Phase.RESOLVED


# --- many at once -----------------------------------------------------------------------------------------------------

MANY = 240
MANY_TEXT = (
    TEXT.replace("by: [service]", "by: [service, pod]")
    .replace("{name: P2}", "{name: P2, resolve_within: 4h, warn_before: 1h, update_every: 30m}")
    .replace("{name: ada}", "{name: ada, access: commander}")
)


async def many_parts(shell: Shell, many: int = MANY, text: str = MANY_TEXT) -> tuple[str, list[str]]:
    """An incident with more parts than fit into one append with all that follows for each."""
    shell.playbooks.publish(text)
    now = shell.clock.now()
    await shell.handle(fired("Errors", "P2", at=now, service="database"))
    parts = [fired("Errors", "P2", at=now, service="checkout", pod=f"p{number}") for number in range(many)]
    for start in range(0, many, 60):
        await shell.handle(*parts[start : start + 60])
    mutes = {name: (await state(shell, name)).muted for name in list(shell.decider._states)}
    (whole,) = [name for name, muted in mutes.items() if muted is None]
    names = [name for name, muted in mutes.items() if muted is not None and muted.explained_by == whole]
    assert len(names) == many
    await shell.follow(whole, *names)
    return whole, names


async def until_done(shell: Shell, data: Payload) -> int:
    """The same message again and again, as long as it is asked for; the answer is how often."""
    message, times = shell.envelope(data), 1
    while await shell.deliver([message], tries=times) != [None]:
        times += 1
        assert times < 50
    return times


async def test_when_a_whole_with_many_parts_is_over_by_itself_all_are_told(shell: Shell) -> None:
    whole, parts = await many_parts(shell)
    await shell.handle(ended(fired("Errors", "P2", service="database"), shell.clock.now()))
    shell.clock.move(301)
    (watch,) = [each for each in (await state(shell, whole)).deadlines.values() if each.kind is DeadlineKind.WATCH]
    assert await until_done(shell, TimerDue(incident=whole, deadline=watch.id, due_at=watch.due_at)) > 2
    assert [len(await told(shell, part, ResponderPaged)) for part in parts] == [1] * MANY


async def test_the_audit_outlives_a_whole_with_many_parts(shell: Shell) -> None:
    whole, parts = await many_parts(shell)
    await shell.handle(ended(fired("Errors", "P2", service="database"), shell.clock.now()))
    await shell.follow(whole)
    shell.clock.move(303)
    await shell.audit.once()
    assert [len(await told(shell, part, ResponderPaged)) for part in parts] == [1] * MANY


async def test_who_resolves_a_whole_resolves_however_many_parts(shell: Shell) -> None:
    whole, parts = await many_parts(shell, 520)
    await until_done(shell, Resolve(incident=whole, by=ADA))
    assert {(await state(shell, part)).phase for part in parts} == {Phase.RESOLVED}
    assert [len(await told(shell, part, IncidentResolved)) for part in parts] == [1] * 520


async def test_when_an_alert_ends_that_explained_many_all_are_told(shell: Shell) -> None:
    inhibit = "inhibit: [{while: ['service=\"database\"'], mute: ['service=\"checkout\"']}]\n"
    text = MANY_TEXT.replace("correlate_within: 10m, ", "") + inhibit
    whole, parts = await many_parts(shell, text=text)
    assert await until_done(shell, ended(fired("Errors", "P2", service="database"), shell.clock.now())) > 2
    assert (await state(shell, whole)).phase is Phase.MONITORING
    assert [len(await told(shell, part, ResponderPaged)) for part in parts] == [1] * MANY


def test_one_decision_pages_no_more_than_one_append_takes() -> None:
    names = [f"p{number}" for number in range(900)]
    text = LEVELS.replace(
        "[ada, bob]}",
        f"[ada, bob, {', '.join(names[:300])}]}}, {{name: others, members: [{', '.join(names[300:600])}]}}",
    )
    text = text.replace("{name: cto}", "{name: cto}, " + ", ".join(f"{{name: {name}}}" for name in names[:600]))
    world = opened(
        text.replace('notify: ["person:ada"]}', 'notify: ["team:pair"]}\n      - {after: 0s, notify: ["team:others"]}')
    )
    assert len(world.pages()) == 400
    assert [line for line in world.timeline() if "were not paged" in line]


# --- what is split off ------------------------------------------------------------------------------------------------


async def test_the_room_of_what_is_split_off_has_a_number_of_its_own(shell: Shell) -> None:
    rooms = 'communicate: {channels: [{name: slack, console: {}}], war_room: {channel: slack, name: "#incident-NNN"}}\n'
    shell.playbooks.publish(TEXT.replace("{name: ada}", "{name: ada, access: commander}") + rooms)
    one, other = alert(shell, "disk", "Full"), alert(shell, "disk", "Slow")
    await shell.handle(one, other)
    await shell.handle(Split(incident=of(one), alerts=(other.fingerprint,), by=ADA))
    (moved,) = await told(shell, of(one), AlertMoved)
    assert isinstance(moved, AlertMoved)
    asked = [event for each in (of(one), moved.to) for event in await told(shell, each, WarRoomRequested)]
    assert [event.name for event in asked if isinstance(event, WarRoomRequested)] == ["#incident-001", "#incident-002"]


async def test_nothing_is_split_off_what_is_half_written(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of what was decided about it comes first; else the alert would be in both until then."""
    one, other = alert(shell, "disk", "Full"), alert(shell, "disk", "Slow")
    await shell.handle(one, other)
    monkeypatch.setattr(
        shell.handlers.half_written, "comes_first", lambda known, cause: known.state.opening is not None
    )
    before = set(shell.decider._states)
    assert await shell.handle(Split(incident=of(one), alerts=(other.fingerprint,), by=ADA)) != [None]
    assert {name for name in shell.decider._states if await shell.said(name)} == before


# --- memory -----------------------------------------------------------------------------------------------------------


async def test_nothing_is_remembered_of_parts_and_wholes_that_are_closed(shell: Shell) -> None:
    whole, part = alert(shell, "database"), alert(shell, "checkout")
    await shell.handle(whole)
    await shell.follow(of(whole))
    await shell.handle(part)
    await shell.follow(of(whole), of(part))
    await shell.handle(Resolve(incident=of(whole), by=ADA))
    shell.clock.move(1801)
    await shell.ring()
    await shell.follow(of(whole), of(part))
    explanations = shell.handlers.explanations
    held = (explanations._muted_by, explanations._parts, explanations._explained_by, explanations.kinships._services)
    assert [len(each) for each in held] == [0, 0, 0, 0]
    relatives = explanations.kinships._relatives["shop"]
    assert (len(relatives._all), len(relatives._about)) == (0, 0)
