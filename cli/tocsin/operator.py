"""What operators ask for by hand: a command goes out, and the answer is the event that it brought about."""

import asyncio
import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx

from tocsin.place import Place
from tocsin_runtime import Address, Connection
from tocsin_runtime.bus.log import IncidentLog
from tocsin_schemas import Actor, Command, Envelope, Event, caused_by
from tocsin_schemas.subjects import command_subject

__all__ = ["NotReachableError", "Operator", "ProblemError"]

_ANSWER_WITHIN = 8.0


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
        document = self.get(f"/api/v1/incidents/{prefix}")
        if not isinstance(document, dict) or "id" not in document:
            raise ProblemError(f"no incident {prefix!r}")
        return str(document["id"])

    # --- asking for something -----------------------------------------------------------------------------------------

    def ask(self, incident: str, command: Command) -> Sequence[Envelope[Event]]:
        """Send a command about an incident and wait for what comes of it."""
        return asyncio.run(self._ask(incident, command))

    async def _ask(self, incident: str, command: Command) -> Sequence[Envelope[Event]]:
        connection = Connection(self.address, "operator")
        await asyncio.wait_for(connection.open(), 5)
        try:
            # A command is nobody's consequence: its id is made here, once, and repeated when the answer is lost.
            envelope = caused_by(str(uuid4()), 0, "cli", incident, connection.clock.now(), command)
            await connection.publish(command_subject(type(command)), envelope)
            log = IncidentLog(connection)
            for _ in range(int(_ANSWER_WITHIN / 0.05)):
                events = [event for event in await log.load(incident) if event.cause == envelope.id]
                if events:
                    return events
                await asyncio.sleep(0.05)
        finally:
            await connection.close()
        raise ProblemError(f"nobody carried out {type(command).__name__} within {_ANSWER_WITHIN:g} s; it stays queued")
