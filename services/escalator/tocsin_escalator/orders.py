"""Standing orders: a command is answered in their own stream, then the incidents that it concerns are looked at again.

The answer is written under the expectation that nobody has given an order since those that it was decided on. So two
replicas never answer one command in two ways, and whoever gets it again, after a crash in between, finds the answer.
"""

from collections.abc import Iterator, Sequence

import structlog

from tocsin_escalator.core.incident import IncidentState
from tocsin_escalator.core.muting import muting_cause, outlives_its_silence, should_be_silent, unmuting_cause
from tocsin_escalator.core.standing import ORDER_COMMANDS, OrderCommand, decide_order, order_id
from tocsin_escalator.handlers import Afterwards, Handlers, Inputs
from tocsin_escalator.search import W
from tocsin_runtime import Connection, LostRaceError
from tocsin_runtime.orders import Orders
from tocsin_schemas import Envelope, Event, Payload, caused_by
from tocsin_schemas.events import SilenceLifted, SilenceSet
from tocsin_schemas.subjects import ORDERS, order_subject

__all__ = ["OrderHandlers"]

log = structlog.get_logger(__name__)

OVERTAKEN_PAUSE = 0.2
"""Seconds until a command is looked at again when another order came first."""


class OrderHandlers:
    """Takes the commands; those about incidents it hands on."""

    def __init__(self, orders: Orders, connection: Connection, handlers: Handlers) -> None:
        self._orders, self._connection, self._handlers = orders, connection, handlers

    async def on_commands(self, inputs: Inputs) -> None:
        """What people ask for."""
        others = []
        for given in inputs:
            if not isinstance(command := given.envelope.data, ORDER_COMMANDS):
                others.append(given)
            elif (answer := await self._answer(given.envelope, command)) is None:
                await given.retry_in(OVERTAKEN_PAUSE)
            else:
                await self._follow_up(answer)
        if others:
            await self._handlers.on_commands(others)

    async def audit(self) -> None:
        """What no handler of an order has seen: silences that began later, incidents that were opened meanwhile."""
        await self._look_again([(state.incident, muting_cause(state)) for state in self._too_loud()])
        await self._look_again([(state.incident, unmuting_cause(state)) for state in self._too_quiet()])

    # --- answering ----------------------------------------------------------------------------------------------------

    async def _answer(self, message: Envelope[Payload], command: OrderCommand) -> Envelope[Event] | None:
        """The one answer to this command; none where it must be decided on again."""
        known = self._orders.answer_to(message.id)
        if known is not None:
            return known
        position, now = self._orders.position, self._handlers.clock.now()
        playbooks = self._handlers.rulebooks.in_force()
        event = decide_order(self._orders.standing, command, playbooks, order_id(message.id), now)
        answer = caused_by(message.id, 0, event.OWNER, "", now, event)
        expect = {
            "Nats-Expected-Last-Subject-Sequence": str(position),
            "Nats-Expected-Last-Subject-Sequence-Subject": ORDERS,
        }
        try:
            written = await self._connection.publish(order_subject(type(event)), answer, expect=expect)
        except LostRaceError as error:
            log.info("an order is decided on again", reason=str(error))
            return None
        answer = answer.at(written.sequence)
        self._orders.take(answer)
        return answer

    # --- what follows -------------------------------------------------------------------------------------------------

    async def _follow_up(self, answer: Envelope[Event]) -> None:
        """Also when the command comes again: whoever answered it may have died before this."""
        if isinstance(answer.data, SilenceSet):
            await self._look_again([(state.incident, answer.cause) for state in self._too_loud()])
        elif isinstance(answer.data, SilenceLifted):
            await self._look_again([(state.incident, answer.cause) for state in self._too_quiet()])

    def _too_loud(self) -> Iterator[IncidentState]:
        """Incidents of which people are told although each of their alerts is silenced by now."""
        handlers, now = self._handlers, self._handlers.clock.now()
        if not any(each.begins_at <= now < each.ends_at for each in self._orders.standing.silences):
            return
        for state in handlers.index.settled():
            if state.opening is None or state.muted is not None or not state.firing:
                continue
            rulebook = handlers.rulebooks.of_incident(state.opening.playbook)
            if rulebook is not None and should_be_silent(state, handlers.explanations.mutes(rulebook), now):
                yield state

    def _too_quiet(self) -> Iterator[IncidentState]:
        """Incidents that are muted by a silence which is not in force any more."""
        handlers, now = self._handlers, self._handlers.clock.now()
        for state in handlers.index.settled():
            if state.opening is None or state.muted is None or state.muted.why != "silence":
                continue
            rulebook = handlers.rulebooks.of_incident(state.opening.playbook)
            if rulebook is not None and outlives_its_silence(state, handlers.explanations.mutes(rulebook), now):
                yield state

    async def _look_again(self, incidents: Sequence[tuple[str, str]]) -> None:
        """Each of these incidents, because of its cause."""
        then = Afterwards()

        async def look(work: W, numbered: tuple[int, tuple[str, str]]) -> None:
            key, (incident, cause) = numbered
            then.begin(key)
            await self._handlers.look_again(work, incident, cause, key, then)

        if incidents:
            await self._handlers.decider.many(list(enumerate(incidents)), look)
            await self._handlers.alarms.set(alarm for alarms in then.alarms.values() for alarm in alarms)
