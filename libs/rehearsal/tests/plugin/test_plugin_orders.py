"""Silences and overrides in recordings: lived through again, and decided on again by the core alone."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from plugin_nights import ADA, CHECKOUT, SHOP, minutes

from tocsin_escalator.core.standing import order_id
from tocsin_rehearsal.deciding import fold_and_decide
from tocsin_rehearsal.recorded import Recording, recorded_from
from tocsin_rehearsal.staging import Stage, quiet
from tocsin_rehearsal.world import World
from tocsin_schemas import Command
from tocsin_schemas.commands import LiftSilence, OverrideOnCall, Silence
from tocsin_schemas.events import IncidentMuted, IncidentUnmuted, ResponderPaged

NIGHT = SHOP.replace("{name: ada, ", "{name: ada, access: commander, ").replace(
    """escalate:
  - severities: [P1, P2]
    levels:
      - {after: 0s, notify: ["person:ada"]}
""",
    """  schedules: [{name: primary, layers: [{people: [ada], starts: 2026-01-01}]}]
escalate:
  - severities: [P1, P2]
    levels:
      - {after: 0s, notify: ["schedule:primary"]}
""",
)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with quiet():
        made = Stage(tmp_path)
        yield made
        made.close()


def silence(world: World, service: str = "checkout", lasts: float = 30) -> str:
    """Ask for it; what it will be called."""
    until = world.now + minutes(lasts)
    order: Command = Silence(match=(f'service="{service}"',), until=until, because="an upgrade", by=ADA)
    return order_id(world.command(order, by="ada"))


def override(world: World) -> None:
    until = world.now + minutes(600)
    world.command(OverrideOnCall(schedule="primary", person="grace", until=until, by=ADA), by="ada")


def lift(world: World, name: str) -> None:
    world.command(LiftSilence(silence=name, by=ADA), by="ada")


def a_night(stage: Stage) -> Recording:
    """Under an override that is old by then, an incident falls silent, and its silence is lifted; another's ends."""
    world = stage.make_world(text=NIGHT)
    world.at(minutes(1), partial(override, world))
    world.at(minutes(1), partial(silence, world, "other", 2))
    world.at(minutes(20), partial(world.alert, CHECKOUT, lasts=minutes(40)))
    world.at(minutes(22), lambda: world.at(minutes(30), partial(lift, world, silence(world))))
    world.at(minutes(35), partial(world.alert, CHECKOUT | {"service": "search"}, lasts=minutes(40)))
    world.at(minutes(36), partial(silence, world, "search", 5))
    world.at(minutes(50), partial(silence, world, "none", 5))
    world.run_until(minutes(120))
    return Recording(recorded_from(world))


def test_a_night_with_orders_is_lived_through_again(stage: Stage) -> None:
    night = a_night(stage)
    kinds = [type(event.data) for event in night.log]
    assert (kinds.count(IncidentMuted), kinds.count(IncidentUnmuted)) == (2, 2)
    paged = {event.data.target for event in night.log if isinstance(event.data, ResponderPaged)}
    assert "person:ada" not in paged
    replay = stage.replay(night, replicas=2)
    assert (replay.differences, replay.not_sent) == ([], [])


def test_a_night_with_orders_is_decided_on_again(stage: Stage) -> None:
    decided = fold_and_decide(a_night(stage))
    assert (decided.differences, decided.undecided) == ([], [])


def test_an_order_that_is_missing_shows_as_a_difference(stage: Stage) -> None:
    night = a_night(stage)
    without = Recording([message for message in night.messages if message.stream not in ("ORDERS", "COMMANDS")])
    assert stage.replay(without).differences != []
    assert fold_and_decide(without).undecided != []


def test_what_the_audit_has_muted_is_decided_on_again(stage: Stage) -> None:
    world = stage.make_world(text=NIGHT)
    world.at(minutes(2), partial(world.alert, CHECKOUT, lasts=minutes(40)))

    def later() -> None:
        begins = world.now + minutes(3)
        order = Silence(
            match=('service="checkout"',), begins_at=begins, until=begins + minutes(5), because="an upgrade", by=ADA
        )
        world.command(order, by="ada")

    world.at(minutes(3), later)
    world.run_until(minutes(60))
    night = Recording(recorded_from(world))
    assert [type(event.data) for event in night.log].count(IncidentMuted) == 1
    decided = fold_and_decide(night)
    assert (decided.differences, decided.undecided) == ([], [])
