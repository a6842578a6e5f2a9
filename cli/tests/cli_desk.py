"""A system for the command line to talk to: a real nats-server with its identities, the recorder's API for ids, and
somebody who answers commands as the escalator and the remediator do."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any, Self
from urllib.parse import unquote

from typer.testing import CliRunner

from tocsin.main import app
from tocsin_runtime import Address, Connection, Delivery
from tocsin_runtime.bus.consume import Consumer
from tocsin_runtime.bus.provision import ensure_consumer, ensure_streams
from tocsin_runtime.identities import IDENTITIES, users
from tocsin_runtime.topology import CONSUMERS
from tocsin_schemas import Command, Envelope, Event, Payload, caused_by
from tocsin_schemas.events import NoteAdded
from tocsin_schemas.subjects import incident_subject
from tocsin_testkit.nats import NatsServer

__all__ = ["FIRST", "SECOND", "Desk", "answer_with_a_note"]

FIRST, SECOND = "first00000000000", "second0000000000"
"""The two incidents that there are."""

Answer = Callable[[Command], Event | None]


def answer_with_a_note(command: Command) -> Event:
    """What is done about a command, for who only sees that something was."""
    return NoteAdded(text=f"done: {type(command).__name__}", by=command.by)  # type: ignore[attr-defined]  # all have it


class Desk:
    """Within `with`, everything runs. `received` are the commands that arrived, each with the id it was sent under."""

    def __init__(self, folder: Path) -> None:
        self.passwords = {name: f"secret-{name}" for name in IDENTITIES}
        self.nats = NatsServer(folder / "nats", users=[*users(self.passwords), {"user": "maker", "password": "make"}])
        self.answer: Answer = answer_with_a_note
        self.received: list[Envelope[Payload]] = []
        self._api = ThreadingHTTPServer(("127.0.0.1", 0), _Api)
        self._stop = Signal()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.nats)
        self._stack.callback(self._api.server_close)
        serving = Thread(target=self._api.serve_forever)
        serving.start()
        self._stack.callback(serving.join)
        self._stack.callback(self._api.shutdown)
        up = Signal()
        answering = Thread(target=lambda: asyncio.run(self._work(up)))
        answering.start()
        self._stack.callback(answering.join)
        self._stack.callback(self._stop.set)
        assert up.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def tocsin(self, *words: object, identity: str = "operator", person: str = "ada", **environment: str) -> Any:
        """What a person types; the answer is the exit status, what was printed, and what was complained about."""
        given: Mapping[str, str] = {
            "COLUMNS": "200",
            "TOCSIN_NATS_URL": self.nats.url,
            "TOCSIN_NATS_USER": identity,
            "TOCSIN_NATS_PASSWORD": self.passwords[identity],
            "TOCSIN_CONSOLE_URL": f"http://127.0.0.1:{self._api.server_port}",
            "TOCSIN_USER": person,
            **environment,
        }
        result = CliRunner().invoke(app, list(map(str, words)), env=given)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    def commands(self) -> Sequence[Payload]:
        return [envelope.data for envelope in self.received]

    async def _work(self, up: Signal) -> None:
        async with Connection(Address(self.nats.url, "maker", "make"), "maker") as connection:
            await ensure_streams(connection)

            async def handle(deliveries: Sequence[Delivery[Payload]]) -> None:
                for delivery in deliveries:
                    self.received.append(delivery.envelope)
                    await self._answer(connection, delivery.envelope)

            consumers = [Consumer(connection, spec, handle) for spec in CONSUMERS if spec.stream == "COMMANDS"]
            for consumer in consumers:
                await ensure_consumer(connection, consumer.spec)
                await consumer.start()
            up.set()
            while not self._stop.is_set():
                await asyncio.sleep(0.02)
            for consumer in consumers:
                await consumer.stop()

    async def _answer(self, connection: Connection, sent: Envelope[Payload]) -> None:
        assert isinstance(sent.data, Command)
        event = self.answer(sent.data)
        if event is not None:
            incident = sent.incident
            answer = caused_by(sent.id, 0, event.OWNER, incident, sent.time, event)
            await connection.publish(incident_subject(incident, type(event)), answer)


class _Api(BaseHTTPRequestHandler):
    """The recorder, as far as it knows the incidents by the beginning of their ids."""

    def do_GET(self) -> None:
        prefix = unquote(self.path.removeprefix("/api/v1/incidents/"))
        found = [each for each in (FIRST, SECOND) if each.startswith(prefix)]
        document = {"id": found[0]} if len(found) == 1 else {"detail": f"There is no incident {prefix}."}
        self.send_response(200 if len(found) == 1 else 404)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base's
        """Nothing: the test reads what a person would."""
