"""Finding the incident an alert belongs to: `core.placing` says which it is, this walks the log to see."""

from collections.abc import Sequence
from datetime import UTC, datetime

from tocsin_escalator.adapters.index import IncidentIndex
from tocsin_escalator.core.grouping import Group, group_of
from tocsin_escalator.core.incident import AlertKey, IncidentState, Phase
from tocsin_escalator.core.on_alert import Slot
from tocsin_escalator.core.placing import LOOK_BACK, began_before, is_over
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_runtime import Known, Work
from tocsin_schemas import Envelope, Event, Payload
from tocsin_schemas.events import AlertFired, AlertResolved
from tocsin_schemas.ids import incident_id
from tocsin_schemas.moments import EARLIEST

__all__ = ["Alert", "alert_key", "day_number_of", "find_slot", "find_slot_now", "read_now", "read_whole"]

Alert = AlertFired | AlertResolved
W = Work[IncidentState]


def alert_key(alert: Alert) -> AlertKey:
    return AlertKey(alert.fingerprint, alert.episode)


async def find_slot(
    work: W, message: Envelope[Payload], alert: Alert, rulebook: Rulebook, index: IncidentIndex
) -> Slot:
    """Where among its group's incidents an alert belongs: one that knows it, else the one that takes it now.

    The index only says where to begin. What is written is written under the expectation that what was read still
    holds, so a stale hint costs a second look and no more.
    """
    if (hinted := index.incident_of(alert_key(alert))) is not None:
        state = await _where_it_was_moved(work, hinted, alert_key(alert))
        if (opening := state.opening) is not None and state.knows(alert_key(alert)):
            return Slot(Group(opening.group_key, opening.labels), opening.number, incident=state.incident)
    group = group_of(alert, rulebook)
    number = await _current(work, group.key, index.latest(group.key), rulebook)
    number = await _knowing(work, group.key, number, message, alert)
    incident = incident_id(group.key, number)
    state = await _where_it_was_moved(work, incident, alert_key(alert))
    if state.incident != incident and (opening := state.opening) is not None:
        return Slot(Group(opening.group_key, opening.labels), opening.number, incident=state.incident)
    previous = incident_id(group.key, number - 1) if number else None
    day_number = day_number_of(work, rulebook, index) if state.opening is None else None
    return Slot(group, number, previous=previous, incident=incident, day_number=day_number)


async def find_slot_now(
    work: W, message: Envelope[Payload], alert: Alert, rulebook: Rulebook, index: IncidentIndex
) -> tuple[Slot, IncidentState]:
    """As `find_slot`, with the incident as the log has it now: another replica may just have split the alert off."""
    for _ in range(LOOK_BACK):
        slot = await find_slot(work, message, alert, rulebook, index)
        state = (await read_now(work, slot.incident)).state
        if alert_key(alert) not in state.moved:
            break
    return slot, state


def day_number_of(work: W, rulebook: Rulebook, index: IncidentIndex) -> int | None:
    """Which of the day's incidents a new one is, where its room is named by it."""
    room = rulebook.playbook.communicate.war_room
    if room is None or not room.counts_the_day:
        return None
    return index.next_of_day(rulebook.ref.name, work.now.astimezone(UTC).date())


async def _where_it_was_moved(work: W, incident: str, alert: AlertKey) -> IncidentState:
    """This incident, or the one that this alert was split off into, however often."""
    state = (await work.known(incident)).state
    for _ in range(LOOK_BACK):
        if alert not in state.moved:
            break
        state = (await work.known(state.moved[alert].to)).state
    return state


async def read_now(work: W, incident: str) -> Known[IncidentState]:
    """The incident as the log has it now. What is closed stays as it was read."""
    known = await work.known(incident)
    if known.state.phase is Phase.CLOSED and not known.halves:
        return known
    await work.decide(incident, "read", _nothing)  # a decision to do nothing is made on what was just read
    return await work.known(incident)


async def read_whole(work: W, incident: str) -> Known[IncidentState]:
    """The incident; where a part of a decision is missing, as the log has it now: another replica may have added it."""
    known = await work.known(incident)
    return await read_now(work, incident) if known.halves else known


async def _current(work: W, group_key: str, number: int, rulebook: Rulebook) -> int:
    """The first incident of the group, from this number on, that is not over: it may not have been opened yet."""
    while True:
        incident = incident_id(group_key, number)
        if not is_over((await work.known(incident)).state, rulebook, work.now):
            return number
        # Another replica may have reopened it since it was read: going on would make two incidents of one.
        if not is_over((await read_now(work, incident)).state, rulebook, work.now):
            return number
        number += 1


async def _knowing(work: W, group_key: str, current: int, message: Envelope[Payload], alert: Alert) -> int:
    """The incident that has had this very alert, or decided on this very message; else the current one."""
    # The end of an alert does not say when it began.
    since = min(alert.starts_at, message.time) if isinstance(alert, AlertFired) else EARLIEST
    for number in range(current, max(-1, current - LOOK_BACK), -1):
        incident = incident_id(group_key, number)
        known = await (work.known(incident) if number == current else read_now(work, incident))
        if work.was_decided(incident, known, message.id) or known.state.knows(alert_key(alert)):
            return number
        if began_before(known.state, since):
            break
    return current


def _nothing(state: IncidentState, now: datetime) -> Sequence[Event]:
    return ()
