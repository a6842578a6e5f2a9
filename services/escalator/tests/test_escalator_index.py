"""The index of all open incidents: what the log says of each, and little memory for it."""

import pytest
from escalator_playbooks import QUICK_TEXT
from escalator_shell import MovableClock, Shell, ShelvedPlaybooks
from escalator_world import World, fired, person, rulebook, seconds

from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.adapters.index import IncidentIndex
from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_runtime import Connection
from tocsin_runtime.orders import Orders
from tocsin_schemas import Envelope, Event, decode, encode
from tocsin_schemas.commands import Acknowledge, AddNote, Resolve

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


# --- what stands in the index need not be read from the log ----------------------------------------------------------


@pytest.fixture
def other(shell: Shell, connection: Connection, playbooks: ShelvedPlaybooks, clock: MovableClock) -> Shell:
    """Another replica, that has decided on nothing yet."""
    return Shell(connection, playbooks, clock)


@pytest.fixture
def read(other: Shell, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What it reads from the log."""
    seen: list[str] = []
    load = other.log.load

    async def noting(incident: str, **more: object) -> list[Envelope[Event]]:
        seen.append(incident)
        return await load(incident, **more)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(other.log, "load", noting)
    return seen


def incident_of(shell: Shell) -> str:
    (state,) = shell.index.incidents()
    return state.incident


async def test_a_replica_that_comes_up_decides_on_what_its_index_says(
    shell: Shell, other: Shell, read: list[str]
) -> None:
    await shell.handle(fired(at=shell.clock.now()))
    (incident,) = shell.decider._states
    await other.follow(incident)
    read.clear()
    await other.handle(AddNote(incident=incident_of(other), by=person("ada"), text="I look"))
    assert read == []
    assert (await shell.said(incident))[-1] == "NoteAdded"


async def test_what_the_log_says_counts_where_the_index_lags_behind(
    shell: Shell, other: Shell, read: list[str]
) -> None:
    await shell.handle(fired(at=shell.clock.now()))
    (incident,) = shell.decider._states
    await other.follow(incident)
    await shell.handle(Acknowledge(incident=incident, by=person("ada")))
    read.clear()
    await other.handle(Resolve(incident=incident, by=person("bob")))
    assert incident in read
    said = await shell.said(incident)
    assert said.index("IncidentAcknowledged") < said.index("IncidentResolved")
    assert said.count("IncidentResolved") == 1


async def test_what_was_decided_on_is_not_decided_on_again_from_the_index(
    shell: Shell, other: Shell, read: list[str]
) -> None:
    alert = fired(at=shell.clock.now())
    await shell.handle(alert, name="alert")
    (incident,) = shell.decider._states
    note = AddNote(incident=incident, by=person("ada"), text="once")
    await shell.handle(note, name="note")
    before = await shell.said(incident)
    await other.follow(incident)
    read.clear()
    await other.handle(note, name="note")
    await other.handle(alert, name="alert")
    assert await shell.said(incident) == before
    assert read == []
