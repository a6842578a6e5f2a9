"""An incident under silences that people set and lift: who is told again, who is not, and when it is looked at."""

from dataclasses import replace
from datetime import timedelta

from escalator_world import START, World, fired, minutes, person, rulebook

from tocsin_escalator.core.muting import muting_cause, outlives_its_silence, should_be_silent, unmuting_cause
from tocsin_playbook.standing_orders import NO_ORDERS, under_orders
from tocsin_schemas.commands import Decline
from tocsin_schemas.events import IncidentMuted, IncidentUnmuted, ResponderPaged, SilenceSet

BOOK = rulebook("""
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: shop}
severities: [{name: P1}]
group: {by: [service]}
oncall: {people: [{name: ada}, {name: bob}, {name: eve}]}
escalate:
  - severities: [P1]
    levels:
      - {after: 0s, notify: ["person:ada", "person:bob"], each: true}
      - {after: 10m, notify: ["person:eve"]}
""")


def under(*match: str, name: str = "s1", ends: timedelta = timedelta(hours=1)) -> SilenceSet:
    return SilenceSet(
        silence=name, match=match, begins_at=START, ends_at=START + ends, because="a move", by=person("ada")
    )


def silenced(world: World, *silences: SilenceSet) -> None:
    """These silences stand now, and no others."""
    orders = NO_ORDERS
    for each in silences:
        orders = orders.after(each)
    world.book = replace(BOOK, playbook=under_orders(BOOK.playbook, orders))


def opened() -> World:
    world = World(BOOK)
    world.fire(fired(severity="P1"))
    return world


def paged(world: World) -> list[tuple[str, int, bool]]:
    told = (each.data for each in world.log[world.incident] if isinstance(each.data, ResponderPaged))
    return [(page.target.removeprefix("person:"), page.level, bool(page.each)) for page in told]


def test_everybody_who_had_been_told_is_told_again_at_their_level() -> None:
    world = opened()
    world.advance(minutes(11))
    before = [("ada", 0, True), ("bob", 0, True), ("eve", 1, False)]
    assert paged(world) == before
    silenced(world, under('service="checkout"'))
    assert [type(event) for event in world.look_again(world.incident)][:1] == [IncidentMuted]
    silenced(world)
    assert [type(event) for event in world.look_again(world.incident)][:1] == [IncidentUnmuted]
    assert paged(world) == before * 2


def test_who_cannot_take_it_is_not_told_again() -> None:
    world = opened()
    world.do(Decline, by="ada")
    silenced(world, under('service="checkout"'))
    world.look_again(world.incident)
    count = len(paged(world))
    silenced(world)
    world.look_again(world.incident)
    assert ("ada", 0, True) not in paged(world)[count:]
    assert ("bob", 0, True) in paged(world)[count:]


def test_looking_again_changes_nothing_where_nothing_has_changed() -> None:
    world = opened()
    assert world.look_again(world.incident) == ()
    silenced(world, under('service="checkout"'))
    world.look_again(world.incident)
    assert world.look_again(world.incident) == ()


def test_it_is_silent_only_while_every_alert_that_fires_is_silenced() -> None:
    world = opened()
    silenced(world, under('alertname="CheckoutErrors"'))
    assert should_be_silent(world.state, world.mutes, world.now)
    world.fire(fired("Slow", severity="P1"))
    assert not should_be_silent(world.state, world.mutes, world.now)
    silenced(world, under('alertname="CheckoutErrors"'), under('alertname="Slow"', name="s2"))
    assert should_be_silent(world.state, world.mutes, world.now)


def test_what_is_muted_or_has_no_alert_that_fires_needs_no_look() -> None:
    world = opened()
    silenced(world, under('service="checkout"'))
    world.end(fired(severity="P1"))
    assert not should_be_silent(world.state, world.mutes, world.now)
    world = opened()
    silenced(world, under('service="checkout"'))
    world.look_again(world.incident)
    assert not should_be_silent(world.state, world.mutes, world.now)


def test_an_incident_outlives_its_silence_when_that_is_not_in_force_any_more() -> None:
    world = opened()
    assert not outlives_its_silence(world.state, world.mutes, world.now)
    silenced(world, under('service="checkout"'))
    world.look_again(world.incident)
    assert not outlives_its_silence(world.state, world.mutes, world.now)
    assert outlives_its_silence(world.state, world.mutes, START + timedelta(hours=1))
    silenced(world, under('service="checkout"', name="s2"))
    assert outlives_its_silence(world.state, world.mutes, world.now)


def test_the_causes_of_looking_again_differ_each_time() -> None:
    world = opened()
    first = muting_cause(world.state)
    silenced(world, under('service="checkout"'))
    world.look_again(world.incident)
    causes = {first, muting_cause(world.state), unmuting_cause(world.state)}
    assert len(causes) == 3
