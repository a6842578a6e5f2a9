"""The graph of services: which incidents are one, where they are suspected to come from, and what is no kin."""

from dataclasses import replace
from datetime import timedelta

import pytest
from escalator_world import START, World, fired, in_words, minutes, rulebook
from hypothesis import given
from hypothesis import strategies as st

from tocsin_escalator.core.incident import Mute
from tocsin_escalator.core.kin import NO_KIN, Kin, Relative, relative_of, services_of
from tocsin_escalator.core.merging import decide_absorbed
from tocsin_escalator.core.muting import NOTHING_MUTES, Mutes
from tocsin_escalator.core.on_alert import decide_alert_fired
from tocsin_schemas import Labels
from tocsin_schemas.commands import Acknowledge, SetSeverity
from tocsin_schemas.events import IncidentMuted

TEXT = """
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P0}, {name: P1}, {name: P2}]
services:
  - {name: web, depends_on: [checkout, search]}
  - {name: checkout, depends_on: [database]}
  - {name: search, depends_on: [database, index]}
  - {name: database, depends_on: [disk]}
  - {name: mail, match: ['team="post"']}
  - {name: loop, depends_on: [pool]}
  - {name: pool, depends_on: [loop]}
group: {by: [service], correlate_within: 10m, reopen_within: 30m, watch_for: 5m}
oncall: {people: [{name: ada}]}
escalate:
  - {severities: [P0, P1, P2], levels: [{after: 0s, notify: ["person:ada"]}]}
"""
BOOK = rulebook(TEXT)
KIN = Kin(playbook=BOOK.playbook)


def relative(service: str, after: float = 0, incident: str = "") -> Relative:
    return Relative(incident or f"inc-{service}", f"Errors ({service})", frozenset({service}), START + minutes(after))


def found(
    service: str, *relatives: Relative, at: float = 1, incident: str = "me", began: float | None = None
) -> Mute | None:
    kin = replace(KIN, heard=frozenset(each.incident for each in relatives), relatives=relatives)
    opened_at = None if began is None else START + minutes(began)
    return kin.of(Labels(service=service), incident, START + minutes(at), opened_at)


@pytest.mark.parametrize(
    ("one", "other", "origin", "because"),
    [
        ("checkout", "database", "database", "checkout depends on database"),
        ("database", "checkout", "database", "checkout depends on database"),
        ("web", "disk", "disk", "web depends on disk"),
        ("checkout", "search", "database", "checkout and search both depend on database"),
        ("search", "checkout", "database", "search and checkout both depend on database"),
        ("web", "search", "search", "web depends on search"),
        ("checkout", "checkout", "checkout", "both are about checkout"),
        ("loop", "pool", "pool", "loop depends on pool"),
    ],
)
def test_where_two_services_come_from(one: str, other: str, origin: str, because: str) -> None:
    kinship = KIN.kinship(frozenset({one}), frozenset({other}))
    assert kinship is not None
    assert (kinship.origin, kinship.because) == (origin, because)


@pytest.mark.parametrize(
    ("one", "other"), [("checkout", "mail"), ("mail", "loop"), ("unknown", "web"), ("index", "checkout")]
)
def test_what_nothing_connects_is_no_kin(one: str, other: str) -> None:
    assert KIN.kinship(frozenset({one}), frozenset({other})) is None


def test_without_a_playbook_nobody_is_kin() -> None:
    assert NO_KIN.kinship(frozenset({"a"}), frozenset({"a"})) is None
    assert NO_KIN.of(Labels(service="web"), "me", START, None) is None


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4), max_size=6))
def test_any_graph_has_an_answer_and_it_is_the_same_from_both_sides(graph: dict[str, list[str]]) -> None:
    services = "\n".join(f"  - {{name: {name}, depends_on: {sorted(set(needs))}}}" for name, needs in graph.items())
    book = rulebook(
        TEXT.replace(TEXT[TEXT.index("  - {name: web") : TEXT.index("group:")], services + "\n") if graph else TEXT
    )
    kin = Kin(playbook=book.playbook)
    for one in "abcdef":
        for other in "abcdef":
            there, back = (kin.kinship(frozenset({a}), frozenset({b})) for a, b in ((one, other), (other, one)))
            assert (there is None) == (back is None)


def test_a_service_knows_its_alerts_by_label_or_by_matchers() -> None:
    assert services_of(BOOK.playbook, [Labels(service="web"), Labels(team="post")]) == {"web", "mail"}
    assert services_of(BOOK.playbook, [Labels(service="mail")]) == frozenset()


# --- which incident it is a part of -----------------------------------------------------------------------------------


def test_it_is_a_part_of_the_oldest_that_is_kin_and_near_in_time() -> None:
    mute = found("checkout", relative("search", 0.5), relative("database"), relative("mail"))
    assert mute == Mute("correlation", "Errors (database)", explained_by="inc-database")
    assert mute is not None
    assert mute.because == "checkout depends on database"


def test_what_began_too_long_ago_is_another_story() -> None:
    assert found("checkout", relative("database"), at=10) is not None
    assert found("checkout", relative("database"), at=10.1) is None


def test_one_that_people_are_told_of_stands_for_itself() -> None:
    assert found("checkout", relative("database"), relative("checkout", incident="me")) is None


def test_it_is_no_part_of_itself_or_of_what_is_over() -> None:
    assert found("web", relative("web", incident="me")) is None
    kin = replace(KIN, relatives=(relative("database"),), over=frozenset({"inc-database"}))
    assert kin.of(Labels(service="checkout"), "me", START, None) is None


def test_a_playbook_that_does_not_ask_for_it_correlates_nothing() -> None:
    plain = rulebook(TEXT.replace("correlate_within: 10m, ", ""))
    kin = Kin(frozenset({"inc-database"}), (relative("database"),), plain.playbook)
    assert kin.of(Labels(service="checkout"), "me", START, None) is None


def test_the_systems_own_alarms_are_no_part_of_anything() -> None:
    mutes = Mutes(kin=replace(KIN, relatives=(relative("database"),)))
    assert mutes.of("Checkout", Labels(service="checkout"), "me", START) is not None
    assert mutes.of("TocsinDetectorBlind", Labels(service="checkout"), "me", START) is None


# --- what the incidents say -------------------------------------------------------------------------------------------


def opened_in(world: World, alert_service: str, severity: str, mutes: Mutes = NOTHING_MUTES) -> str:
    alert = fired("Errors", severity, at=world.now, service=alert_service)
    slot = world.slot(alert)
    world.decide(slot.incident, None, lambda s: decide_alert_fired(s, alert, slot, world.book, world.now, mutes))
    return slot.incident


def test_the_part_is_silent_and_the_whole_is_as_severe_and_says_where_it_comes_from() -> None:
    world = World(BOOK)
    whole = opened_in(world, "checkout", "P2")
    world.now += timedelta(minutes=1)
    known = relative_of(world.states[whole], BOOK.playbook)
    assert known is not None
    part = opened_in(world, "search", "P1", Mutes(kin=replace(KIN, heard=frozenset({whole}), relatives=(known,))))
    assert world.states[part].part_of == whole
    assert [event.why for event in world.events(IncidentMuted) if isinstance(event, IncidentMuted)] == ["correlation"]
    assert len(world.pages()) == 1
    said = world.decide(whole, "m", lambda s: decide_absorbed(s, world.states[part], BOOK, world.now))
    assert [in_words(event, world.start) for event in said] == [
        "linked absorbed",
        "origin database: search and checkout both depend on database",
        "severity P2 -> P1 (merge)",
    ]
    again = decide_absorbed(world.states[whole], world.states[part], BOOK, world.now)
    assert again == (), "what is known already is not said again"


def test_the_whole_keeps_the_severity_that_a_person_has_set() -> None:
    world = World(BOOK)
    whole = opened_in(world, "checkout", "P2")
    world.do(SetSeverity, severity="P1")
    known = relative_of(world.states[whole], BOOK.playbook)
    assert known is not None
    part = opened_in(world, "search", "P0", Mutes(kin=replace(KIN, heard=frozenset({whole}), relatives=(known,))))
    world.decide(whole, None, lambda s: decide_absorbed(s, world.states[part], BOOK, world.now))
    assert world.states[whole].severity == "P1"


def test_only_an_incident_that_people_are_told_of_is_a_relative() -> None:
    world = World(BOOK)
    whole = opened_in(world, "checkout", "P2")
    assert relative_of(world.states[whole], BOOK.playbook) is not None
    world.do(Acknowledge)
    assert relative_of(world.states[whole], BOOK.playbook) is not None
    muted = world.states[whole]._replace(muted=Mute("silence", "s"))
    assert relative_of(muted, BOOK.playbook) is None
