"""Asking a service for something on somebody's behalf: a command goes out, and its answer is what it brought about.

The answer is the events whose cause is the command; or the dead letter that it ended as; or, for a standing order, the
event on the log of orders.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from tocsin_runtime.bus.connection import Connection
from tocsin_runtime.bus.errors import BusUnavailableError
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.bus.stored import StoredMessages
from tocsin_runtime.orders import Orders
from tocsin_schemas import Command, DeadLettered, Envelope, EnvelopeError, Event, caused_by, decode
from tocsin_schemas.events import CommandRejected, OrderRejected, RequestRefused
from tocsin_schemas.subjects import command_subject, deadletter_subject

__all__ = ["Answer", "Asking"]

log = structlog.get_logger(__name__)

_CONFIRMED_WITHIN = 8.0
"""Seconds for NATS to have taken the command, all attempts together."""

_LOOK_EVERY = 0.05
_LETTERS_SINCE = timedelta(minutes=15)
"""How far before the command its dead letter is looked for: only a bound of what is read, for the ids are compared.
Longer than NATS takes an id only once: a command that is repeated within that time is not carried out again, and the
letter about it is as old as its first sending."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command: `events` it brought about, in the log's order, or `refused`: one sentence why not (the
    events are then the refusal, where it stands in a log). Neither: nobody has carried it out yet, and it stays queued.
    """

    command: str
    events: tuple[Envelope[Event], ...] = ()
    refused: str | None = None

    @property
    def pending(self) -> bool:
        """Whether nobody has carried it out yet."""
        return not self.events and self.refused is None


class Asking:
    """Sends commands for people, and waits for what comes of them.

    `orders` are the standing orders that the service follows anyway; without them they are followed while one is asked.
    """

    def __init__(self, connection: Connection, service: str, *, orders: Orders | None = None) -> None:
        self._connection, self._service, self._orders = connection, service, orders

    async def ask(self, command: Command, cause: str, *, within: float = 8.0) -> Answer:
        """Send it and wait, `within` seconds after NATS has taken it. Its id is derived from `cause`: asked again with
        the same cause, it is the same command, and the answer is what came of it.

        Raises BusUnavailableError when NATS does not confirm it (it may have been sent: ask again with the same cause),
        NotAllowedError when the identity may not send it.
        """
        envelope = self._envelope(command, cause)
        try:
            if envelope.incident:
                await self._publish(envelope)
                async with asyncio.timeout(within):
                    return await self._answer_in_log(envelope)
            async with self._following() as orders:
                await self._publish(envelope)
                async with asyncio.timeout(within):
                    return await self._answer_in_orders(orders, envelope)
        except TimeoutError:
            return Answer(envelope.id)

    async def send(self, command: Command, cause: str) -> str:
        """Only send it, as `ask` does; the answer is the command's id."""
        envelope = self._envelope(command, cause)
        await self._publish(envelope)
        return envelope.id

    def _envelope(self, command: Command, cause: str) -> Envelope[Command]:
        incident = str(getattr(command, "incident", ""))  # standing orders are about none
        return caused_by(cause, 0, self._service, incident, self._connection.clock.now(), command)

    async def _publish(self, envelope: Envelope[Command]) -> None:
        try:
            async with asyncio.timeout(_CONFIRMED_WITHIN):
                await self._connection.publish(command_subject(type(envelope.data)), envelope)
        except TimeoutError:
            raise BusUnavailableError(f"not confirmed within {_CONFIRMED_WITHIN:g} s") from None

    # --- about an incident --------------------------------------------------------------------------------------------

    async def _answer_in_log(self, sent: Envelope[Command]) -> Answer:
        letters = StoredMessages(
            self._connection,
            "DEADLETTERS",
            subject=deadletter_subject(sent.data.OWNER),
            since=sent.time - _LETTERS_SINCE,
            patience=0,
        )
        incidents, known = IncidentLog(self._connection), 0
        while True:
            try:
                events = await incidents.load(sent.incident, after=known)
                known = events[-1].sequence if events else known
                if answers := tuple(event for event in events if event.cause == sent.id):
                    return Answer(sent.id, answers, _refused(answers))
                if (reason := await _parked_because(letters, sent)) is not None:
                    return Answer(sent.id, refused=reason)
            except (BusUnavailableError, EnvelopeError) as error:  # it was sent, so the answer is only late
                log.debug("the answer to a command cannot be read yet", command=sent.id, reason=str(error))
            await asyncio.sleep(_LOOK_EVERY)

    # --- a standing order ---------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _following(self) -> AsyncIterator[Orders]:
        if self._orders is not None:
            yield self._orders
            return
        orders = Orders(partial(Follower, self._connection, service=self._service))
        await orders.start()
        try:
            yield orders
        finally:
            await orders.stop()

    async def _answer_in_orders(self, orders: Orders, sent: Envelope[Command]) -> Answer:
        answer = orders.answer_to(sent.id)
        while answer is None:
            await asyncio.sleep(_LOOK_EVERY)
            answer = orders.answer_to(sent.id)
        return Answer(sent.id, (answer,), _refused((answer,)))


def _refused(events: tuple[Envelope[Event], ...]) -> str | None:
    for event in events:
        if isinstance(event.data, CommandRejected | RequestRefused | OrderRejected):
            return event.data.reason
    return None


async def _parked_because(letters: StoredMessages, sent: Envelope[Command]) -> str | None:
    """Why the command was set aside; none as long as it was not."""
    async for message in letters.read(last=2**53):
        try:
            letter = decode(dict(message.headers), message.data).data
        except EnvelopeError:  # no letter of ours
            continue
        if isinstance(letter, DeadLettered) and letter.headers.get("ce-id") == sent.id:
            return letter.reason.removeprefix("refused: ")
    return None
