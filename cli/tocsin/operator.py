"""What operators ask for by hand: a command goes out, and the answer is the event that it brought about."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx
from nats.errors import Error as NatsError

from tocsin.place import Place
from tocsin_runtime import Address, BusUnavailableError, Connection
from tocsin_runtime.asking import Asking
from tocsin_runtime.bus.errors import NotAllowedError
from tocsin_runtime.identities import IDENTITIES
from tocsin_schemas import Actor, Command, Envelope, Event

__all__ = ["NotReachableError", "Operator", "ProblemError"]

_ANSWER_WITHIN = 8.0
_CONNECT_WITHIN = 5.0


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

    def ask(self, command: Command) -> Sequence[Envelope[Event]]:
        """Send a command and wait for what comes of it. Raises ProblemError with the reason where it cannot be."""
        return asyncio.run(self._ask(command))

    def order(self, command: Command) -> Event:
        """Give a standing order; the answer is what came of it. Raises ProblemError as `ask` does."""
        return self.ask(command)[0].data

    async def _ask(self, command: Command) -> Sequence[Envelope[Event]]:
        kind = type(command).__name__
        async with self.connected() as connection:
            await connection.compare_clocks()
            try:
                # A command is nobody's consequence: its cause is made here, once.
                answer = await Asking(connection, "cli").ask(command, str(uuid4()), within=_ANSWER_WITHIN)
            except NotAllowedError:
                raise ProblemError(f"the identity {self.identity} may not send {kind}") from None
            except BusUnavailableError as error:
                raise NotReachableError(f"NATS did not confirm {kind}, it may have been sent: {error}") from None
        if answer.refused is not None:
            raise ProblemError(answer.refused)
        if answer.pending:
            raise ProblemError(f"nobody carried out {kind} within {_ANSWER_WITHIN:g} s; it stays queued")
        return answer.events
