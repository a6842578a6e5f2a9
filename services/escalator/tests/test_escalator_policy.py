"""Who is told, and when: levels, rounds, holes in schedules, conditions, and severities without a policy."""

from datetime import UTC, datetime, timedelta

from escalator_world import START, World, fired, minutes, rulebook, seconds

from tocsin_escalator.core.incident import Place
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_schemas.commands import Acknowledge, Escalate
from tocsin_schemas.events import IncidentEscalated, NoteAdded

HEAD = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}, {name: P1}, {name: P2}]
group: {by: [service], watch_for: 10s}
"""
PEOPLE = "oncall: {people: [{name: ada}, {name: bob}, {name: cy}], teams: [{name: shop, members: [ada, bob]}]}\n"


def policy(escalate: str, oncall: str = PEOPLE, more: str = "") -> Rulebook:
    return rulebook(f"{HEAD}{oncall}{more}escalate:\n{escalate}")


def test_levels_due_at_once_are_all_told_and_nobody_twice() -> None:
    world = World(
        policy("""
  - severities: [P0]
    levels: [{after: 0s, notify: ["person:ada"]}, {after: 0s, notify: ["team:shop", "person:ada"]}]
""")
    )
    world.fire(fired(severity="P0"))
    assert world.pages() == [
        "0s page person:ada level 1.0 P0 (opened)",
        "0s page person:bob level 1.0 P0 (opened)",
    ]


def test_who_is_on_call_is_asked_when_the_level_is_told() -> None:
    oncall = """
oncall:
  people: [{name: ada}, {name: bob}]
  schedules:
    - {name: primary, layers: [{people: [ada, bob], turn: 12h, starts: 2026-03-02, handover: {at: "00:00"}}]}
"""
    book = policy(
        """
  - severities: [P0]
    levels: [{after: 0s, notify: ["schedule:primary"]}, {after: 1h, notify: ["schedule:primary"]}]
""",
        oncall,
    )
    world = World(book, start=datetime(2026, 3, 2, 11, 30, tzinfo=UTC))
    world.fire(fired(severity="P0"))
    world.advance(minutes(60))
    assert world.pages() == [
        "0s page person:ada level 0.0 P0 (opened)",
        "1h page person:bob level 1.0 P0 (escalated)",
    ]


HOLE = """
oncall:
  people: [{name: ada}, {name: bob}]
  schedules:
    - name: office
      layers: [{people: [ada], starts: 2026-03-02, restrictions: [{days: [sunday], from: "01:00", to: "02:00"}]}]
"""


def test_a_hole_in_a_schedule_leads_to_the_next_level_at_once() -> None:
    world = World(
        policy(
            """
  - severities: [P0]
    levels: [{after: 0s, notify: ["schedule:office"]}, {after: 1h, notify: ["person:bob"]}]
""",
            HOLE,
        )
    )
    world.fire(fired(severity="P0"))
    world.advance(minutes(90))
    assert world.pages() == ["0s page person:bob level 1.0 P0 (opened)"]


def test_when_nobody_at_all_is_on_call_the_timeline_says_so() -> None:
    world = World(policy('  - {severities: [P0], levels: [{after: 0s, notify: ["schedule:office"]}]}\n', HOLE))
    world.fire(fired(severity="P0"))
    assert world.pages() == []
    assert len(world.events(NoteAdded)) == 1
    assert "nobody" in world.timeline()[-1]


def test_a_name_that_is_not_in_the_playbook_does_not_stop_the_others() -> None:
    world = World(
        policy("""
  - severities: [P0]
    levels: [{after: 0s, notify: ["team:gone", "schedule:gone", "channel:gone", "person:gone", "person:ada"]}]
""")
    )
    world.fire(fired(severity="P0"))
    assert [line.split()[2] for line in world.pages()] == ["channel:gone", "person:gone", "person:ada"]


def test_a_channel_without_an_address_is_told_at_its_own() -> None:
    world = World(
        policy(
            '  - {severities: [P0], levels: [{after: 0s, notify: ["channel:slack"]}]}\n',
            more='communicate: {channels: [{name: slack, slack: {token: {env: T}}, address: "#ops"}]}\n',
        )
    )
    world.fire(fired(severity="P0"))
    assert world.pages() == ["0s page channel:slack:#ops level 0.0 P0 (opened)"]


def test_a_level_whose_condition_does_not_hold_is_passed_over() -> None:
    world = World(
        policy("""
  - severities: [P0]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 1m, notify: ["person:bob"], when: "incident.labels.service == 'cart'"}
      - {after: 2m, notify: ["person:cy"], when: "incident.age > duration('90s')"}
      - {after: 3m, notify: ["person:bob"], when: "incident.labels.nothing == 'x'"}
""")
    )
    world.fire(fired(severity="P0"))
    world.advance(minutes(9))
    assert world.pages() == [
        "0s page person:ada level 0.0 P0 (opened)",
        "2m page person:cy level 2.0 P0 (escalated)",
    ]
    assert dict(world.state.deadlines) == {}


def test_a_severity_without_a_policy_takes_that_of_the_next_more_severe_one() -> None:
    book = policy("""
  - {severities: [P0], levels: [{after: 0s, notify: ["person:ada"]}]}
  - {severities: [P2], levels: [{after: 0s, notify: ["person:bob"]}]}
""")
    world = World(book)
    world.fire(fired(severity="P1"))
    assert world.pages() == ["0s page person:ada level 0.0 P1 (opened)"]


def test_where_no_more_severe_one_has_a_policy_the_next_less_severe_one_is_taken() -> None:
    world = World(policy('  - {severities: [P2], levels: [{after: 0s, notify: ["person:bob"]}]}\n'))
    world.fire(fired(severity="P0"))
    assert world.pages() == ["0s page person:bob level 0.0 P0 (opened)"]


def test_a_playbook_without_any_policy_records_incidents_and_says_that_nobody_is_paged() -> None:
    world = World(rulebook(HEAD))
    world.fire(fired(severity="P0"))
    world.do(Acknowledge)
    world.do(Escalate)
    assert world.pages() == []
    assert [line for line in world.timeline() if "note" in line or "rejected" in line] == [
        "0s note the playbook has no escalation policy: nobody is paged",
        "0s rejected Escalate: no further level is left: everybody the playbook names has been told",
    ]


def test_a_level_until_resolved_is_told_in_spite_of_an_acknowledgement() -> None:
    world = World(
        policy("""
  - severities: [P0]
    levels:
      - {after: 0s, notify: ["person:ada"]}
      - {after: 1m, notify: ["person:bob"]}
      - {after: 2m, notify: ["person:cy"], until: resolved}
""")
    )
    world.fire(fired(severity="P0"))
    world.advance(seconds(5))
    world.do(Acknowledge)
    world.advance(minutes(9))
    assert world.timeline()[2:] == [
        "0s page person:ada level 0.0 P0 (opened)",
        "5s acknowledged by ada",
        "2m escalated level 2.0 (unresolved)",
        "2m page person:cy level 2.0 P0 (escalated)",
    ]


def test_levels_out_of_order_are_told_in_the_order_of_the_playbook_and_never_early() -> None:
    book = policy(
        '  - {severities: [P0], levels: [{after: 5m, notify: ["person:ada"]}, {after: 1m, notify: ["person:bob"]}]}\n'
    )
    plan = book.plan("P0")
    assert plan is not None
    assert [step.after for step in plan.steps] == [timedelta(minutes=5)] * 2


def test_a_plan_that_is_used_up_can_be_told_once_more() -> None:
    book = policy('  - {severities: [P0], levels: [{after: 0s, notify: ["person:ada"]}], repeat: 1}\n')
    plan = book.plan("P0")
    assert plan is not None
    assert plan.after(Place(1, 0)) == ()
    assert plan.once_more(Place(1, 0)).place == Place(2, 0)
    assert plan.at(Place(7, 0)).targets == plan.steps[0].targets


def test_a_huge_team_is_paged_up_to_the_limit_and_the_rest_is_counted() -> None:
    names = [f"p{number}" for number in range(450)]
    people = ", ".join(f"{{name: {name}}}" for name in names)
    oncall = f"oncall: {{people: [{people}], teams: [{{name: all, members: [{', '.join(names)}]}}]}}\n"
    world = World(policy('  - {severities: [P0], levels: [{after: 0s, notify: ["team:all"]}]}\n', oncall))
    world.fire(fired(severity="P0"))
    assert len(world.pages()) == 400
    assert "50 of 450" in world.timeline()[-1]


def test_the_targets_of_an_escalation_are_named_in_it() -> None:
    world = World(
        policy(
            '  - {severities: [P0], levels: [{after: 0s, notify: ["person:cy"]}, {after: 1m, notify: ["team:shop"]}]}\n'
        )
    )
    world.fire(fired(severity="P0", at=START))
    world.advance(minutes(1))
    (escalated,) = world.events(IncidentEscalated)
    assert isinstance(escalated, IncidentEscalated)
    assert escalated.targets == ("person:ada", "person:bob")
