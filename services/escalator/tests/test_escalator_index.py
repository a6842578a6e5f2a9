"""The index of all open incidents: what the log says of each, and little memory for it."""

from escalator_playbooks import QUICK_TEXT
from escalator_shell import ShelvedPlaybooks
from escalator_world import World, fired, rulebook, seconds

from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.adapters.index import IncidentIndex
from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_runtime.orders import Orders
from tocsin_schemas import decode, encode

SERVICES = ("checkout", "search", "cart")


async def indexed(world: World) -> IncidentIndex:
    """After everything in the log, each event read by itself, as from nats-server."""
    orders = Orders(lambda *_: None)  # type: ignore[arg-type,return-value]  # nobody reads them here
    index = IncidentIndex(Explanations(Rulebooks(ShelvedPlaybooks(), orders)))  # type: ignore[arg-type]  # a double
    events = [event for said in world.log.values() for event in said]
    await index.on_events([decode(*encode(event), sequence=at) for at, event in enumerate(events, 1)])
    return index


def busy() -> World:
    world = World(rulebook(QUICK_TEXT))
    for service in SERVICES:
        world.fire(fired(service=service))
    world.advance(seconds(1))
    world.end(fired(service="cart"))
    return world


async def test_an_incident_stands_in_the_index_as_the_log_says() -> None:
    world = busy()
    index = await indexed(world)
    assert {state.incident: state for state in index.incidents()} == world.states


async def test_what_is_alike_in_many_incidents_is_held_once() -> None:
    first, second, *_ = (await indexed(busy())).incidents()
    assert first.opening is not None
    assert second.opening is not None
    assert first.opening.playbook is second.opening.playbook
    assert first.roles is second.roles == {}
    assert first.ended is second.ended == frozenset()


async def test_an_alert_leads_to_the_incident_by_the_one_name_that_is_held() -> None:
    index = await indexed(busy())
    names = {state.incident: state.incident for state in index.incidents()}
    for state in index.incidents():
        for alert in (*state.firing, *state.ended):
            assert (found := index.incident_of(alert)) is not None
            assert found is names[found]
