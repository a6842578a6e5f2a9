"""One short function an input: find the incident, decide, append; then set the alarm clocks."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from tocsin_escalator.adapters.alarms import Alarm, Alarms, alarms_for, open_alarms
from tocsin_escalator.adapters.explanations import Explanations
from tocsin_escalator.adapters.index import IncidentIndex
from tocsin_escalator.adapters.rulebooks import Rulebooks
from tocsin_escalator.after_outage import AfterOutage
from tocsin_escalator.alert_commands import about_its_incident
from tocsin_escalator.core.deadlines import early, is_overdue, ring_cause
from tocsin_escalator.core.grouping import group_of
from tocsin_escalator.core.incident import IncidentState
from tocsin_escalator.core.on_alert import Slot, decide_alert_fired, decide_alert_resolved
from tocsin_escalator.core.on_command import INCIDENT_COMMANDS, decide_command
from tocsin_escalator.core.on_outcome import concerns, decide_outcome
from tocsin_escalator.core.on_timer import decide_timer, decide_unmuted
from tocsin_escalator.core.rulebook import Rulebook
from tocsin_escalator.half_written import HalfWritten
from tocsin_escalator.metrics import LATENESS
from tocsin_escalator.relations import REST_PAUSE, TOGETHER, Relations
from tocsin_escalator.search import W, alert_key, find_slot, find_slot_now, read_now, read_whole
from tocsin_runtime import BusUnavailableError, Clock, Decider, Delivery, RefusedError
from tocsin_schemas import Envelope, Event, Payload, TimerDue
from tocsin_schemas.commands import AcknowledgeAlert
from tocsin_schemas.events import AlertFired, AlertResolved, IncidentMuted
from tocsin_schemas.ids import incident_id

__all__ = ["Afterwards", "Handlers", "UnknownIncidentError"]

log = structlog.get_logger(__name__)

Inputs = Sequence[Delivery[Payload]]
Decision = Callable[[IncidentState, datetime], Sequence[Event]]
Handle = Callable[[W, Delivery[Payload], "Afterwards"], Awaitable[None]]

NO_PLAYBOOK_PAUSE = 2.0
"""Seconds until an input for which there is no playbook is looked at again."""

OVERTAKEN_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds for which the end of an unknown alert waits for its beginning: together longer than a replica that was
killed holds a message (the consumer's ack wait)."""

OVERTAKEN_FOR = timedelta(hours=1)
"""For how long it waits where it cannot be remembered, because its group has no incident: as long as the log takes
nothing, its beginning may be waiting too. Were it dropped, the incident that follows would never end."""

LONGEST_WAIT = timedelta(seconds=30)
"""For how long an alarm clock that rings early waits; then it is asked again, for the wall clock may have been set."""

_HALF_PAUSE = 1.0


class UnknownIncidentError(RefusedError):
    """A command names an incident that does not exist; there is no log to answer it in."""

    def __init__(self, incident: str) -> None:
        super().__init__(f"there is no incident {incident}")


class AlertNotTakenError(AssertionError):
    """An alert was handled and no incident knows it: a mistake of ours, which must not cost the alert."""


@dataclass(slots=True)
class Afterwards:
    """What is done once the decisions are in the log, by the input's place in its stream.

    When an input is decided on again after a lost race, what it noted before is replaced.
    """

    alarms: dict[int, tuple[Alarm, ...]] = field(default_factory=dict)
    later: dict[int, float] = field(default_factory=dict)

    def begin(self, key: int) -> None:
        self.alarms.pop(key, None)
        self.later.pop(key, None)


@dataclass
class Handlers:
    """The escalator's four inputs; `ring` is shared with the audit."""

    decider: Decider[IncidentState]
    rulebooks: Rulebooks
    index: IncidentIndex
    explanations: Explanations
    alarms: Alarms
    clock: Clock
    audit_every: timedelta
    half_written: HalfWritten
    after_outage: AfterOutage

    @property
    def relations(self) -> Relations:
        """What concerns more than one incident."""
        return Relations(self)

    # --- the inputs ---------------------------------------------------------------------------------------------------

    async def on_alerts(self, inputs: Inputs) -> None:
        """Alerts that fire, are renewed, or end."""
        self.after_outage.note(inputs)
        latest = (incident_id(group, self.index.latest(group)) for group in self._groups(inputs))
        await self._handle(inputs, self._alert, ahead=self.decider.unread(latest))

    async def on_outcomes(self, inputs: Inputs) -> None:
        """How mitigations and notifications went."""
        await self._handle([given for given in inputs if _concerns(given.envelope.data)], self._outcome)

    async def on_timers(self, inputs: Inputs) -> None:
        """Alarm clocks that ring."""
        timers = [given.envelope.data for given in inputs if isinstance(given.envelope.data, TimerDue)]
        await self._handle(inputs, self._timer, ahead={each.incident for each in timers if self._is_news(each)})

    async def on_commands(self, inputs: Inputs) -> None:
        """What people ask for."""
        self.after_outage.note(inputs)
        await self._handle(inputs, self._command)

    async def _handle(self, inputs: Inputs, handle: Handle, *, ahead: Iterable[str] = ()) -> None:
        then = Afterwards()

        async def decide(work: W, given: Delivery[Payload]) -> None:
            then.begin(given.position.sequence)
            await handle(work, given, then)

        try:
            await self.decider.many(inputs, decide, ahead=ahead)
        except BusUnavailableError:
            self.half_written.begin_anew()
            raise
        await self.alarms.set(alarm for alarms in then.alarms.values() for alarm in alarms)
        for given in inputs:
            if (seconds := then.later.get(given.position.sequence)) is not None:
                await given.retry_in(seconds)  # the runtime acknowledges the others

    def _groups(self, inputs: Inputs) -> Iterator[str]:
        for given in inputs:
            if isinstance(alert := given.envelope.data, AlertFired | AlertResolved):
                rulebook = self.rulebooks.of_alert(alert, waited=False)
                if rulebook is not None:
                    yield group_of(alert, rulebook).key

    # --- alerts -------------------------------------------------------------------------------------------------------

    async def _alert(self, work: W, given: Delivery[Payload], then: Afterwards) -> None:
        await self.alert(work, given.envelope, given.position.sequence, given.position.deliveries, then)

    async def alert(self, work: W, message: Envelope[Payload], key: int, tries: int, then: Afterwards) -> None:
        """An alert fires, is renewed, or ends; `tries`: how often this message has come."""
        alert = message.data
        if not isinstance(alert, AlertFired | AlertResolved):
            raise TypeError(f"{message.type} is not an alert")
        has_waited = tries > len(OVERTAKEN_PAUSES)
        rulebook = self.rulebooks.of_alert(alert, waited=has_waited)
        if rulebook is None:
            then.later[key] = NO_PLAYBOOK_PAUSE
            return
        if isinstance(alert, AlertFired):
            slot = await find_slot(work, message, alert, rulebook, self.index)
            await self._fired(work, message, alert, slot, rulebook, key, then)
            return
        slot, state = await find_slot_now(work, message, alert, rulebook, self.index)
        in_vain = has_waited and (state.opening is not None or work.now - message.time > OVERTAKEN_FOR)
        if state.knows(alert_key(alert)) or in_vain:
            await self._ended(work, message, alert, slot, rulebook, key, then)
        else:
            then.later[key] = OVERTAKEN_PAUSES[min(tries, len(OVERTAKEN_PAUSES)) - 1]

    async def _fired(
        self,
        work: W,
        message: Envelope[Payload],
        alert: AlertFired,
        slot: Slot,
        rulebook: Rulebook,
        key: int,
        then: Afterwards,
    ) -> None:
        def decision(state: IncidentState, now: datetime) -> Sequence[Event]:
            pinned = self._pinned(state, rulebook)
            return decide_alert_fired(state, alert, slot, pinned, now, self.explanations.mutes(pinned))

        events = await self.decide(work, slot.incident, message.id, decision, key, then)
        self.explanations.began(rulebook.ref, slot.incident, alert_key(alert), alert.rule, alert.labels)
        known = await work.known(slot.incident)
        if key not in then.later and not known.state.knows(alert_key(alert)):
            raise AlertNotTakenError(f"incident {slot.incident} has not taken alert {alert.fingerprint}")
        self.explanations.kinships.stands(known.state)
        if known.state.part_of is not None and (events or work.was_decided(slot.incident, known, message.id)):
            await self.relations.absorb(work, known.state, message.id, then, key)

    async def _ended(
        self,
        work: W,
        message: Envelope[Payload],
        alert: AlertResolved,
        slot: Slot,
        rulebook: Rulebook,
        key: int,
        then: Afterwards,
    ) -> None:
        def decision(state: IncidentState, now: datetime) -> Sequence[Event]:
            return decide_alert_resolved(state, alert, self._pinned(state, rulebook), now)

        events = await self.decide(work, slot.incident, message.id, decision, key, then)
        self.explanations.ended(alert_key(alert))
        full = work.size + TOGETHER
        for muted in self.explanations.inhibited_by(slot.incident):
            if work.size > full:
                then.later[key] = REST_PAUSE  # one append does not take all
                break
            # also when it comes again: we may have died in between
            await self.look_again(work, muted, message.id, key, then)
        if not events and key not in then.later and (await work.known(slot.incident)).state.opening is None:
            log.warning("an alert ended that nobody has heard of", rule=alert.rule, fingerprint=alert.fingerprint)

    # --- the others ---------------------------------------------------------------------------------------------------

    async def _outcome(self, work: W, given: Delivery[Payload], then: Afterwards) -> None:
        message, key = given.envelope, given.position.sequence
        event = message.data
        rulebook = await self.rulebook_of(work, message.incident, key, then) if message.incident else None
        if rulebook is None or not isinstance(event, Event):
            log.warning("an outcome is not decided on", event_type=message.type, incident=message.incident)
            return
        await self.decide(
            work,
            message.incident,
            message.id,
            lambda state, now: decide_outcome(state, event, self._pinned(state, rulebook), now),
            key,
            then,
        )

    async def _timer(self, work: W, given: Delivery[Payload], then: Afterwards) -> None:
        timer, key = given.envelope.data, given.position.sequence
        if not isinstance(timer, TimerDue):
            raise TypeError(f"{given.envelope.type} is not an alarm clock")
        state = (await work.known(timer.incident)).state
        known = state.deadlines.get(timer.deadline)
        if known is None or known.due_at != timer.due_at:
            state = (await read_now(work, timer.incident)).state  # another replica may have set it, or moved it
        if (rest := early(state, timer, work.now)) is not None:
            then.later[key] = min(rest, LONGEST_WAIT).total_seconds()
        elif (pause := self._put_off(state, timer, given)) is not None:
            then.later[key] = pause
        else:
            await self.ring(work, timer.incident, timer.deadline, key, then)

    def _is_news(self, timer: TimerDue) -> bool:
        """Whether the incident has no such deadline as far as is in memory: it has to be read."""
        known = self.decider.in_memory(timer.incident)
        deadline = known.state.deadlines.get(timer.deadline) if known is not None else None
        return deadline is None or deadline.due_at != timer.due_at

    def _put_off(self, state: IncidentState, timer: TimerDue, given: Delivery[Payload]) -> float | None:
        if timer.deadline not in state.deadlines:
            return None
        place, tries = given.position.sequence, given.position.deliveries
        return self.after_outage.put_off(place, self._rank(state), timer.due_at, tries, self.clock.now())

    async def ring(self, work: W, incident: str, deadline_id: str, key: int, then: Afterwards) -> int:
        """Decide what follows from a deadline, if it is open and due; the answer is how many events did."""
        told = await self._ring(work, incident, deadline_id, key, then)
        await self.relations.left_behind(work, incident, then, key)
        return told

    async def _ring(self, work: W, incident: str, deadline_id: str, key: int, then: Afterwards) -> int:
        deadline = (await read_whole(work, incident)).settled.deadlines.get(deadline_id)
        if deadline is None or not is_overdue(deadline, work.now):
            return 0
        rulebook = await self.rulebook_of(work, incident, key, then)
        if rulebook is None:
            return 0
        events = await self.decide(
            work,
            incident,
            ring_cause(incident, deadline),
            lambda state, now: decide_timer(
                state, deadline_id, pinned := self._pinned(state, rulebook), now, self.explanations.mutes(pinned)
            ),
            key,
            then,
        )
        if any(isinstance(event.data, IncidentMuted) for event in events):
            await self.relations.found(work, incident, ring_cause(incident, deadline), then, key)
        if events:
            LATENESS.observe((work.now - deadline.due_at).total_seconds())
        return len(events)

    async def look_again(
        self, work: W, incident: str, cause: str, key: int, then: Afterwards, over: str | None = None
    ) -> None:
        """What muted this incident may be over; `over` is an incident that certainly is."""
        gone = frozenset({over} if over is not None else ())
        rulebook = await self.rulebook_of(work, incident, key, then)
        if rulebook is None:
            return
        events = await self.decide(
            work,
            incident,
            cause,
            lambda state, now: decide_unmuted(
                state, pinned := self._pinned(state, rulebook), now, self.explanations.mutes(pinned, gone)
            ),
            key,
            then,
        )
        if any(isinstance(event.data, IncidentMuted) for event in events) or work.was_decided(
            incident, await work.known(incident), cause
        ):
            await self.relations.found(work, incident, cause, then, key)

    async def _command(self, work: W, given: Delivery[Payload], then: Afterwards) -> None:
        message, key = given.envelope, given.position.sequence
        command = message.data
        if isinstance(command, AcknowledgeAlert):
            tries = given.position.deliveries
            meant = await about_its_incident(work, message, command, self.rulebooks, self.index, tries)
            if isinstance(meant, float):
                then.later[key] = meant
                return
            command = meant
        if not isinstance(command, INCIDENT_COMMANDS):
            raise TypeError(f"{message.type} is not a command to the escalator")
        incident = command.incident
        if (await work.known(incident)).state.opening is None and (
            await read_now(work, incident)
        ).state.opening is None:
            raise UnknownIncidentError(incident)
        rulebook = await self.rulebook_of(work, incident, key, then)
        if rulebook is None:
            return
        if self.half_written.comes_first(await read_whole(work, incident), message.id):
            then.later[key] = _HALF_PAUSE  # before anything is written because of it elsewhere
            return
        others = await self.relations.others(work, command, message.id, rulebook)
        await self.relations.before(work, command, others, message.id, rulebook, then, key)
        await self.decide(
            work,
            incident,
            message.id,
            lambda state, now: decide_command(state, command, self._pinned(state, rulebook), now, others),
            key,
            then,
        )
        await self.relations.after(work, command, others, message.id, then, key)

    # --- how ----------------------------------------------------------------------------------------------------------

    async def decide(
        self, work: W, incident: str, cause: str, decision: Decision, key: int, then: Afterwards
    ) -> tuple[Envelope[Event], ...]:
        """Decide, and note the clocks to set. Where this was decided before, its clocks may never have been set."""
        if self.half_written.comes_first(await read_whole(work, incident), cause):
            then.later[key] = _HALF_PAUSE
            return ()
        events = await work.decide(incident, cause, decision)
        if events:
            then.alarms[key] = (*then.alarms.get(key, ()), *alarms_for(events, before=work.now + 2 * self.audit_every))
        elif work.was_decided(incident, known := await work.known(incident), cause):
            then.alarms[key] = (
                *then.alarms.get(key, ()),
                *open_alarms(known.state, work.now + 2 * self.audit_every),
            )
        return events

    async def rulebook_of(self, work: W, incident: str, key: int, then: Afterwards) -> Rulebook | None:
        """The rulebook of an incident that exists. Where its playbook is not to be had, the input waits."""
        opening = (await work.known(incident)).state.opening or (await read_now(work, incident)).state.opening
        if opening is None:
            return None
        rulebook = self.rulebooks.of_incident(opening.playbook)
        if rulebook is None:
            then.later[key] = NO_PLAYBOOK_PAUSE
        return rulebook

    def _rank(self, state: IncidentState) -> int:
        """0 for the most severe, and where nobody knows."""
        rulebook = self.rulebooks.of_incident(state.opening.playbook) if state.opening is not None else None
        return rulebook.ranks.get(state.severity, 0) if rulebook is not None else 0

    def _pinned(self, state: IncidentState, otherwise: Rulebook) -> Rulebook:
        if state.opening is None:
            return otherwise
        return self.rulebooks.of_incident(state.opening.playbook) or otherwise


def _concerns(event: Payload) -> bool:
    return isinstance(event, Event) and concerns(event)
