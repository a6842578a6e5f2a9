"""The recorder's doors without NATS: its routes over a database, tokens in a file, and who answers commands."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from recorder_builders import INCIDENT, after, as_log, envelope
from starlette.applications import Starlette

from tocsin_playbook import load
from tocsin_recorder.adapters.acting import Acting
from tocsin_recorder.adapters.commands_api import CommandsApi
from tocsin_recorder.adapters.console import Console
from tocsin_recorder.adapters.database import Database
from tocsin_recorder.adapters.doing import Doing
from tocsin_recorder.adapters.pages import Pages
from tocsin_recorder.adapters.queries import Queries
from tocsin_recorder.adapters.sessions import Sessions
from tocsin_recorder.adapters.store import Store
from tocsin_runtime import SystemClock
from tocsin_runtime.asking import Answer
from tocsin_runtime.tokens import Tokens, hash_of, token_line
from tocsin_schemas import Command, Event, PlaybookRef
from tocsin_schemas.events import NoteAdded
from tocsin_schemas.ids import derive_id

__all__ = ["ADA", "EVE", "Answering", "Clock", "Doors", "answered"]

ADA, EVE = (f"tcs_{letter * 43}" for letter in "ae")

_PLAYBOOK = """\
apiVersion: tocsin/v1
kind: Playbook
metadata: {name: storefront}
severities: [{name: P0}, {name: P1}, {name: P2}]
communicate: {channels: [{name: term, console: {}}]}
"""


class OnePlaybook:
    """A recorder that has heard of one playbook."""

    def get(self, ref: PlaybookRef) -> Any:
        return load(_PLAYBOOK).playbook


class Clock(SystemClock):
    def __init__(self) -> None:
        super().__init__()
        self.at = after(60)

    def now(self) -> datetime:
        return self.at

    def pass_by(self, **more: float) -> None:
        self.at += timedelta(**more)


def answered(command: str, *events: Event) -> Answer:
    return Answer(command, tuple(envelope(event, at=61, sequence=100, cause=command) for event in events))


class Answering:
    """Whoever carries commands out. What it is asked for with the same cause, it does once."""

    def __init__(self) -> None:
        self.asked: list[tuple[Command, str]] = []
        self.done: dict[str, Command] = {}
        self.failure: Exception | None = None
        self.answer: Callable[[str, Command], Answer] = lambda name, command: answered(
            name,
            NoteAdded(text=f"done: {type(command).__name__}", by=command.by),  # type: ignore[attr-defined]  # all have it
        )

    async def ask(self, command: Command, cause: str) -> Answer:
        self.asked.append((command, cause))
        if self.failure is not None:
            raise self.failure
        name = derive_id("command", cause)
        return self.answer(name, self.done.setdefault(name, command))

    @property
    def last(self) -> Command:
        return self.asked[-1][0]


class Doors:
    """The routes, who comes to them, and who answers."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.store = database, Store(database)
        self.clock, self.answering = Clock(), Answering()
        self.reached: list[int] = []
        self._last = 0
        self.tokens = folder / "tokens"
        self.give(ada=ADA, eve=EVE)
        queries, tokens = Queries(database), Tokens(self.tokens)
        sessions, pages = Sessions(tokens, self.clock), Pages()
        doing = Doing(self.answering, queries)  # type: ignore[arg-type]  # a double of Asking
        acting = Acting(doing, queries, sessions, pages, self.clock, self._reach)
        console = Console(queries, OnePlaybook(), sessions, pages, self.clock)  # type: ignore[arg-type]  # a double
        self.app = Starlette(routes=[*CommandsApi(doing, tokens).routes(), *acting.routes(), *console.routes()])
        self.client = self.browser()

    def give(self, **owners: str) -> None:
        """These tokens, and no others."""
        self.tokens.write_text("\n".join(token_line(name, hash_of(token)) for name, token in owners.items()))

    def browser(self, url: str = "http://recorder") -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url=url)

    async def tell(self, *story: tuple[float, Event], incident: str = INCIDENT) -> None:
        log = as_log(story, incident=incident, first=self._last + 1)
        self._last += len(log)
        await self.store.record(log)

    async def post(self, slug: str, body: object = None, *, token: str | None = ADA, **headers: str) -> httpx.Response:
        """A command over the API."""
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return await self.client.post(f"/api/v1/commands/{slug}", json=body, headers=headers)

    async def _reach(self, sequence: int) -> None:
        self.reached.append(sequence)
