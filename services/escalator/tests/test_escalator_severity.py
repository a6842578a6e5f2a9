"""How severe an incident is: the source's word, the playbook's conditions, a person, and time."""

import pytest
from escalator_playbooks import STOREFRONT
from escalator_world import World, fired, minutes, rulebook, seconds

from tocsin_escalator.core.classify import on_the_ladder
from tocsin_schemas.commands import Acknowledge, SetSeverity

LADDER = "severities: [{name: SEV1}, {name: SEV2}, {name: SEV3}, {name: SEV4}]"
HEAD = "apiVersion: tocsin/v1\nkind: Playbook\nmetadata: {name: shop}\n"
PLAIN = rulebook(HEAD + LADDER)

CLASSIFYING = rulebook(
    HEAD
    + LADDER
    + """
group: {by: [service]}
classify:
  - {when: "alert.labels.env == 'staging'", severity: SEV4, applies: at_most, because: it is only staging}
  - {when: "alert.value > 0.5", severity: SEV1, because: more than half of the customers are affected}
oncall: {people: [{name: ada}, {name: bob}]}
escalate:
  - {severities: [SEV1], levels: [{after: 0s, notify: ["person:ada", "person:bob"]}]}
  - severities: [SEV2, SEV3, SEV4]
    levels: [{after: 0s, notify: ["person:ada"]}, {after: 10m, notify: ["person:bob"]}]
"""
)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("SEV2", "SEV2"),
        ("sev2", "SEV2"),
        ("critical", "SEV1"),
        ("Error", "SEV2"),
        ("high", "SEV2"),
        ("warning", "SEV3"),
        ("info", "SEV4"),
        ("purple", "SEV2"),
        (None, "SEV2"),
        (" ", "SEV2"),
    ],
)
def test_a_sources_word_is_mapped_onto_the_ladder_and_an_unknown_one_is_its_second_step(
    word: str | None, name: str
) -> None:
    assert on_the_ladder(word, PLAIN) == name


def test_a_ladder_of_one_step_has_room_for_every_word() -> None:
    single = rulebook(HEAD + "severities: [{name: bad}]")
    assert {on_the_ladder(word, single) for word in ("critical", "warning", "info", "purple", None)} == {"bad"}


def test_a_condition_that_holds_raises_the_severity_and_says_why() -> None:
    world = World(STOREFRONT)
    world.fire(fired(severity="P2", pii="exposed"))
    assert world.state.severity == "P0"


def test_a_condition_that_cannot_be_evaluated_does_not_hold() -> None:
    world = World(CLASSIFYING)
    world.fire(fired(severity="SEV3"))  # has no label env
    assert world.state.severity == "SEV3"


def test_a_cap_holds_for_the_renewals_too() -> None:
    world = World(CLASSIFYING)
    staging = fired(severity="SEV1", env="staging")
    world.fire(staging)
    assert world.state.severity == "SEV4"
    assert world.fire(staging.model_copy(update={"value": 0.9})) == ()


def test_an_alert_that_grows_worse_raises_its_incident() -> None:
    world = World(CLASSIFYING)
    alert = fired(severity="SEV3")
    world.fire(alert)
    world.advance(seconds(30))
    world.fire(alert.model_copy(update={"value": 0.6}))
    world.fire(alert.model_copy(update={"value": 0.1}))
    assert world.timeline() == [
        "0s opened SEV3 CheckoutErrors (checkout)",
        "0s grouped CheckoutErrors SEV3",
        "0s page person:ada level 0.0 SEV3 (opened)",
        "30s grouped CheckoutErrors SEV1",
        "30s severity SEV3 -> SEV1 (classification)",
        "30s page person:bob level 0.0 SEV1 (severity_raised)",
    ]


def test_a_second_alert_raises_the_severity_and_the_deadlines_start_anew() -> None:
    world = World(STOREFRONT)
    world.fire(fired("CheckoutLatency", "P2"))
    world.advance(seconds(10))
    world.fire(fired("CheckoutErrors", "P0"))
    world.advance(seconds(15))
    assert world.timeline() == [
        "0s opened P2 CheckoutLatency (checkout)",
        "0s grouped CheckoutLatency P2",
        "0s page channel:slack:#incidents level 0.0 P2 (opened)",
        "10s grouped CheckoutErrors P0",
        "10s severity P2 -> P0 (alert)",
        "10s page person:ada level 0.0 P0 (severity_raised)",
        "25s missed acknowledge",
        "25s escalated level 1.0 (unacknowledged)",
        "25s page person:grace level 1.0 P0 (escalated)",
    ]


def test_a_less_severe_alert_changes_nothing_but_the_group() -> None:
    world = World(STOREFRONT)
    world.fire(fired("CheckoutErrors", "P0"))
    world.fire(fired("CheckoutLatency", "P3"))
    assert world.timeline()[3:] == ["0s grouped CheckoutLatency P3"]


def test_a_raise_of_an_acknowledged_incident_tells_who_has_not_heard_and_does_not_escalate_further() -> None:
    world = World(STOREFRONT)
    world.fire(fired("CheckoutLatency", "P2"))
    world.do(Acknowledge)
    world.fire(fired("CheckoutErrors", "P1"))
    world.advance(seconds(50))
    assert world.pages() == [
        "0s page channel:slack:#incidents level 0.0 P2 (opened)",
        "0s page person:ada level 0.0 P1 (severity_raised)",
    ]


def test_what_a_person_says_stands_against_alerts() -> None:
    world = World(STOREFRONT)
    world.fire(fired("CheckoutLatency", "P1"))
    world.do(SetSeverity, severity="P3", because="nobody is affected")
    world.fire(fired("CheckoutErrors", "P0"))
    assert world.state.severity == "P3"
    world.do(SetSeverity, severity="P1")
    assert world.state.severity == "P1"


def test_an_incident_that_lasts_becomes_more_severe_once() -> None:
    book = rulebook(
        HEAD
        + LADDER
        + """
oncall: {people: [{name: ada}, {name: bob}]}
escalate:
  - {severities: [SEV1], levels: [{after: 0s, notify: ["person:bob"]}]}
  - severities: [SEV2, SEV3, SEV4]
    levels: [{after: 0s, notify: ["person:ada"]}]
    raise_severity: {after: 1h, to: SEV1}
"""
    )
    world = World(book)
    world.fire(fired(severity="SEV3"))
    world.do(Acknowledge)
    world.advance(minutes(180))
    assert world.timeline() == [
        "0s opened SEV3 CheckoutErrors",
        "0s grouped CheckoutErrors SEV3",
        "0s page person:ada level 0.0 SEV3 (opened)",
        "0s acknowledged by ada",
        "1h severity SEV3 -> SEV1 (time)",
        "1h page person:bob level 0.0 SEV1 (severity_raised)",
    ]


def test_a_condition_that_does_not_compile_never_holds_and_is_named() -> None:
    book = rulebook(HEAD + LADDER + '\nclassify: [{when: "alert.nonsense ==", severity: SEV1, because: it cannot}]')
    assert book.rules == ()
    assert len(book.problems) == 1
    assert "alert.nonsense" in book.problems[0]
