"""Who answers, and how: whether each must, in which way they are told, who cannot take it, who else is asked."""

from escalator_world import World, fired, minutes, rulebook, seconds

from tocsin_escalator.core.incident import Phase
from tocsin_escalator.core.paging import unanswered
from tocsin_schemas import Role
from tocsin_schemas.commands import Acknowledge, AddResponder, Decline, Resolve, TakeOver, Update

TEXT = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities:
  - {name: P1, acknowledged_for: 20m}
  - {name: P2}
group: {by: [service], reopen_within: 30m, watch_for: 5m}
oncall:
  people:
    - name: ada
      contacts:
        - {channel: slack, address: "@ada"}
        - {channel: mail, address: ada@shop.test}
        - {name: phone, channel: sms, address: "1"}
      rules: [{contact: slack}, {contact: mail, after: 2m}, {contact: phone, after: 5m, severities: [P1]}]
    - {name: bob, contacts: [{channel: mail, address: bob@shop.test}]}
    - {name: eve}
  teams:
    - {name: pair, members: [ada, bob]}
    - {name: nobody, members: []}
escalate:
  - severities: [P1]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 15m, notify: ["person:bob"]}
    last_resort: ["person:eve"]
  - severities: [P2]
    levels:
      - {after: 0s, notify: ["team:pair"], each: true}
      - {after: 10m, notify: ["person:eve"]}
"""
BOOK = rulebook(TEXT)


def opened(severity: str = "P1") -> World:
    world = World(BOOK)
    world.fire(fired(severity=severity))
    return world


# --- a person's own ways ----------------------------------------------------------------------------------------------


def test_who_does_not_answer_is_told_in_their_next_way_as_their_rules_say() -> None:
    world = opened()
    world.advance(minutes(14))
    assert world.pages() == [
        "0s page person:ada level 0.0 P1 (opened)",
        "2m page person:ada level 0.0 P1 (unanswered) way 1",
        "5m page person:ada level 0.0 P1 (unanswered) way 2",
    ]


def test_an_answer_stops_the_other_ways() -> None:
    world = opened()
    world.advance(minutes(3))
    world.do(Acknowledge)
    world.advance(minutes(10))
    assert len(world.pages()) == 2


def test_a_recovery_stops_the_other_ways_and_a_re_fire_begins_none() -> None:
    world = opened()
    world.advance(minutes(1))
    world.end(fired())
    world.advance(minutes(3))
    assert len(world.pages()) == 1
    world.fire(fired(episode="e2"))
    world.advance(minutes(4))
    assert len(world.pages()) == 1


def test_a_way_that_the_new_severity_does_not_have_is_not_used() -> None:
    world = opened("P2")
    world.advance(minutes(9))
    assert [page for page in world.pages() if "ada" in page] == [
        "0s page person:ada level 0.0 P2 (opened)",
        "2m page person:ada level 0.0 P2 (unanswered) way 1",
    ]


def test_who_was_told_of_less_is_told_in_the_ways_of_the_severity_that_it_is_now() -> None:
    only_at_night = TEXT.replace("{contact: mail, after: 2m}, ", "").replace(
        "name: P1, acknowledged_for: 20m", "name: P1"
    )
    world = World(rulebook(only_at_night))
    world.fire(fired(severity="P2"))
    world.advance(minutes(4))
    assert [page for page in world.pages() if "ada" in page] == ["0s page person:ada level 0.0 P2 (opened)"]
    world.fire(fired("Worse", "P1"))
    world.advance(minutes(2))
    assert [page for page in world.pages() if "ada" in page][1:] == [
        "5m page person:ada level 0.0 P1 (unanswered) way 1"
    ]


def test_after_an_outage_a_person_is_told_once_in_their_latest_way_that_is_due() -> None:
    world = opened()
    world.sleep(minutes(6))
    world.advance(seconds(1))
    assert world.pages()[1:] == ["6m page person:ada level 0.0 P1 (unanswered) way 2"]


def test_after_an_outage_who_is_told_by_the_plan_anyway_is_not_told_in_another_way_too() -> None:
    world = World(rulebook(TEXT.replace('notify: ["person:bob"]', 'notify: ["person:ada"]')))
    world.fire(fired())
    world.advance(minutes(1))
    world.sleep(minutes(30))
    due = [deadline for deadline in world.state.deadlines.values() if deadline.place is not None]
    world.ring(world.incident, due[0])
    world.advance(seconds(1))
    assert len([page for page in world.pages() if "person:ada" in page]) == 2
    world.advance(minutes(6))
    assert world.pages()[-1].endswith("(unanswered) way 2"), "its own ways go on"


# --- each -------------------------------------------------------------------------------------------------------------


def test_where_each_must_answer_one_is_not_enough() -> None:
    world = opened("P2")
    world.do(Acknowledge, by="ada")
    assert world.timeline()[-1] == "0s answered by ada, waiting for bob"
    assert world.state.phase is Phase.TRIGGERED
    assert unanswered(world.state) == {"bob"}
    world.advance(minutes(9))
    assert len(world.pages()) == 2, "ada has answered: her other ways are not used"
    world.advance(minutes(2))
    assert world.pages()[-1] == "10m page person:eve level 1.0 P2 (escalated)"
    world.do(Acknowledge, by="bob")
    assert world.state.phase is Phase.ACKNOWLEDGED
    assert world.state.acknowledged is not None
    assert world.state.acknowledged.by == "bob"


def test_who_is_not_asked_does_not_answer_for_those_who_are() -> None:
    world = opened("P2")
    world.do(Acknowledge, by="eve")
    assert world.timeline()[-1] == "0s answered by eve, waiting for ada, bob"


def test_nobody_waits_for_those_who_cannot_take_it() -> None:
    world = opened("P2")
    world.do(Decline, by="bob")
    world.do(Acknowledge, by="ada")
    assert world.state.phase is Phase.ACKNOWLEDGED


def test_who_resolves_or_says_how_it_stands_need_not_wait() -> None:
    world = opened("P2")
    world.do(Update, text="a look", status="investigating")
    assert world.timeline()[-2:] == ["0s answered by ada, waiting for bob", "0s update investigating: a look"]
    assert world.state.phase is Phase.TRIGGERED
    world.do(Resolve)
    assert world.state.phase is Phase.RESOLVED


# --- cannot take it ---------------------------------------------------------------------------------------------------


def test_who_cannot_take_it_is_not_told_again_and_the_next_level_is_at_once() -> None:
    world = opened()
    world.advance(minutes(1))
    world.do(Decline, because="on a train")
    assert world.timeline()[-3:] == [
        "1m declined by ada",
        "1m escalated level 1.0 (declined)",
        "1m page person:bob level 1.0 P1 (declined)",
    ]
    world.advance(minutes(40))
    assert not [page for page in world.pages()[2:] if "ada" in page]


def test_when_everybody_has_declined_they_are_asked_again_rather_than_nobody() -> None:
    world = opened()
    world.do(Decline, by="bob")
    world.do(Decline, by="eve")
    world.do(Decline, by="ada")
    world.advance(minutes(1))
    assert world.timeline()[-1] == "0s note ada cannot take it, and no further level is left to tell"
    world.fire(fired("Other", "P1"))
    world.end(fired())
    world.end(fired("Other", "P1"))
    world.do(Resolve)
    world.fire(fired(episode="e3"))
    assert world.pages()[-1] == "1m page person:ada level 0.0 P1 (reopened)", "a new opening asks everybody anew"


def test_if_all_who_are_left_cannot_take_it_they_are_asked_all_the_same_when_their_time_comes() -> None:
    world = World(rulebook(TEXT.replace('    last_resort: ["person:eve"]\n', "")))
    world.fire(fired())
    world.do(Acknowledge, by="eve", lasting=minutes(5))
    world.do(Decline, by="bob")
    world.advance(minutes(6))
    assert world.timeline()[-3:] == [
        "5m escalated level 1.0 (unacknowledged)",
        "5m note everybody at the levels that are left has said that they cannot take it: they are asked again",
        "5m page person:bob level 1.0 P1 (escalated)",
    ]


def test_who_has_just_declined_is_not_asked_again_by_that() -> None:
    world = opened("P2")
    world.do(Decline, by="eve")
    assert world.timeline()[-2:] == [
        "0s escalated level 1.0 (declined)",
        "0s note everybody at the levels that are left has said that they cannot take it: nobody was paged",
    ]


def test_who_had_it_and_cannot_go_on_gives_it_back() -> None:
    world = opened()
    world.do(Acknowledge)
    assert world.state.phase is Phase.ACKNOWLEDGED
    world.do(Decline)
    assert world.state.phase is Phase.TRIGGERED
    assert world.pages()[-1] == "0s page person:bob level 1.0 P1 (declined)"


def test_who_declines_what_another_is_on_changes_nothing_else() -> None:
    world = opened()
    world.do(Acknowledge, by="bob")
    world.do(Decline, by="ada")
    assert world.state.phase is Phase.ACKNOWLEDGED
    assert world.timeline()[-1] == "0s declined by ada"


# --- taking it, and asking for more -----------------------------------------------------------------------------------


def test_who_takes_it_is_on_it_and_leads() -> None:
    world = opened()
    world.do(TakeOver, by="bob")
    assert world.timeline()[-2:] == ["0s acknowledged by bob", "0s role incident_commander bob"]
    world.do(TakeOver, by="bob")
    assert world.timeline()[-1] == "0s acknowledged by bob", "the same again gives the role once"
    world.do(TakeOver, by="eve")
    assert world.state.roles[Role.COMMANDER] == "eve"


def test_more_people_are_told_at_once_in_their_own_ways_too() -> None:
    world = opened()
    world.do(Acknowledge, by="bob")
    world.do(AddResponder, target="team:pair", because="the disk is full")
    assert world.timeline()[-3:] == [
        "0s added team:pair: ada, bob",
        "0s page person:ada level 0.0 P1 (added)",
        "0s page person:bob level 0.0 P1 (added)",
    ]
    world.advance(minutes(3))
    assert world.pages()[-1] == "2m page person:ada level 0.0 P1 (unanswered) way 1"


def test_nobody_is_added_who_is_nobody() -> None:
    world = opened()
    for target, reason in (
        ("person:mallory", "the playbook has no person 'mallory'"),
        ("team:nobody", "team:nobody is nobody at the moment"),
    ):
        world.do(AddResponder, target=target)
        assert world.timeline()[-1] == f"0s rejected AddResponder: {reason}"
    assert len(world.pages()) == 1


# --- for how long -----------------------------------------------------------------------------------------------------


def test_an_acknowledgement_lasts_as_long_as_the_severity_says_unless_somebody_says_how_it_stands() -> None:
    world = opened()
    world.do(Acknowledge, by="ada")
    world.advance(minutes(19))
    world.do(Update, text="still at it")
    world.advance(minutes(19))
    assert world.state.phase is Phase.ACKNOWLEDGED, "the update has begun the twenty minutes anew"
    world.advance(minutes(2))
    assert world.state.phase is Phase.TRIGGERED
    assert world.pages()[-1] == "39m page person:bob level 1.0 P1 (escalated)"


def test_the_last_resort_comes_after_all_rounds() -> None:
    world = opened()
    world.advance(minutes(60))
    assert [page for page in world.pages() if "unanswered" not in page] == [
        "0s page person:ada level 0.0 P1 (opened)",
        "15m page person:bob level 1.0 P1 (escalated)",
        "30m page person:eve level 2.0 P1 (escalated)",
    ]


# --- how far it is ----------------------------------------------------------------------------------------------------


def test_who_says_how_far_the_work_is_is_on_it() -> None:
    world = opened()
    for status in ("investigating", "identified", "mitigating"):
        world.do(Update, text="so far", status=status)
        assert world.state.phase.value == status
    assert "0s acknowledged by ada" in world.timeline()
    world.do(Acknowledge, by="bob")
    assert world.state.phase is Phase.MITIGATING, "a further answer does not throw the work back"


def test_a_re_fire_goes_back_to_where_the_work_was() -> None:
    world = opened()
    world.do(Update, text="so far", status="identified")
    world.end(fired())
    assert world.state.phase is Phase.MONITORING
    world.fire(fired(episode="e2"))
    assert world.state.phase is Phase.IDENTIFIED


def test_while_it_is_watched_or_over_a_status_is_refused_and_a_text_is_not() -> None:
    world = opened()
    world.end(fired())
    world.do(Update, text="so far", status="identified")
    assert world.timeline()[-1] == (
        "0s rejected Update: all alerts have cleared and it is watched: say how it stands without a status"
    )
    world.do(Update, text="so far")
    assert world.timeline()[-1] == "0s update -: so far"
    world.do(Resolve)
    world.do(Update, text="so far", status="identified")
    assert world.timeline()[-1] == (
        "0s rejected Update: the incident is over: say how it stands without a status, or reopen it"
    )
    world.do(Update, text="a last word")
    assert world.timeline()[-1] == "0s update -: a last word"
