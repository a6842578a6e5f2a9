"""Who comes with which token, and who takes the commands: for tests of what is asked of the detector over HTTP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tocsin_runtime import BusUnavailableError, Clock
from tocsin_runtime.asking import Answer
from tocsin_runtime.orders import Orders
from tocsin_runtime.tokens import Tokens, hash_of, new_token, token_line
from tocsin_schemas import Command, Event, caused_by
from tocsin_schemas.commands import AcknowledgeAlert, LiftSilence, Silence
from tocsin_schemas.events import OrderRejected, SilenceLifted, SilenceSet
from tocsin_schemas.ids import derive_id


class Keys:
    """A file of access tokens, and the tokens themselves."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tokens"
        self.path.touch()
        self.tokens = Tokens(self.path)

    def give(self, name: str) -> str:
        """A token of this name, from now on."""
        token = new_token()
        with self.path.open("a") as file:
            file.write(token_line(name, hash_of(token)) + "\n")
        return token


class Sent:
    """Takes commands as NATS does: each id once."""

    def __init__(self) -> None:
        self.is_away = False
        self.commands: dict[str, AcknowledgeAlert] = {}

    async def send(self, command: Command, cause: str) -> str:
        if self.is_away:
            raise BusUnavailableError("no answer")
        assert isinstance(command, AcknowledgeAlert)
        self.commands.setdefault(cause, command)
        return cause


def no_follower(*_: Any) -> Any:
    """For orders that a test hands over itself."""
    return None


class _Standing(Orders):
    """Orders that nobody follows: a test takes what is to stand."""

    def __init__(self) -> None:
        super().__init__(no_follower)
        self._taken = 0

    @property
    def position(self) -> int:
        return self._taken


class Desk:
    """Decides on orders as the escalator does, in short: each command once, one that is not `refused` is carried out.

    `unread`: so many orders have come by other replicas, and are not read here. `loses_answers`: it is carried out, and
    nobody hears of it. `sleeps`: nobody carries it out.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock, self.orders = clock, _Standing()
        self.refused: Callable[[Command], str | None] = lambda _: None
        self.unread = 0
        self.is_away = self.loses_answers = self.sleeps = False
        self.commands: list[Command] = []

    async def last_order(self) -> int:
        """How far the log of orders goes."""
        if self.is_away:
            raise BusUnavailableError("no answer")
        return self.orders.position + self.unread

    async def ask(self, command: Command, cause: str) -> Answer:
        if self.is_away:
            raise BusUnavailableError("no answer")
        sent = caused_by(cause, 0, "detector", "", self.clock.now(), command)
        if self.sleeps:
            return Answer(sent.id)
        answer = self.orders.answer_to(sent.id)
        if answer is None:
            self.commands.append(command)
            event = self._event(command, sent.id)
            self.orders.take(
                caused_by(sent.id, 0, "escalator", "", self.clock.now(), event).at(self.orders.position + 1)
            )
            answer = self.orders.answer_to(sent.id)
        if self.loses_answers:
            raise BusUnavailableError("written, but the answer is lost")
        assert answer is not None
        return Answer(sent.id, (answer,), answer.data.reason if isinstance(answer.data, OrderRejected) else None)

    def _event(self, command: Command, name: str) -> Event:
        assert isinstance(command, Silence | LiftSilence)
        if (reason := self.refused(command)) is not None:
            return OrderRejected(command=type(command).__name__, reason=reason, by=command.by)
        if isinstance(command, LiftSilence):
            return SilenceLifted(silence=command.silence, because=command.because, by=command.by)
        return SilenceSet(
            silence=derive_id("order", name)[:10],
            match=command.match,
            begins_at=command.begins_at or self.clock.now(),
            ends_at=command.until,
            because=command.because,
            by=command.by,
        )
