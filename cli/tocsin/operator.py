"""What operators ask for by hand: a command goes out, and the answer is the event that it brought about."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx
from nats.errors import Error as NatsError

from tocsin.place import Place
from tocsin_rehearsal.recording.streams import StreamReader
from tocsin_runtime import Address, BusUnavailableError, Connection
from tocsin_runtime.bus.errors import NotAllowedError
from tocsin_runtime.bus.follow import Follower
from tocsin_runtime.bus.log import IncidentLog
from tocsin_runtime.identities import IDENTITIES
from tocsin_runtime.orders import Orders
from tocsin_schemas import Actor, Command, DeadLettered, Envelope, Event, caused_by, decode
from tocsin_schemas.events import OrderRejected
from tocsin_schemas.subjects import command_subject, deadletter_subject

__all__ = ["NotReachableError", "Operator", "ProblemError"]

_ANSWER_WITHIN = 8.0
_CONNECT_WITHIN = 5.0
_LOOK_EVERY = 0.05
_LETTERS_SINCE = timedelta(minutes=1)
"""How far before the command its dead letter is looked for: only a bound of what is read, for the ids are compared."""


class NotReachableError(RuntimeError):
    """No Tocsin was found to talk to."""


class ProblemError(RuntimeError):
    """It answered, and the answer is no."""


def _password() -> str:
    if (file := os.environ.get("TOCSIN_NATS_PASSWORD_FILE")) is not None:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise NotReachableError(f"TOCSIN_NATS_PASSWORD_FILE: cannot read the file: {error.strerror}") from None
    return os.environ.get("TOCSIN_NATS_PASSWORD", "")


@dataclass(frozen=True, slots=True)
class Operator:
    """A person at a command line, and where the system is."""

    address: Address
    console_url: str
    person: str

    @classmethod
    def here(cls, folder: Path) -> "Operator":
        """From TOCSIN_NATS_URL and TOCSIN_CONSOLE_URL, else the embedded Tocsin of this folder."""
        person = os.environ.get("TOCSIN_USER") or getpass.getuser()
        console = os.environ.get("TOCSIN_CONSOLE_URL", "http://127.0.0.1:7300")
        if url := os.environ.get("TOCSIN_NATS_URL"):
            return cls(Address(url, os.environ.get("TOCSIN_NATS_USER", ""), _password()), console, person)
        place = Place(folder)
        reach = place.reach()
        if reach is None:
            raise NotReachableError(
                f"no Tocsin runs in {folder}: start one with `tocsin up`, or set TOCSIN_NATS_URL to reach another"
            )
        return cls(Address(reach.nats_url, "operator", place.passwords()["operator"]), reach.console_url, person)

    @property
    def actor(self) -> Actor:
        return Actor.person(self.person, "cli")

    @property
    def identity(self) -> str:
        """As which identity it comes to NATS: each hears its answers at a place of its own."""
        return self.address.user if self.address.user in IDENTITIES else "operator"

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """A connection to NATS until the block ends. Raises NotReachableError, ProblemError where NATS refuses us."""
        connection = Connection(self.address, self.identity)
        try:
            try:
                await asyncio.wait_for(connection.open(), _CONNECT_WITHIN)
            except TimeoutError:
                raise NotReachableError("NATS does not answer") from None
            except NatsError as error:
                raise ProblemError(f"NATS does not let {self.address.user or 'nobody'!r} in: {error}") from None
            yield connection
        finally:
            await connection.close()

    # --- reading ------------------------------------------------------------------------------------------------------

    def get(self, path: str, **query: str) -> object:
        """Ask the recorder. Raises ProblemError with its one sentence, NotReachableError when it does not answer."""
        try:
            with httpx.Client(base_url=self.console_url, timeout=5, trust_env=False) as client:
                answer = client.get(path, params=query)
        except httpx.HTTPError as error:
            raise NotReachableError(f"{self.console_url} does not answer: {error}") from error
        document = answer.json()
        if answer.status_code >= 400:
            raise ProblemError(str(document.get("detail") or document.get("title") or answer.status_code))
        return document

    def incident(self, prefix: str) -> str:
        """The whole id of the incident that begins like this."""
        document = self.get(f"/api/v1/incidents/{quote(prefix, safe='')}")
        if not isinstance(document, dict) or "id" not in document:
            raise ProblemError(f"no incident {prefix!r}")
        return str(document["id"])

    # --- asking for something -----------------------------------------------------------------------------------------

    def ask(self, incident: str, command: Command) -> Sequence[Envelope[Event]]:
        """Send a command about an incident and wait for what comes of it."""
        return asyncio.run(self._ask(incident, command))

    async def _ask(self, incident: str, command: Command) -> Sequence[Envelope[Event]]:
        async with self.connected() as connection:
            await connection.compare_clocks()
            # A command is nobody's consequence: its id is made here, once, and repeated when the answer is lost.
            envelope = caused_by(str(uuid4()), 0, "cli", incident, connection.clock.now(), command)
            await self._send(connection, envelope)
            try:
                async with asyncio.timeout(_ANSWER_WITHIN):
                    return await _answer(connection, envelope, incident)
            except TimeoutError:
                name = type(command).__name__
                raise ProblemError(f"nobody carried out {name} within {_ANSWER_WITHIN:g} s; it stays queued") from None

    def order(self, command: Command) -> Event:
        """Give a standing order; the answer is what came of it. Raises ProblemError with the reason where it cannot be
        given."""
        return asyncio.run(self._order(command))

    async def _order(self, command: Command) -> Event:
        async with self.connected() as connection:
            await connection.compare_clocks()
            envelope = caused_by(str(uuid4()), 0, "cli", "", connection.clock.now(), command)
            orders = Orders(partial(Follower, connection, service="cli"))
            await orders.start()
            try:
                await self._send(connection, envelope)
                async with asyncio.timeout(_ANSWER_WITHIN):
                    answer = orders.answer_to(envelope.id)
                    while answer is None:
                        await asyncio.sleep(_LOOK_EVERY)
                        answer = orders.answer_to(envelope.id)
            except TimeoutError:
                name = type(command).__name__
                raise ProblemError(f"nobody carried out {name} within {_ANSWER_WITHIN:g} s; it stays queued") from None
            finally:
                await orders.stop()
        if isinstance(answer.data, OrderRejected):
            raise ProblemError(answer.data.reason)
        return answer.data

    async def _send(self, connection: Connection, envelope: Envelope[Command]) -> None:
        kind = type(envelope.data)
        try:
            await connection.publish(command_subject(kind), envelope)
        except NotAllowedError:
            raise ProblemError(f"the identity {self.identity} may not send {kind.__name__}") from None
        except BusUnavailableError as error:
            raise NotReachableError(f"NATS did not confirm {kind.__name__}, it may have been sent: {error}") from None


async def _answer(connection: Connection, sent: Envelope[Command], incident: str) -> Sequence[Envelope[Event]]:
    """The events that the command brought about. Raises ProblemError with the reason where it was parked instead."""
    log = IncidentLog(connection)
    letters = StreamReader(
        connection, "DEADLETTERS", subject=deadletter_subject(sent.data.OWNER), since=sent.time - _LETTERS_SINCE
    )
    while True:
        try:
            if events := [event for event in await log.load(incident) if event.cause == sent.id]:
                return events
            async for message in letters.read(last=2**53):
                letter = decode(dict(message.headers), message.data).data
                if isinstance(letter, DeadLettered) and letter.headers.get("ce-id") == sent.id:
                    raise ProblemError(letter.reason.removeprefix("refused: "))
        except BusUnavailableError:  # it was sent, so the answer is only late
            pass
        await asyncio.sleep(_LOOK_EVERY)
